"""The gateway in this process, without sockets: requests are ASGI scopes, the provider's answers are there at once.

It is the real application, with keyword policy over two candidates, cache state, cost, ledger, metrics and a key.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

OPENAI = """
[policy]
cheap = "openai/gpt-5-mini"
capable = "openai/gpt-5"
[upstreams.openai]
base_url = "http://127.0.0.1:9/v1"
"""
ANTHROPIC = """
[policy]
cheap = "anthropic/claude-haiku-4-5"
capable = "anthropic/claude-sonnet-5-5"
[upstreams.anthropic]
base_url = "http://127.0.0.1:9"
"""


class Cost(NamedTuple):
    """CPU of a request in microseconds: of the thread that serves, and of the ledger's."""

    serving: float
    ledger: float


class _Answer:
    """What the provider says, at once."""

    status = 200
    headers = ((b"content-type", b"application/json"), (b"x-request-id", b"req_1"))

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, until: float, limit: int = 0) -> bytes:
        return self._data

    def close(self) -> None:
        """Nothing is open."""


class Client:
    """Stands where the HTTP client stands: the network is not measured here."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def send(self, *request: Any) -> _Answer:
        return _Answer(self._data)

    async def aclose(self) -> None:
        """Nothing is open."""


class Inside:
    """The gateway.

    Args:
        gateway: The application.
        recorder: Writes its ledger, when it is told to.
        path: Where requests go.
        token: The key that they bring.
    """

    def __init__(self, gateway: Any, recorder: Any, path: str, token: str) -> None:
        self._gateway = gateway
        self._recorder = recorder
        self._path = path
        self._token = token

    async def _ask(self, data: bytes) -> None:
        messages = [{"type": "http.request", "body": data, "more_body": False}]
        statuses: list[int] = []

        async def receive() -> Any:
            if messages:
                return messages.pop()
            return await asyncio.get_running_loop().create_future()

        async def send(message: Any) -> None:
            if "status" in message:
                statuses.append(message["status"])

        headers = [
            (b"host", b"127.0.0.1"),
            (b"content-type", b"application/json"),
            (b"authorization", b"Bearer " + self._token.encode()),
            (b"user-agent", b"bench"),
            (b"accept", b"*/*"),
            (b"content-length", str(len(data)).encode()),
        ]
        scope = {"type": "http", "method": "POST", "path": self._path, "raw_path": self._path.encode()}
        await self._gateway({**scope, "query_string": b"", "headers": headers}, receive, send)
        if statuses != [200]:
            raise RuntimeError(f"the gateway answered {statuses}")

    def run(self, bodies: Sequence[bytes], count: int) -> Cost:
        """So many requests one after the other, the bodies in turn; then their events are written."""

        async def work() -> None:
            for number in range(count):
                await self._ask(bodies[number % len(bodies)])

        thread, process = time.thread_time(), time.process_time()
        asyncio.run(work())
        thread = time.thread_time() - thread
        self._recorder.flush()
        return Cost(thread / count * 1e6, (time.process_time() - process - thread) / count * 1e6)

    def newest(self) -> tuple[Any, Any]:
        """The newest decision and the newest call that were written to the ledger."""
        ledger = self._recorder.ledger
        return ledger.decisions()[-1], ledger.calls()[-1]

    def settle(self) -> None:
        """Set the garbage collector as `turnout.doors.gateway.server.process.serve` does."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)


@contextmanager
def inside(settings_text: str, path: str, answer: bytes) -> Iterator[Inside]:
    """A gateway by these settings.

    Args:
        settings_text: TOML.
        path: Where requests go.
        answer: What the provider says to each.
    """
    from turnout.classify.configured import configured_classifier
    from turnout.config import load_catalog, load_settings
    from turnout.deploy.preflight.ways_out import models_in_use
    from turnout.doors.gateway.access.gate import Gate
    from turnout.doors.gateway.access.keys import KeyRing, new_key
    from turnout.doors.gateway.access.limits import Limits
    from turnout.doors.gateway.access.listening import listening
    from turnout.doors.gateway.admission import Admission, steady_clock
    from turnout.doors.gateway.serving import gateway_of
    from turnout.trace.fanout import Fanout
    from turnout.trace.prometheus import MetricsRecorder
    from turnout.trace.store.ledger import Ledger
    from turnout.trace.store.recorder import Recorder

    made = new_key("bench", created=datetime.now(UTC))
    ring = KeyRing([made.stored])
    asks = listening("127.0.0.1", tls="none", issued=1, active=1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "turnout.toml")
        file.write_text(settings_text)
        settings, catalog = load_settings(file), load_catalog()
        with Ledger(Path(folder, "ledger.sqlite3")) as ledger, Recorder(ledger, interval_s=600) as recorder:
            clock = steady_clock()
            limits, metrics = Limits(now_ms=int(clock() * 1000)), MetricsRecorder(models_in_use(settings))
            gateway = gateway_of(
                settings,
                catalog,
                classifier=configured_classifier(settings, catalog),
                records=Fanout(recorder, metrics, limits),
                simulated=True,
                admission=Admission(Gate(lambda: ring, asks), limits, clock),
            )
            gateway._client = Client(answer)  # type: ignore[assignment]  # the network stands for itself elsewhere
            yield Inside(gateway, recorder, path, made.token)
