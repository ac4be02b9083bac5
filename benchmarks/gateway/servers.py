"""Starts what is measured: the mock provider, nginx as the limit, the bare relay, Turnout and the peers."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.gateway import peers
from benchmarks.gateway.bodies import ANSWER, chat
from benchmarks.gateway.peers import AbsentError

PATH = "/v1/chat/completions"
_PATIENCE_S = 60.0


class Server(NamedTuple):
    """A server that runs.

    Attributes:
        process: Its first process.
        port: Where it listens.
        headers: What a request to it needs.
        model: The model's name in a request to it.
        start_s: From its start to its first answer.
    """

    process: subprocess.Popen[str]
    port: int
    headers: tuple[tuple[str, str], ...]
    model: str
    start_s: float

    def stop(self) -> None:
        """End it."""
        end(self.process)


def end(process: subprocess.Popen[str]) -> None:
    """End a process."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


class Kind(NamedTuple):
    """What can be measured: its name, version, and how it is started before a provider, in a folder of its own."""

    name: str
    version: str
    start: Callable[[str, Path, Sequence[str]], Server]


def provider(cpus: Sequence[str] = ()) -> tuple[subprocess.Popen[str], int]:
    """Our mock provider: asyncio on uvloop; its port."""
    process = _popen([sys.executable, "-m", "benchmarks.gateway.processes", "upstream"], cpus, read=True)
    return process, int(_line(process))


def nginx_provider(folder: Path, cpus: Sequence[str] = ()) -> tuple[subprocess.Popen[str], int]:
    """nginx as a mock provider, which answers without a stream.

    Raises:
        AbsentError: There is no nginx.
    """
    answer = ANSWER.decode().replace("'", "\\'")
    place = f"location / {{ default_type application/json; add_header x-request-id req_1; return 200 '{answer}'; }}"
    return _nginx(folder, "", place, cpus)


def kinds(*, peers_too: bool = True) -> tuple[list[Kind], dict[str, str]]:
    """What can be measured here, and of what cannot the reason; ``peers_too``: not ours alone."""
    from importlib.metadata import version

    uvicorn, uvloop = version("uvicorn"), version("uvloop")
    found = [Kind("bare relay", f"uvicorn {uvicorn}, uvloop {uvloop}", _bare)]
    found.append(Kind("turnout", version("turnout"), _turnout))
    absent: dict[str, str] = {}
    if not peers_too:
        return found, absent
    for name, install, start, what in (
        ("nginx", peers.nginx, _nginx_proxy, ""),
        ("portkey", peers.portkey, _portkey, f"{peers.PORTKEY}, @hono/node-server {peers.PORTKEY_SERVER}"),
        ("litellm", peers.litellm, _litellm, peers.LITELLM),
    ):
        try:
            program = install()
            found.append(Kind(name, what or peers.version_of(program), start))
        except (AbsentError, OSError, subprocess.SubprocessError) as error:
            absent[name] = str(error)
    return found, absent


def module(name: str, *arguments: str, cpus: Sequence[str] = ()) -> Server:
    """A module of ours that prints its port and serves."""
    began = time.perf_counter()
    process = _popen([sys.executable, "-m", name, *arguments], cpus, read=True)
    return _ready(process, int(_line(process)), began)


def _bare(url: str, folder: Path, cpus: Sequence[str]) -> Server:
    return module("benchmarks.gateway.processes", "bare", url, cpus=cpus)


def _turnout(url: str, folder: Path, cpus: Sequence[str]) -> Server:
    """Turnout by its own command: keyword policy, cache state, ledger, and a key where the server takes one."""
    file = folder / "turnout.toml"
    file.write_text(
        f'[policy]\ncheap = "openai/gpt-5-mini"\ncapable = "openai/gpt-5"\n[upstreams.openai]\nbase_url = "{url}/v1"\n'
    )
    ours = [sys.executable, "-c", "from turnout.cli import main; main()"]
    command = [*ours, "serve", "--config", str(file), "--port", "0", "--ledger", str(folder / "ledger.sqlite3")]
    headers: tuple[tuple[str, str], ...] = (("authorization", "Bearer none"),)
    wide = {"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"}
    told = subprocess.run([*ours, "serve", "--help"], capture_output=True, text=True, env={**os.environ, **wide})
    if "--keys" in told.stdout:
        keys = folder / "keys.json"
        made = subprocess.run(
            [*ours, "keys", "create", "bench", "--keys", str(keys)], capture_output=True, text=True, check=True
        )
        token = re.search(r"tk-\S+", made.stdout)
        if token is None:
            raise AbsentError("`turnout keys create` printed no key")
        command += ["--keys", str(keys)]
        headers = (("authorization", f"Bearer {token[0]}"),)
    began = time.perf_counter()
    process = _popen(command, cpus, read=True)
    while (port := re.search(r"http://\S*?:(\d+)", line := _line(process))) is None:
        if not line:
            raise AbsentError("`turnout serve` ended")
    return _ready(process, int(port[1]), began, headers)


def _portkey(url: str, folder: Path, cpus: Sequence[str]) -> Server:
    port = _free()
    began = time.perf_counter()
    process = _popen(
        ["node", str(peers.portkey()), f"--port={port}", "--headless"], cpus, {"NODE_ENV": "production"}, folder=folder
    )
    headers = (
        ("authorization", "Bearer none"),
        ("x-portkey-provider", "openai"),
        ("x-portkey-custom-host", f"{url}/v1"),
    )
    return _ready(process, port, began, headers, model="gpt-5")


def _litellm(url: str, folder: Path, cpus: Sequence[str]) -> Server:
    file = folder / "litellm.yaml"
    file.write_text(
        "model_list:\n  - model_name: gpt-5\n    litellm_params:\n      model: openai/gpt-5\n"
        f"      api_base: {url}/v1\n      api_key: none\nlitellm_settings:\n  telemetry: false\n"
    )
    port = _free()
    began = time.perf_counter()
    process = _popen(
        [str(peers.litellm()), "--config", str(file), "--port", str(port), "--host", "127.0.0.1", "--num_workers", "1"],
        cpus,
        {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
            "LITELLM_TELEMETRY": "False",
            # Its best case: it checks no key.
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        },
        folder=folder,
    )
    return _ready(process, port, began, (("authorization", "Bearer none"),), model="gpt-5")


def _nginx_proxy(url: str, folder: Path, cpus: Sequence[str]) -> Server:
    address = url.removeprefix("http://")
    upstream = f"upstream provider {{ server {address}; keepalive 64; keepalive_requests 1000000; }}"
    place = (
        "location / { proxy_pass http://provider; proxy_http_version 1.1; "
        'proxy_set_header Connection ""; proxy_buffering off; }'
    )
    began = time.perf_counter()
    process, port = _nginx(folder, upstream, place, cpus)
    return _ready(process, port, began)


def _nginx(folder: Path, upstream: str, place: str, cpus: Sequence[str]) -> tuple[subprocess.Popen[str], int]:
    port = _free()
    temporary = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; keepalive_requests 1000000000; {temporary}\n{upstream}\n"
        f"server {{ listen 127.0.0.1:{port} backlog=2048; {place} }} }}\n"
    )
    command = [str(peers.nginx()), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(file)]
    return _popen(command, cpus, folder=folder), port


def _popen(
    command: list[str],
    cpus: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    read: bool = False,
    folder: Path | None = None,
) -> subprocess.Popen[str]:
    if cpus:
        command = ["taskset", "-c", ",".join(cpus), *command]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE if read else subprocess.DEVNULL,
        stderr=None if read else subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env={**os.environ, **(environment or {})},
    )


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None, "its output is read"
    return process.stdout.readline()


def _free() -> int:
    """A port that is free now: for servers that cannot be asked which they took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ready(
    process: subprocess.Popen[str],
    port: int,
    began: float,
    headers: tuple[tuple[str, str], ...] = (("authorization", "Bearer none"),),
    *,
    model: str = "turnout",
) -> Server:
    """Wait for the first answer to a real request.

    Raises:
        AbsentError: It does not come, or is none.
    """
    body = chat(model=model)
    ends = began + _PATIENCE_S
    status = 0
    while time.perf_counter() < ends and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("POST", PATH, body, {"content-type": "application/json", **dict(headers)})
            answer = connection.getresponse()
            answer.read()
            status = answer.status
            if status == 200:
                return Server(process, port, headers, model, time.perf_counter() - began)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.01)
    process.kill()
    process.wait()
    raise AbsentError(f"it did not answer within {_PATIENCE_S:g} s" if not status else f"it answered {status}")


def pinning() -> dict[str, list[str]]:
    """Which cores do what, where there are enough: one for what is measured, others for provider and load."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 4 or shutil.which("taskset") is None:
        return {"measured": [], "provider": [], "load": []}
    first, second, *others = [str(core) for core in cores]
    return {"measured": [first], "provider": [second], "load": others}
