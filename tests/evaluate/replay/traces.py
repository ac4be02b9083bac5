"""Traces for tests: samples of public ones, and small ones made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec

from turnout.config import load_catalog
from turnout.config.pairs import PAIR_4, Pair
from turnout.core.cache import CacheRules
from turnout.core.catalog import Catalog, Model
from turnout.core.price import flat_price
from turnout.core.request import Segment
from turnout.evaluate.replay.arrivals import Arrival, arrivals_of
from turnout.evaluate.replay.conditions import Conditions, conditions
from turnout.evaluate.replay.mooncake import load_mooncake
from turnout.evaluate.replay.provider import Convention
from turnout.evaluate.replay.requests import ReplayRequest, Trace
from turnout.evaluate.replay.tau_bench import load_tau_bench

DATA = Path(__file__).with_name("data")
MOONCAKE = DATA / "mooncake_sample.jsonl.xz"
TAU_BENCH = DATA / "tau_bench_sample.json.xz"

CHEAP, CAPABLE = "test/cheap", "test/capable"
PAIR = Pair(CHEAP, CAPABLE)


def model(name: str, price: int, *, floor: int = 0) -> Model:
    """A model at that price a million input tokens: output 5 times, reads a tenth, writes 1.25 and 2 times."""
    return Model(
        id=name,
        provider="test",
        model_id=name,
        name=name.removeprefix("test/"),
        price=flat_price(
            str(price),
            str(5 * price),
            cache_read=str(Decimal(price) / 10),
            cache_write_5m=str(Decimal(price) * 5 / 4),
            cache_write_1h=str(2 * price),
        ),
        context_window=1_000_000,
        cache=CacheRules(floor_tokens=floor, ttls=("5m", "1h")),
    )


CATALOG = Catalog.of([model(CHEAP, 1), model(CAPABLE, 3)])


def call(
    blocks: str, at_s: float, *, session: str = "s", output: int = 100, tokens: int = 1000, turn: str | None = None
) -> ReplayRequest:
    """A call whose blocks have that many tokens each; equal beginnings are equal prefixes. The first is its head."""
    return ReplayRequest(
        session=session,
        turn=turn or f"{at_s}",
        at_ms=round(at_s * 1000),
        segments=tuple(
            Segment(kind="message" if index else "system", tokens=tokens, prefix_hash=blocks[: index + 1])
            for index in range(len(blocks))
        ),
        whole=len(blocks) - 1,
        output_tokens=output,
    )


def arrivals(*requests: ReplayRequest) -> tuple[Arrival, ...]:
    """Those calls as policies are shown them."""
    return arrivals_of(requests)


def trace(requests: Sequence[ReplayRequest]) -> Trace:
    """A trace of blocks of those calls."""
    return Trace(name="made", grain="blocks", requests=tuple(requests), content="made")


def small(convention: Convention = "strict", *, floor: int = 0, lost: float = 0.0) -> Conditions:
    """Conditions for a trace of blocks, with the two models of this file."""
    catalog = Catalog.of([model(CHEAP, 1, floor=floor), model(CAPABLE, 3, floor=floor)])
    return conditions(catalog, PAIR, "blocks", convention=convention, lost=lost)


@cache
def mooncake() -> tuple[Trace, tuple[Arrival, ...]]:
    """The sample of the Mooncake trace."""
    loaded = load_mooncake(MOONCAKE)
    return loaded, arrivals_of(loaded.requests)


@cache
def tau_bench() -> tuple[Trace, tuple[Arrival, ...]]:
    """The sample of tau-bench."""
    loaded = load_tau_bench(TAU_BENCH)
    return loaded, arrivals_of(loaded.requests)


@cache
def real(convention: Convention = "strict", pair: Pair = PAIR_4) -> Conditions:
    """Conditions for a trace of blocks, with models of the catalog."""
    return conditions(load_catalog(), pair, "blocks", convention=convention)


def without_floors(given: Conditions) -> Conditions:
    """The same conditions with models that cache prefixes of any length."""
    models = [
        msgspec.structs.replace(one, cache=msgspec.structs.replace(one.cache, floor_tokens=0))
        for one in given.catalog.models
    ]
    return msgspec.structs.replace(given, catalog=Catalog.of(models))
