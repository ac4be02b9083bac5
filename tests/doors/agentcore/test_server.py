from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from turnout.doors.agentcore.server import EXIT_TERMINATED, ListenError, listen

ROOT = Path(__file__).parents[3]

SERVER = """
import atexit, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from turnout.doors.agentcore.server import listen, serve

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("the app was told", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})

atexit.register(lambda: print("atexit ran", flush=True))
listening = listen("127.0.0.1", 0)
print(listening.getsockname()[1], flush=True)
try:
    serve(app, listening)
finally:
    print("with blocks were left", flush=True)
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, EXIT_TERMINATED), (signal.SIGINT, -signal.SIGINT)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_ends_the_server_the_ordinary_way(number: signal.Signals, code: int) -> None:
    def heard() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heard,  # a shell starts background jobs with Ctrl-C ignored
        env=dict(os.environ),
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        assert httpx.get(f"http://127.0.0.1:{port}/", timeout=30).text == "here"
        process.send_signal(number)
        rest, _ = process.communicate(timeout=60)
    assert rest.splitlines() == ["the app was told", "with blocks were left", "atexit ran"]
    assert process.returncode in (code, 130 if number is signal.SIGINT else code)


def test_a_taken_port_and_an_unknown_host_are_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(ListenError, match=r"cannot listen on 127.0.0.1, port \d+: .*another --port") as caught:
            listen("127.0.0.1", taken.getsockname()[1])
        assert "\n" not in str(caught.value)
    with pytest.raises(ListenError, match=r"--host no\.such\.host\.invalid: there is no such address"):
        listen("no.such.host.invalid", 0)


def test_port_0_is_any_free_one() -> None:
    with listen("localhost", 0) as one, listen("127.0.0.1", 0) as two:
        assert 0 < one.getsockname()[1] != two.getsockname()[1] > 0
