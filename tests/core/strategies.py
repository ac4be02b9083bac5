"""Random catalogs, requests, cache states, verdicts and policies: small, but with every feature of a decision.

Values lean on edges (a floor, a full chance, an entry that expires now) more than evenly drawn ones would, and what
makes candidates ineligible is rare, so that most inputs reach the end of the order of a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from hypothesis import strategies as st

from turnout.core.cache import CacheEntry, CacheRules, CacheState, Ttl
from turnout.core.catalog import Capabilities, Catalog, Model
from turnout.core.decision import BREAKER_OPEN, FAILOVER_UNSAFE, DecisionInput, FailedAttempt, SessionView, Unavailable
from turnout.core.policy import Budget, Candidate, Policy
from turnout.core.price import Price, PriceTier
from turnout.core.request import HardStay, Needs, Request, Segment
from turnout.core.statistics import ModelStatistics, Statistics
from turnout.core.usage import Usage
from turnout.core.verdict import Failure, FailureKind, Verdict

NOW_MS = 1_760_000_000_000
MODEL_IDS = ("lab/able", "lab/basic", "lab/clever", "lab/deft")
PARAMETERS = ("temperature", "top_p")
HASHES = tuple(f"h{index}" for index in range(8))

TTLS: tuple[Ttl, ...] = ("5m", "1h")
FAILURES: tuple[FailureKind, ...] = ("timeout", "error", "unparsed")

# Whole numbers stand among the floats on purpose: a mean of 2 must be stored like a mean of 2.0.
probabilities: st.SearchStrategy[float] = st.one_of(st.sampled_from([0, 0.0, 0.5, 0.9, 1, 1.0]), st.floats(0, 1))
figures: st.SearchStrategy[Decimal] = st.integers(0, 20_000).map(lambda thousandths: Decimal(thousandths).scaleb(-3))


@st.composite
def price_tiers(draw: st.DrawFn, *, above: int = 0, sane: bool = False) -> PriceTier:
    """One tier. ``sane``: a token that is read costs no more than one that is fresh or written."""
    input_price, output_price, read, write_5m, write_1h = draw(st.tuples(*[figures] * 5))
    stated = draw(st.sampled_from(["all", "all", "no 1h write", "no write", "no read", "none"]))
    if sane:
        read = min(read, input_price, write_5m, write_1h)
    return PriceTier(
        input=input_price,
        output=output_price,
        cache_read=read if sane or stated not in {"no read", "none"} else None,
        cache_write_5m=write_5m if stated not in {"no write", "none"} else None,
        cache_write_1h=write_1h if stated not in {"no write", "no 1h write", "none"} else None,
        above_prompt_tokens=above,
    )


@st.composite
def prices(draw: st.DrawFn, *, sane: bool = False) -> Price:
    """A price of one tier or of two."""
    starts = draw(st.sampled_from([(0,), (0,), (0, 3_000)]))
    return Price(tuple(draw(price_tiers(above=start, sane=sane)) for start in starts))


cache_rules: st.SearchStrategy[CacheRules] = st.sampled_from(
    [
        CacheRules(ttls=("5m", "1h")),
        CacheRules(floor_tokens=512, ttls=("5m", "1h")),
        CacheRules(floor_tokens=1_024, ttls=("5m", "1h"), lookback_blocks=1),
        CacheRules(floor_tokens=2_048, ttls=("1h", "5m"), lookback_blocks=2, renewed_by_read=False),
        CacheRules(floor_tokens=1, max_markers=2),
        CacheRules(mode="implicit", floor_tokens=1_024, step_tokens=128),
        CacheRules(mode="implicit", floor_tokens=512, step_tokens=128, renewed_by_read=False),
        CacheRules(mode="implicit"),
        CacheRules(mode="none"),
    ]
)

capabilities: st.SearchStrategy[Capabilities] = st.sampled_from(
    [Capabilities(vision=True)] * 8 + [Capabilities(), Capabilities(tools=False, vision=True)]
)


def models(model_id: str, *, sane: bool = False) -> st.SearchStrategy[Model]:
    """A model of that id."""
    return st.builds(
        Model,
        id=st.just(model_id),
        provider=st.just("lab"),
        model_id=st.just(model_id.removeprefix("lab/")),
        name=st.just(model_id),
        price=prices(sane=sane),
        context_window=st.sampled_from([*[200_000] * 9, 6_000]),
        cache=cache_rules,
        tokenizer_ratio=st.sampled_from([1, 1.0, 1.3]),
        max_output_tokens=st.sampled_from([*[None, 64_000] * 4, 1_000]),
        capabilities=capabilities,
        rejected_parameters=st.sampled_from([*[()] * 7, ("temperature",)]),
    )


def catalogs(ids: Sequence[str] = MODEL_IDS, *, sane: bool = False) -> st.SearchStrategy[Catalog]:
    """A catalog of exactly these models."""
    return st.tuples(*(models(model_id, sane=sane) for model_id in ids)).map(Catalog.of)


@st.composite
def segments(draw: st.DrawFn) -> tuple[Segment, ...]:
    """A prompt of up to eight blocks: tools, system, then messages."""
    kinds: list[Literal["tools", "system", "message"]] = sorted(
        draw(st.lists(st.sampled_from(["tools", "system", "message"]), min_size=1, max_size=len(HASHES))),
        key=["tools", "system", "message"].index,
    )
    tokens = st.one_of(st.integers(0, 2_000), st.sampled_from([0, 128, 512, 1_024]))
    marker = st.sampled_from([None, None, *draw(st.sampled_from([(None,), ("5m",), ("5m",), TTLS]))])
    return tuple(
        Segment(kind=kind, tokens=draw(tokens), prefix_hash=prefix_hash, marker=draw(marker))
        for kind, prefix_hash in zip(kinds, HASHES, strict=False)
    )


model_ids: st.SearchStrategy[str] = st.sampled_from(MODEL_IDS)
some_models: st.SearchStrategy[tuple[str, ...]] = st.lists(model_ids, unique=True).map(tuple)


hard_stays: st.SearchStrategy[HardStay] = st.builds(
    HardStay, model_ids, st.sampled_from(["tool_loop", "tool_loop", "bound_state"])
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request; one in four has a pin, a hard stay or a list of allowed models."""
    special = draw(st.sampled_from([*[None] * 9, "pin", "stay", "allowed"]))
    return Request(
        session_id="session",
        segments=draw(segments()),
        max_output_tokens=draw(st.sampled_from([None, 100, 4_000])),
        parameters=draw(st.sampled_from([(), (), ("temperature",), PARAMETERS])),
        needs=draw(st.sampled_from([Needs(), Needs(tools=True), Needs(tools=True), Needs(vision=True)])),
        pin=draw(model_ids) if special == "pin" else None,
        allowed_models=draw(some_models) if special == "allowed" else None,
        hard_stay=draw(hard_stays) if special == "stay" else None,
    )


cache_entries: st.SearchStrategy[CacheEntry] = st.builds(
    CacheEntry,
    prefix_hash=st.sampled_from([*HASHES, "of-another-prompt"]),
    ttl=st.sampled_from(TTLS),
    expires_ms=st.sampled_from([NOW_MS - 1, NOW_MS, NOW_MS + 1, NOW_MS + 300_000, NOW_MS + 3_600_000]),
    chance=probabilities,
)

cache_states: st.SearchStrategy[CacheState] = st.lists(cache_entries, max_size=4).map(
    lambda entries: CacheState(tuple(entries))
)


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    """A verdict on labels, on outcomes (some candidates may be missing in it), or a failure."""
    kind = draw(st.sampled_from(["label", "label", "outcome", "failure"]))
    if kind == "failure":
        return Verdict(classifier="c", failure=Failure(draw(st.sampled_from(FAILURES))))
    p_simple = draw(probabilities)
    label: Literal["simple", "complex"] = "simple" if p_simple >= 0.5 else "complex"
    unlikeness = draw(st.sampled_from([None, None, None, 0.0, 1.0, 1.5]))
    if kind == "label":
        return Verdict(classifier="c", label=label, p_simple=p_simple, unlikeness=unlikeness)
    p_suffices = draw(st.dictionaries(model_ids, probabilities))
    return Verdict(classifier="c", label=label, basis="outcome", p_suffices=p_suffices, unlikeness=unlikeness)


@st.composite
def policies(draw: st.DrawFn, ids: Sequence[str] = MODEL_IDS) -> Policy:
    """Rules over these candidates, the least capable first."""
    simple_bar, quality_bar = draw(st.tuples(probabilities, probabilities))
    return Policy(
        candidates=tuple(Candidate(model_id, rank * rank) for rank, model_id in enumerate(ids)),
        simple_bar=simple_bar,
        quality_bar=quality_bar,
        markers=draw(st.sampled_from(["user", "fill"])),
        fill_ttl=draw(st.sampled_from(TTLS)),
        adapt=draw(st.booleans()),
        budget=draw(
            st.sampled_from(
                [*[None] * 5, Budget(limit_pico=1_000), Budget(limit_pico=1_000, when_spent="cheapest")],
            )
        ),
    )


statistics_of_a_model: st.SearchStrategy[ModelStatistics] = st.sampled_from(
    [
        ModelStatistics(output_tokens=0, calls_per_turn=1, growth_tokens=0),
        ModelStatistics(output_tokens=120, calls_per_turn=2, growth_tokens=400, tokenizer_ratio=1),
        ModelStatistics(output_tokens=333.3, calls_per_turn=2.5, growth_tokens=123.4, tokenizer_ratio=0.9),
        ModelStatistics(output_tokens=1_999.9, calls_per_turn=3.2, growth_tokens=2_000, tokenizer_ratio=1.35),
    ]
)


def _listed(model: Model) -> Decimal:
    return model.price.tiers[0].input + model.price.tiers[0].output


def unavailabilities(ids: list[str]) -> st.SearchStrategy[tuple[Unavailable, ...]]:
    """Mostly none; else candidates whose breaker is open, or that a conversation cannot move to."""
    one = st.builds(Unavailable, st.sampled_from(ids), st.sampled_from([BREAKER_OPEN, FAILOVER_UNSAFE, "no_prefill"]))
    return st.one_of(st.just(()), st.just(()), st.lists(one, max_size=3).map(tuple))


@st.composite
def decision_inputs(draw: st.DrawFn, *, sane: bool = False) -> DecisionInput:
    """Everything that a decision depends on. ``sane``: see `price_tiers`."""
    catalog = draw(catalogs(MODEL_IDS[: draw(st.sampled_from([2, 2, 3, 4, 1]))], sane=sane))
    ids = [model.id for model in catalog.models]
    if draw(st.sampled_from([True, True, True, False])):
        # As a rule the more capable model is the dearer one: else the verdict is seldom needed.
        ids.sort(key=lambda model_id: _listed(catalog[model_id]))
    failures: list[tuple[FailedAttempt, ...]] = [()] * 8
    failures += [(FailedAttempt(ids[0], "ServiceUnavailable"),), (FailedAttempt(ids[-1], "Throttled"),)]
    return DecisionInput(
        request=draw(requests()),
        policy=draw(policies(ids)),
        catalog=catalog,
        now_ms=NOW_MS,
        verdict=draw(st.one_of(st.none(), verdicts(), verdicts())),
        caches=draw(st.dictionaries(st.sampled_from(ids), cache_states, max_size=2)),
        session=SessionView(
            current_model=draw(st.one_of(st.none(), model_ids)), spent_pico=draw(st.sampled_from([0, 999, 1_000]))
        ),
        statistics=Statistics(draw(st.dictionaries(st.sampled_from(ids), statistics_of_a_model, max_size=2))),
        failed=draw(st.sampled_from(failures)),
        unavailable=draw(unavailabilities(ids)),
    )


@st.composite
def usages(draw: st.DrawFn, *, most: int = 300_000) -> Usage:
    """The tokens of one call."""
    count = st.integers(0, most)
    output = draw(count)
    return Usage(
        input_tokens=draw(count),
        cache_read_tokens=draw(count),
        cache_write_5m_tokens=draw(count),
        cache_write_1h_tokens=draw(count),
        output_tokens=output,
        reasoning_tokens=draw(st.integers(0, output)),
    )
