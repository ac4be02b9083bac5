"""How little a gateway in Python can cost: the bare relay, and a toy that does one thing more with each step.

Run it with ``python -m benchmarks.gateway.least``. The toy is written straight down, into one function, of parts that
Turnout is made of too: the same server and client, the same ledger, the same keyword policy. It has no sessions, no
caches of prompts, no limits, no rules, no metrics and no spans, and knows one protocol: it tells what there is to
spare, and is no gateway. All are measured in turns under the load of `run`, Turnout beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.gateway.bodies import ANSWER, VARIANTS, chat
from benchmarks.gateway.inside import OPENAI, inside
from benchmarks.gateway.load import load, requests_of
from benchmarks.gateway.peers import AbsentError
from benchmarks.gateway.processes import Bare, serve
from benchmarks.gateway.reading import cpu_s
from benchmarks.gateway.run import CONNECTIONS
from benchmarks.gateway.servers import PATH, end, kinds, module, nginx_provider, provider

STEPS = (
    "the bare relay",
    "two events of the usual size to the ledger",
    "the body read, a hash for each message's prefix",
    "the keyword policy",
    "a key's hash, two prices, the model's name, the cost in headers",
)
"""What each step adds to those before it."""

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MESSAGES = msgspec.json.Decoder(list[dict[str, Any]])
_ENCODER = msgspec.json.Encoder(order="deterministic")
_KEYED = hashlib.blake2b(key=b"k" * 32, digest_size=16)
_PICO_A_TOKEN = (("gpt-5", 1_250_000, 10_000_000), ("gpt-5-mini", 250_000, 2_000_000))


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Report(msgspec.Struct, gc=False):
    usage: _Usage


_REPORT = msgspec.json.Decoder(_Report)


class Least(Bare):
    """The toy.

    Args:
        url: The provider.
        step: How far of `STEPS` it goes.
        ledger: Where its ledger is made.

    Attributes:
        recorder: Writes it.
    """

    def __init__(self, url: str, step: int, ledger: Path) -> None:
        from turnout.classify.keyword import KeywordClassifier
        from turnout.trace.store.ledger import Ledger
        from turnout.trace.store.recorder import Recorder

        super().__init__(url)
        self._step = step
        with inside(OPENAI, PATH, ANSWER) as gateway:
            gateway.run([chat(number) for number in range(VARIANTS)], 2 * VARIANTS)
            self._decision, self._call = gateway.newest()
        self.recorder = Recorder(Ledger(ledger))
        self._policy = KeywordClassifier()
        self._keys: dict[bytes, bytes] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request for a plain answer, or the server's beginning and end."""
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        step, told = self._step, list[tuple[bytes, bytes]]()
        chunks, more = [], True
        while more:
            message = await receive()
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        body = b"".join(chunks)
        if step >= 2:
            messages = _MESSAGES.decode(_MEMBERS.decode(body)["messages"])
            digest, tokens, prefixes = _KEYED.copy(), 0, list[str]()
            for one in messages:
                digest.update(_ENCODER.encode(one))
                tokens += (len(one["content"]) + 3) // 4
                prefixes.append(digest.hexdigest())
        if step >= 3:
            self._policy.score(messages[-1]["content"])
        if step >= 4:
            token = next(value for name, value in scope["headers"] if name == b"authorization")
            hashed = hashlib.sha256(token).digest()
            if not hmac.compare_digest(hashed, self._keys.setdefault(hashed, hashed)):
                raise PermissionError
            _, model = min([(tokens * read + 300 * written, name) for name, read, written in _PICO_A_TOKEN])
            place = body.index(b'"turnout"')
            body = b"".join([body[:place], _ENCODER.encode(model), body[place + 9 :]])
        until = asyncio.get_running_loop().time() + 60
        fields = [field for field in scope["headers"] if field[0] not in (b"host", b"content-length")]
        answer = await self._client.send(self._origin, b"POST", scope["raw_path"], fields, body, until)
        kept = [field for field in answer.headers if field[0] not in (b"transfer-encoding", b"content-length")]
        data = await answer.read(until)
        if step >= 4:
            usage = _REPORT.decode(data).usage
            pico = usage.prompt_tokens * 250_000 + usage.completion_tokens * 2_000_000
            told = [(b"x-turnout-model", model.encode()), (b"x-turnout-cost-usd", b"%.9f" % (pico / 1e12))]
        if step >= 1:
            self._record()
        fields = [*kept, *told, (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        await send({"type": "http.response.body", "body": data, "more_body": False})

    def _record(self) -> None:
        from turnout.trace.events import new_id

        for event in (self._decision, self._call):
            self.recorder.record(
                msgspec.structs.replace(event, event_id=new_id(), started_ms=time.time_ns() // 1_000_000)
            )


def measured(*, rounds: int, seconds: float) -> dict[str, float]:
    """CPU of a request in microseconds, of each step and of Turnout: medians.

    Args:
        rounds: How often all are measured, after a round that warms up.
        seconds: How long each load is.
    """
    import uvloop

    with ExitStack() as open_, tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, str(number)) for number in range(len(STEPS) + 2)]
        for place in places:
            place.mkdir()
        try:
            process, port = nginx_provider(places[-1], ())
        except AbsentError:
            process, port = provider()
        open_.callback(end, process)
        time.sleep(0.3)
        url = f"http://127.0.0.1:{port}"
        servers = {
            name: module("benchmarks.gateway.least", "--serve", url, str(step), str(places[step] / "ledger.sqlite3"))
            for step, name in enumerate(STEPS)
        }
        turnout = next(kind for kind in kinds(peers_too=False)[0] if kind.name == "turnout")
        servers["turnout"] = turnout.start(url, places[-2], ())
        for server in servers.values():
            open_.callback(server.stop)
        found: dict[str, list[float]] = {name: [] for name in servers}
        for number in range(rounds + 1):
            for name, server in servers.items():
                asked = requests_of(PATH, server.headers, [chat(one, model=server.model) for one in range(VARIANTS)])
                before = cpu_s(server.process.pid)
                done = uvloop.run(load(server.port, asked, connections=CONNECTIONS, seconds=seconds))
                if number:  # the first round warms up
                    found[name].append((cpu_s(server.process.pid) - before) / done.answers * 1e6)
        return {name: statistics.median(many) for name, many in found.items()}


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=6, help="Rounds in turns; medians are taken. Default: 6.")
    parser.add_argument("--seconds", type=float, default=1.5, help="Seconds of each load. Default: 1.5.")
    parser.add_argument("--serve", nargs=3, metavar=("URL", "STEP", "LEDGER"), help="Be the toy before that provider.")
    arguments = parser.parse_args()
    if arguments.serve is not None:
        url, step, ledger = arguments.serve
        serve(Least(url, int(step), Path(ledger)))
        return
    found = measured(rounds=arguments.rounds, seconds=arguments.seconds)
    bare = found[STEPS[0]]
    table = Table("each step does this more", "CPU µs of a request", "times the bare relay")
    for name, us in found.items():
        table.add_row(name, f"{us:.0f}", f"{us / bare:.2f}" if bare else "-")
    Console(width=120).print(table)
    print(f"medians of {arguments.rounds} rounds in turns, {arguments.seconds:g} s each, {CONNECTIONS} connections")


if __name__ == "__main__":
    main()
