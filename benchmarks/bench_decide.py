"""How long a decision takes, and how long the value it is made from takes to store and to read again.

Run it with ``python -m benchmarks.bench_decide``. Each figure is the median of single calls in microseconds, after a
warm-up. Times of a machine that does other work at the same time are too high, seldom too low.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from decimal import Decimal

import msgspec
from rich.console import Console
from rich.table import Table

from turnout.core.cache import TTL_MS, CacheEntry, CacheRules, CacheState, Ttl
from turnout.core.catalog import Catalog, Model
from turnout.core.decide import decide, needs_verdict
from turnout.core.decision import DecisionInput
from turnout.core.policy import Candidate, Policy
from turnout.core.price import flat_price
from turnout.core.request import Needs, Request, Segment
from turnout.core.verdict import Verdict

CANDIDATES = (2, 8)
SEGMENTS = (1, 30, 300)
NOW_MS = 1_760_000_000_000


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Medians in microseconds for one size of input; ``bytes`` is the input's JSON."""

    candidates: int
    segments: int
    decide_us: float
    needs_verdict_us: float
    encode_us: float
    decode_us: float
    bytes: int


def example(candidates: int, segments: int) -> DecisionInput:
    """A decision on which the verdict counts: cheap models first, a head that is warm on every other model.

    The prompt has tools, a system and messages of 120 tokens a block, and cache points after tools, system and the
    newest block, as Strands places them.
    """
    names = [f"bedrock/global.example.model-{index}" for index in range(candidates)]
    catalog = Catalog.of(
        Model(
            id=name,
            provider="bedrock",
            model_id=name.removeprefix("bedrock/"),
            name=f"model {index}",
            price=flat_price(
                str(index + 1),
                str(5 * (index + 1)),
                cache_read=str(Decimal(index + 1) / 10),
                cache_write_5m=str(Decimal(index + 1) * 5 / 4),
                cache_write_1h=str((index + 1) * 2),
            ),
            context_window=200_000,
            cache=CacheRules(floor_tokens=512, ttls=("5m", "1h")),
        )
        for index, name in enumerate(names)
    )
    marked: dict[int, Ttl] = {segments // 10: "1h", segments // 5: "5m", segments - 1: "5m"}
    prompt = tuple(
        Segment(
            kind="tools" if index <= segments // 10 else "system" if index <= segments // 5 else "message",
            tokens=120,
            prefix_hash=f"{index:032x}",
            marker=marked.get(index),
        )
        for index in range(segments)
    )
    warm = CacheState(
        tuple(
            CacheEntry(prefix_hash=segment.prefix_hash, ttl="5m", expires_ms=NOW_MS + TTL_MS["5m"], chance=0.9)
            for segment in prompt
            if segment.marker is not None
        )
    )
    return DecisionInput(
        request=Request(session_id="s", segments=prompt, max_output_tokens=1024, needs=Needs(tools=True)),
        policy=Policy(candidates=tuple(Candidate(name, rank) for rank, name in enumerate(names))),
        catalog=catalog,
        now_ms=NOW_MS,
        verdict=Verdict(classifier="embedding", label="simple", p_simple=0.8),
        caches=dict.fromkeys(names[::2], warm),
    )


def median_us(call: Callable[[], object], *, seconds: float) -> float:
    """The median time of one call in microseconds, from as many calls as fit in that time (at least 20)."""
    for _ in range(5):
        call()
    times: list[int] = []
    end = time.perf_counter() + seconds
    while len(times) < 20 or time.perf_counter() < end:
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1000


def measure(candidates: int, segments: int, *, seconds: float = 0.3) -> Timing:
    """Time one size of input, spending about that many seconds on each figure."""
    given = example(candidates, segments)
    encoded = msgspec.json.encode(given, order="deterministic")
    decoder = msgspec.json.Decoder(DecisionInput)
    return Timing(
        candidates=candidates,
        segments=segments,
        decide_us=median_us(lambda: decide(given), seconds=seconds),
        needs_verdict_us=median_us(lambda: needs_verdict(given), seconds=seconds),
        encode_us=median_us(lambda: msgspec.json.encode(given, order="deterministic"), seconds=seconds),
        decode_us=median_us(lambda: decoder.decode(encoded), seconds=seconds),
        bytes=len(encoded),
    )


def main() -> None:
    """Measure every size and print a table."""
    table = Table(title="one decision: medians in µs, in memory, no classifier", title_justify="left")
    for heading in ("candidates", "segments", "decide", "needs_verdict", "encode", "decode", "bytes"):
        table.add_column(heading, justify="right", no_wrap=True)
    for candidates in CANDIDATES:
        for segments in SEGMENTS:
            timing = measure(candidates, segments)
            table.add_row(
                str(timing.candidates),
                str(timing.segments),
                f"{timing.decide_us:.0f}",
                f"{timing.needs_verdict_us:.0f}",
                f"{timing.encode_us:.0f}",
                f"{timing.decode_us:.0f}",
                f"{timing.bytes:,}",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
