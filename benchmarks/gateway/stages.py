"""Where a request's time goes inside Turnout, stage by stage, in microseconds.

Run it with ``python -m benchmarks.gateway.stages``. One process, no sockets: the real application with keyword policy,
cache state, cost, ledger, metrics and a key is given requests by an ASGI scope, and its client's answers are there at
once. Each stage is timed by a wrapper around the functions that do it; what it calls of other stages is theirs. The
wrappers cost about half a microsecond for each call, so that the sum is a little above the time without them, which is
printed too. The ledger is written between the rounds, in batches of 1,000, so that its thread is in nobody's way; its
time stands apart.
"""

from __future__ import annotations

import functools
import inspect
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.gateway.bodies import ANSWER, chat
from benchmarks.gateway.inside import OPENAI, inside

REQUESTS = 1500
ROUNDS = 5


class Stage(NamedTuple):
    """A stage, and where the functions stand that do it: module, and name within it."""

    name: str
    functions: tuple[tuple[str, str], ...]


STAGES = (
    Stage(
        "key: gate and limits",
        (
            ("turnout.doors.gateway.app", "Admission.enter"),
            ("turnout.doors.gateway.app", "Admission.visit"),
            ("turnout.doors.gateway.admission", "Visit.count"),
            ("turnout.doors.gateway.admission", "Visit.reserve"),
            ("turnout.doors.gateway.admission", "Visit.close"),
            ("turnout.doors.gateway.access.limits", "Limits.record"),
        ),
    ),
    Stage("metrics", (("turnout.trace.prometheus", "MetricsRecorder.record"),)),
    Stage(
        "trace of the client",
        (("turnout.doors.gateway.app", "joined_by"), ("turnout.doors.gateway.relaying.relay", "traced")),
    ),
    Stage("read the body", (("turnout.doors.gateway.app", "Gateway._body"),)),
    Stage("decode it", (("turnout.doors.gateway.app", "Gateway._read"),)),
    Stage(
        "headers in and out",
        (
            ("turnout.doors.gateway.app", "wishes_of"),
            ("turnout.doors.gateway.app", "sent_on"),
            ("turnout.doors.gateway.relaying.relay", "returned"),
            ("turnout.doors.gateway.relaying.relay", "about"),
        ),
    ),
    Stage("model name and pins", (("turnout.doors.gateway.routing", "GatewayRouting.choice"),)),
    Stage("conversation", (("turnout.messages.wire.asked", "Asked.conversation"),)),
    Stage("segments and hashes", (("turnout.doors.gateway.routing", "request_of"),)),
    Stage("turn and session", (("turnout.doors.gateway.routing", "GatewayRouting.read"),)),
    Stage("cache state, statistics, horizon", (("turnout.router.routing", "Router._input"),)),
    Stage("price the candidates", (("turnout.router.routing", "estimates_of"),)),
    Stage("keyword policy", (("turnout.router.routing", "ask"),)),
    Stage(
        "decide",
        (
            ("turnout.router.routing", "decide"),
            ("turnout.router.routing", "needs_verdict"),
        ),
    ),
    Stage("route: all else", (("turnout.router.routing", "Router.route"),)),
    Stage("edit the body", (("turnout.doors.gateway.relaying.relay", "edited"),)),
    Stage("call: head and auth", (("turnout.upstream.http.endpoint", "Endpoint.call"),)),
    Stage(
        "read the report",
        (
            ("turnout.messages.wire.usage", "OpenAIReader.body"),
            ("turnout.doors.gateway.relaying.relay", "Relay._note"),
        ),
    ),
    Stage("learn from the call", (("turnout.sessions.memory", "SessionMemory.called"),)),
    Stage("cost and the call's event", (("turnout.router.calls", "OpenCall.end"),)),
    Stage("queue events", (("turnout.trace.store.recorder", "Recorder.record"),)),
    Stage("relay: all else", (("turnout.doors.gateway.relaying.relay", "Relay.run"),)),
    Stage("answer: all else", (("turnout.doors.gateway.app", "Gateway._answer"),)),
)


class Clock:
    """Adds up for each stage the time that was spent in it and in no other."""

    def __init__(self) -> None:
        self.ns: dict[str, int] = {}
        self._inner: list[int] = [0]

    def begin(self) -> int:
        """A stage begins; give the time to `end`."""
        self._inner.append(0)
        return time.perf_counter_ns()

    def end(self, stage: str, began: int) -> None:
        """It ends."""
        took = time.perf_counter_ns() - began
        own = took - self._inner.pop()
        self._inner[-1] += took
        self.ns[stage] = self.ns.get(stage, 0) + own

    def timed(self, stage: str, function: Any) -> Any:
        """The function, timed as a part of a stage."""
        if isinstance(function, property):
            assert function.fget is not None, "a property that is read"
            return property(self.timed(stage, function.fget))
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def waited(*arguments: Any, **named: Any) -> Any:
                began = self.begin()
                try:
                    return await function(*arguments, **named)
                finally:
                    self.end(stage, began)

            return waited

        @functools.wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            began = self.begin()
            try:
                return function(*arguments, **named)
            finally:
                self.end(stage, began)

        return called


@contextmanager
def clocked(clock: Clock) -> Iterator[None]:
    """A block in which the stages' functions are timed."""
    import importlib

    undo: list[Callable[[], None]] = []
    for stage in STAGES:
        for module, path in stage.functions:
            owner: Any = importlib.import_module(module)
            *outer, name = path.split(".")
            for part in outer:
                owner = getattr(owner, part)
            # A name that is gone is an error: the table would be wrong in silence.
            before = inspect.getattr_static(owner, name)
            undo.append(functools.partial(setattr, owner, name, before))
            setattr(owner, name, clock.timed(stage.name, before))
    try:
        yield
    finally:
        for one in undo:
            one()


class Profile(NamedTuple):
    """Microseconds of a request: by stage, of the serving thread without wrappers, and of the ledger's thread."""

    stages: dict[str, float]
    serving: float
    ledger: float


def profile(bodies: list[bytes], *, requests: int = REQUESTS, rounds: int = ROUNDS) -> Profile:
    """The medians over rounds of means over requests."""
    stages: dict[str, list[float]] = {}
    serving: list[float] = []
    ledger_us: list[float] = []
    with inside(OPENAI, "/v1/chat/completions", ANSWER) as gateway:
        gateway.run(bodies, max(50, requests // 5))
        gateway.settle()
        for _ in range(rounds):
            cost = gateway.run(bodies, requests)
            serving.append(cost.serving)
            ledger_us.append(cost.ledger)
            stopwatch = Clock()
            with clocked(stopwatch):
                gateway.run(bodies, requests)
            for stage in STAGES:
                stages.setdefault(stage.name, []).append(stopwatch.ns.get(stage.name, 0) / requests / 1000)
    return Profile(
        {name: statistics.median(values) for name, values in stages.items()},
        statistics.median(serving),
        statistics.median(ledger_us),
    )


def main(requests: int = REQUESTS, rounds: int = ROUNDS) -> None:
    """Print the table."""
    from benchmarks.gateway.bodies import VARIANTS

    kinds = {
        "0.5 KB": [chat(number) for number in range(VARIANTS)],
        "3.5 KB with tools": [chat(number, tools=8, words=80) for number in range(VARIANTS)],
    }
    found = {name: profile(bodies, requests=requests, rounds=rounds) for name, bodies in kinds.items()}
    table = Table("stage", *(f"{name}, µs" for name in found))
    for stage in STAGES:
        table.add_row(stage.name, *(f"{one.stages[stage.name]:.1f}" for one in found.values()))
    table.add_section()
    table.add_row("sum of the stages", *(f"{sum(one.stages.values()):.0f}" for one in found.values()))
    table.add_row("serving thread, untimed", *(f"{one.serving:.0f}" for one in found.values()))
    table.add_row("ledger's thread", *(f"{one.ledger:.0f}" for one in found.values()))
    Console(width=120).print(table)
    print(f"CPU a request, medians of {rounds} rounds of {requests}; no sockets")


if __name__ == "__main__":
    main()
