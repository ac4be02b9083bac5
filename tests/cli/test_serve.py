"""`turnout serve` as a process: it says where it listens, serves, follows its files, and stops as it is told."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doors.gateway.access.conftest import certificate
from turnout.cli.app import call
from turnout.testing.completions import Fault, OpenAIDouble
from turnout.trace.store.ledger import Ledger
from turnout.trace.views.metrics import run_metrics

__all__ = ["certificate"]

BODY = {"model": "turnout", "messages": [{"role": "user", "content": "hi"}]}
POLICY = '[policy]\ncheap = "openai/gpt-5-mini"\ncapable = "openai/gpt-5"\n'


class Serving:
    """A running `turnout serve`."""

    def __init__(self, process: subprocess.Popen[str], url: str, verify: ssl.SSLContext | bool) -> None:
        self.process, self.url, self._verify = process, url, verify

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, trust_env=False, timeout=20, verify=self._verify)

    def chat(self, key: str = "none") -> httpx.Response:
        with self.http() as client:
            return client.post("/v1/chat/completions", json=BODY, headers={"authorization": f"Bearer {key}"})

    def tell(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """The exit code, and what it said on standard error."""
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


def settings(folder: Path, double: OpenAIDouble, text: str = POLICY, gateway: str = "") -> Path:
    file = folder / "turnout.toml"
    partial = folder / "new.toml"
    partial.write_text(
        f"{text}\n[gateway]\nport = 0\n{gateway}\n"
        f'[upstreams.openai]\nbase_url = "{double.url}/v1"\nkey_env = "MY_KEY"\n'
    )
    partial.rename(file)
    return file


@contextlib.contextmanager
def serving(folder: Path, *options: str, verify: ssl.SSLContext | bool = True) -> Iterator[Serving]:
    process = subprocess.Popen(
        [sys.executable, "-c", "from turnout.cli import main; main()", "serve", "--ledger", "l.sqlite3", *options],
        cwd=folder,
        env={**os.environ, "MY_KEY": "k"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("OpenAI: base_url http"), process.communicate()
        assert process.stdout.readline() == "openai_chat: openai/gpt-5-mini, openai/gpt-5\n"
        yield Serving(process, first.split()[2].removesuffix("/v1"), verify)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def wait_for(done: Callable[[], bool], seconds: float = 15.0) -> None:
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, "it did not come to hold in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def double() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as found:
        yield found


def created(folder: Path, name: str, *options: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert call(["keys", "create", name, "--json", "--keys", str(folder / "keys.json"), *options]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


class Streaming(threading.Thread):
    """A client with a stream under way."""

    def __init__(self, server: Serving) -> None:
        super().__init__()
        self._server = server
        self.begun = threading.Event()
        self.text = ""
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            with (
                self._server.http() as client,
                client.stream("POST", "/v1/chat/completions", json={**BODY, "stream": True}) as answer,
            ):
                for chunk in answer.iter_text():
                    self.text += chunk
                    self.begun.set()
        except Exception as error:
            self.error = error


def test_it_serves_and_stops(tmp_path: Path, double: OpenAIDouble) -> None:
    """A stream under way at SIGTERM ends; while the server lingers, it says that it is not ready."""
    settings(tmp_path, double, gateway="linger_seconds = 0.5")
    with serving(tmp_path) as server:
        assert server.chat().status_code == 200
        with server.http() as client:
            metrics = client.get("/metrics", headers={"accept": "text/plain"})
        assert 'turnout_calls_total{model="openai/gpt-5-mini",role="answer",status="ok"} 1.0' in metrics.text
        assert metrics.headers["content-type"].startswith("text/plain")
        double.faults.add(Fault(delay_s=1, after_events=2))
        stream = Streaming(server)
        assert stream.begun.wait(10)
        server.tell(signal.SIGTERM)

        def not_ready() -> bool:
            with server.http() as client:
                return client.get("/readyz").status_code == 503

        wait_for(not_ready)
        stream.join(20)
        assert stream.error is None
        assert stream.text.endswith("data: [DONE]\n\n")
        assert server.end()[0] == 128 + signal.SIGTERM
    with Ledger(tmp_path / "l.sqlite3", create=False, read_only=True) as ledger:
        assert len(run_metrics(ledger, "gateway").turns) == 2


@pytest.mark.once
def test_an_answer_that_does_not_end_in_time_is_told_so(tmp_path: Path, double: OpenAIDouble) -> None:
    settings(tmp_path, double, gateway="drain_seconds = 1")
    with serving(tmp_path) as server:
        double.faults.add(Fault(delay_s=20, after_events=2))
        stream = Streaming(server)
        assert stream.begun.wait(10)
        server.tell(signal.SIGTERM)
        assert server.end()[0] == 128 + signal.SIGTERM
        stream.join(20)
    assert stream.error is None
    assert '"code":"stopping"' in stream.text


@pytest.mark.once
def test_a_second_signal_ends_it_at_once(tmp_path: Path, double: OpenAIDouble) -> None:
    settings(tmp_path, double)
    with serving(tmp_path) as server:
        double.faults.add(Fault(delay_s=60, after_events=2))
        stream = Streaming(server)
        assert stream.begun.wait(10)
        server.tell(signal.SIGTERM)
        time.sleep(0.3)
        server.tell(signal.SIGTERM)
        assert server.end()[0] == 128 + signal.SIGTERM
        stream.join(20)
    assert stream.error is not None
    with Ledger(tmp_path / "l.sqlite3", create=False, read_only=True) as ledger:
        assert len(run_metrics(ledger, "gateway").turns) == 1


@pytest.mark.once
def test_it_follows_its_settings(tmp_path: Path, double: OpenAIDouble) -> None:
    """A stream under way ends by the old settings; a file that is wrong changes nothing and is named."""
    file = settings(tmp_path, double, POLICY + '[classifier]\nkind = "none"\n')
    with serving(tmp_path) as server:
        assert server.chat().headers["x-turnout-model"] == "openai/gpt-5"
        double.faults.add(Fault(delay_s=2, after_events=2))
        stream = Streaming(server)
        assert stream.begun.wait(10)
        settings(tmp_path, double, gateway="workers = 7")
        server.tell(signal.SIGHUP)
        wait_for(lambda: server.chat().headers["x-turnout-model"] == "openai/gpt-5-mini")
        file.write_text("[policy]\nchaep = 1\n")
        server.tell(signal.SIGHUP)
        stream.join(20)
        assert stream.text.endswith("data: [DONE]\n\n")
        time.sleep(0.5)
        assert server.chat().headers["x-turnout-model"] == "openai/gpt-5-mini"
        server.tell(signal.SIGTERM)
        _, said = server.end()
    assert "new settings were refused, the old ones stay" in said
    assert "unknown key 'chaep'" in said
    assert "keys=<gateway.workers> | these settings hold after a restart only" in said


@pytest.mark.once
def test_workers(tmp_path: Path, double: OpenAIDouble, capsys: pytest.CaptureFixture[str]) -> None:
    """Both serve, metrics are those of both, a worker that dies is replaced, and SIGHUP and SIGTERM reach all."""
    made = created(tmp_path, "ci", "--budget-day", "2", capsys=capsys)
    settings(tmp_path, double)
    key = {"authorization": f"Bearer {made['key']}"}
    with serving(tmp_path, "--workers", "2", "--keys", "keys.json") as server:

        def workers() -> list[int]:
            listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
            return [int(pid) for pid in listed.split()]

        def counted(client: httpx.Client) -> float:
            lines = client.get("/metrics", headers=key).text.splitlines()
            return sum(float(line.split()[-1]) for line in lines if line.startswith("turnout_calls_total{"))

        wait_for(lambda: len(workers()) == 2)
        for _ in range(10):
            assert server.chat(made["key"]).status_code == 200
        with server.http() as client:
            wait_for(lambda: counted(client) == 10)
        victim = workers()[0]
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: len(workers()) == 2 and victim not in workers())
        for _ in range(10):
            assert server.chat(made["key"]).status_code == 200
        with server.http() as client:
            wait_for(lambda: counted(client) == 20)
        other = POLICY.replace('capable = "openai/gpt-5"', 'capable = "openai/gpt-5"\nsimple_bar = 0.1')
        settings(tmp_path, double, other)
        server.tell(signal.SIGHUP)
        server.tell(signal.SIGTERM)
        code, said = server.end()
    assert code == 128 + signal.SIGTERM
    assert f"pid=<{victim}>, code=<-9>" in said
    with Ledger(tmp_path / "l.sqlite3", create=False, read_only=True) as ledger:
        assert len(run_metrics(ledger, "gateway").turns) == 20


@pytest.mark.once
def test_workers_end_when_their_parent_is_gone(tmp_path: Path, double: OpenAIDouble) -> None:
    settings(tmp_path, double)
    with serving(tmp_path, "--workers", "2") as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        wait_for(lambda: len(children.read_text().split()) == 2)
        workers = [Path(f"/proc/{pid}") for pid in children.read_text().split()]
        server.tell(signal.SIGKILL)
        server.process.wait(10)
        wait_for(lambda: not any(worker.exists() and "Z" not in state(worker) for worker in workers))


def state(process: Path) -> str:
    with contextlib.suppress(OSError):
        return (process / "stat").read_text().rpartition(")")[2].split()[0]
    return "Z"


@pytest.mark.once
def test_keys_and_tls(
    tmp_path: Path,
    double: OpenAIDouble,
    certificate: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A key made while it runs is taken, a revoked one is not, and what was spent is known after a restart."""
    made = created(tmp_path, "ci", "--budget-day", "0.5", capsys=capsys)
    settings(tmp_path, double)
    options = ["--tls-cert", str(certificate[0]), "--tls-key", str(certificate[1]), "--keys", "keys.json"]
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    with serving(tmp_path, "--host", "0.0.0.0", *options, verify=trusted) as server:
        server.url = server.url.replace("0.0.0.0", "127.0.0.1")
        assert server.chat().status_code == 401
        assert server.chat(made["key"]).status_code == 200
        later = created(tmp_path, "later", capsys=capsys)
        wait_for(lambda: server.chat(later["key"]).status_code == 200)
        assert call(["keys", "revoke", "later", "--keys", str(tmp_path / "keys.json")]) == 0
        wait_for(lambda: server.chat(later["key"]).status_code == 401)
    with Ledger(tmp_path / "l.sqlite3", create=False) as ledger:
        from tests.trace import samples
        from turnout.core.cost import Cost

        now_ms = int(time.time() * 1000)
        spent = samples.call(key_id=made["id"], started_ms=now_ms, cost=Cost(input_pico=5 * 10**11))
        ledger.append([spent])
    with serving(tmp_path, *options, verify=trusted) as server:
        refused = server.chat(made["key"])
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "budget_spent")
        assert int(refused.headers["retry-after"]) > 0


def test_other_machines_are_kept_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["serve", "--host", "0.0.0.0", "--keys", str(tmp_path / "none.json")]) == 2
    assert "others than this machine could reach the gateway there, and there are no keys" in capsys.readouterr().err


def test_what_is_missing_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "turnout.toml").write_text(POLICY)
    assert call(["serve", "--port", "0"]) == 2
    assert "OPENAI_API_KEY is not set: it holds the key" in capsys.readouterr().err
    assert call(["serve", "--port", "0", "--tls-key", "k.pem"]) == 2
    assert "--tls-key has no use without --tls-cert" in capsys.readouterr().err
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert call(["serve", "--port", "0", "--tls-cert", "none.pem"]) == 2
    assert "none.pem: cannot be used for TLS: No such file or directory" in capsys.readouterr().err


@pytest.mark.once
def test_workers_that_cannot_begin_are_told_of_once(tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text(POLICY)
    ended = subprocess.run(
        [sys.executable, "-c", "from turnout.cli import main; main()", "serve", "--port", "0", "--workers", "2"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert ended.stderr.count("OPENAI_API_KEY is not set: it holds the key") == 1


AGENT = """
import os
from strands import Agent
from strands.models.openai import OpenAIModel

def new_agent(session_id):
    model = OpenAIModel(client_args={"base_url": os.environ["DOUBLE"], "api_key": "k"}, model_id="gpt-5-mini")
    return Agent(model=model, callback_handler=None)
"""


@pytest.mark.once
def test_an_agent_beside_the_gateway(
    tmp_path: Path, double: OpenAIDouble, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = created(tmp_path, "ci", capsys=capsys)
    (tmp_path / "mine.py").write_text(AGENT)
    settings(tmp_path, double)
    monkeypatch.setenv("DOUBLE", f"{double.url}/v1")
    with serving(tmp_path, "--agent", "mine:new_agent", "--keys", "keys.json") as server, server.http() as client:
        assert client.get("/ping").json()["status"] == "Healthy"
        assert client.post("/invocations", json={"prompt": "hi"}).status_code == 401
        key = {"authorization": f"Bearer {made['key']}"}
        answer = client.post("/invocations", json={"prompt": "hi"}, headers=key)
        assert answer.status_code == 200, answer.text
        assert answer.json()["session_id"]
        assert server.chat(made["key"]).status_code == 200
    assert call(["serve", "--port", "0", "--workers", "2", "--agent", "mine:new_agent"]) == 2
    assert "--agent keeps its conversations in one process" in capsys.readouterr().err
