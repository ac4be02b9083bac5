"""Random events, and places that cannot be written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from turnout.core.cache import CacheEntry, CacheRules, CacheState, Ttl
from turnout.core.catalog import Capabilities, Catalog, Model
from turnout.core.cost import Cost
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput, FailedAttempt, SessionView
from turnout.core.policy import Budget, Candidate, Policy
from turnout.core.price import Price, PriceTier
from turnout.core.request import HardStay, Needs, Request, Segment
from turnout.core.statistics import ModelStatistics, Statistics
from turnout.core.usage import Usage
from turnout.core.verdict import ClassifierCall, Failure, FailureKind, Verdict
from turnout.trace.events import CallEvent, DecisionEvent

_MODELS = ("bedrock/small", "bedrock/middle", "anthropic/large")
_HASHES = ("aa", "bb", "cc", "dd", "ee")
_counts = st.integers(0, 10**7)
_texts = st.text(max_size=12)
_chances = st.floats(0, 1)
_milliseconds = st.floats(0, 1e6)
_prices = st.decimals(0, 100, places=6)
_ttls: SearchStrategy[Ttl] = st.sampled_from(("5m", "1h"))
_failures: SearchStrategy[FailureKind] = st.sampled_from(("timeout", "error", "unparsed"))
_KINDS: tuple[Literal["tools", "system", "message"], ...] = ("tools", "system", "message", "message")
_usages = st.builds(
    lambda reasoning, more, **counts: Usage(output_tokens=reasoning + more, reasoning_tokens=reasoning, **counts),
    _counts,
    _counts,
    input_tokens=_counts,
    cache_read_tokens=_counts,
    cache_write_5m_tokens=_counts,
    cache_write_1h_tokens=_counts,
)
_picos = st.integers(0, 10**15)


@pytest.fixture(scope="session")
def call_events() -> SearchStrategy[CallEvent]:
    """Calls of every kind."""
    return st.builds(
        CallEvent,
        event_id=_texts,
        run=_texts,
        session_id=_texts,
        turn_id=_texts,
        query_id=_texts,
        trace_id=_texts,
        span_id=_texts,
        parent_span_id=_texts,
        key_id=_texts,
        role=st.sampled_from(["answer", "classifier"]),
        model=_texts,
        classifier=_texts,
        attempt=st.integers(1, 9),
        started_ms=st.integers(0, 2**45),
        latency_ms=_milliseconds,
        first_content_ms=st.none() | _milliseconds,
        usage=_usages,
        usage_source=st.sampled_from(["reported", "partial", "estimated", "none"]),
        cost=st.builds(
            Cost,
            input_pico=_picos,
            cache_read_pico=_picos,
            cache_write_5m_pico=_picos,
            cache_write_1h_pico=_picos,
            output_pico=_picos,
        ),
        cost_high_pico=_picos,
        status=st.sampled_from(["ok", "error", "cancelled"]),
        error=_texts,
        finish_reason=_texts,
        streamed=st.booleans(),
        simulated=st.booleans(),
    )


@st.composite
def _a_price(draw: st.DrawFn) -> Price:
    def tier(above: int) -> PriceTier:
        stated = st.none() | _prices
        return PriceTier(
            input=draw(_prices),
            output=draw(_prices),
            cache_read=draw(stated),
            cache_write_5m=draw(stated),
            cache_write_1h=draw(stated),
            above_prompt_tokens=above,
        )

    return Price((tier(0), tier(1000))) if draw(st.booleans()) else Price((tier(0),))


@st.composite
def _a_model(draw: st.DrawFn, model_id: str) -> Model:
    return Model(
        id=model_id,
        provider=model_id.partition("/")[0],
        model_id=model_id.partition("/")[2],
        name=draw(_texts),
        price=draw(_a_price()),
        context_window=draw(st.sampled_from([500, 200_000])),
        cache=CacheRules(
            mode=draw(st.sampled_from(["explicit", "implicit", "none"])),
            floor_tokens=draw(st.sampled_from([0, 100, 1024])),
            step_tokens=draw(st.sampled_from([1, 128])),
        ),
        tokenizer_ratio=draw(st.floats(0.5, 2)),
        max_output_tokens=draw(st.none() | st.just(4096)),
        capabilities=Capabilities(tools=draw(st.booleans())),
        rejected_parameters=draw(st.sampled_from([(), ("temperature",)])),
    )


@st.composite
def _a_request(draw: st.DrawFn, models: tuple[str, ...]) -> Request:
    segments = [
        Segment(
            kind=kind,
            tokens=draw(st.integers(0, 3000)),
            prefix_hash=prefix_hash,
            marker=draw(st.one_of(st.none(), _ttls)),
        )
        for kind, prefix_hash in zip(_KINDS, _HASHES, strict=False)
    ]
    stays = st.builds(HardStay, st.sampled_from(models), st.sampled_from(["tool_loop", "bound_state"]))
    return Request(
        session_id=draw(_texts),
        segments=tuple(segments[draw(st.integers(0, 3)) :]),
        max_output_tokens=draw(st.none() | st.integers(1, 9000)),
        parameters=draw(st.sampled_from([(), ("temperature",)])),
        needs=Needs(tools=draw(st.booleans())),
        pin=draw(st.none() | st.sampled_from(models)),
        allowed_models=draw(st.none() | st.just(models[:1])),
        hard_stay=draw(st.none() | stays),
    )


@st.composite
def _a_verdict(draw: st.DrawFn, models: tuple[str, ...]) -> Verdict:
    calls = draw(st.lists(st.builds(ClassifierCall, model=_texts, usage=_usages, latency_ms=_milliseconds), max_size=2))
    basis = draw(st.sampled_from(["label", "outcome", "failure"]))
    if basis == "failure":
        failure = Failure(draw(_failures), draw(_texts))
        return Verdict(classifier=draw(_texts), failure=failure, calls=tuple(calls))
    return Verdict(
        classifier=draw(_texts),
        label=draw(st.sampled_from(["simple", "complex"])),
        basis="label" if basis == "label" else "outcome",
        p_simple=draw(_chances),
        p_suffices={model: draw(_chances) for model in models} if basis == "outcome" else {},
        calls=tuple(calls),
        latency_ms=draw(_milliseconds),
    )


@st.composite
def _a_decision(draw: st.DrawFn) -> DecisionEvent:
    models = _MODELS[: draw(st.integers(1, 3))]
    request = draw(_a_request(models))
    entries = st.builds(
        CacheEntry,
        prefix_hash=st.sampled_from(_HASHES),
        ttl=_ttls,
        expires_ms=st.integers(0, 2000),
        chance=_chances,
    )
    statistics = st.builds(
        ModelStatistics,
        output_tokens=st.floats(0, 5000),
        calls_per_turn=st.floats(1, 5),
        growth_tokens=st.floats(0, 5000),
        tokenizer_ratio=st.none() | st.floats(0.5, 2),
        calls=st.integers(0, 100),
    )
    given = DecisionInput(
        request=request,
        policy=Policy(
            candidates=tuple(Candidate(model, rank) for rank, model in enumerate(models)),
            simple_bar=draw(_chances),
            quality_bar=draw(_chances),
            markers=draw(st.sampled_from(["user", "fill"])),
            fill_ttl=draw(_ttls),
            adapt=draw(st.booleans()),
            budget=draw(
                st.none() | st.builds(Budget, limit_pico=_picos, when_spent=st.sampled_from(["refuse", "cheapest"]))
            ),
        ),
        catalog=Catalog.of(draw(_a_model(model)) for model in models),
        now_ms=draw(st.integers(0, 2000)),
        verdict=draw(st.none() | _a_verdict(models)),
        caches=draw(
            st.dictionaries(st.sampled_from(models), st.builds(CacheState, st.lists(entries, max_size=3).map(tuple)))
        ),
        session=draw(st.builds(SessionView, current_model=st.none() | st.sampled_from(models), spent_pico=_picos)),
        statistics=Statistics(draw(st.dictionaries(st.sampled_from(models), statistics))),
        failed=draw(st.just(()) | st.tuples(st.builds(FailedAttempt, st.sampled_from(models), _texts))),
    )
    return DecisionEvent(
        event_id=draw(_texts),
        run=draw(_texts),
        session_id=request.session_id,
        turn_id=draw(_texts),
        query_id=draw(_texts),
        trace_id=draw(_texts),
        span_id=draw(_texts),
        parent_span_id=draw(_texts),
        started_ms=given.now_ms,
        latency_ms=draw(_milliseconds),
        classifier_ms=draw(_milliseconds),
        given=given,
        decision=decide(given),
        simulated=draw(st.booleans()),
    )


@pytest.fixture(scope="session")
def decision_events() -> SearchStrategy[DecisionEvent]:
    """Decisions over random inputs, as `decide` makes them."""
    return _a_decision()


@pytest.fixture
def common_directory() -> Iterator[Path]:
    """A directory that every user of the machine can reach."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    yield directory
    directory.chmod(0o755)
    shutil.rmtree(directory)


@contextmanager
def _without_root() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def without_root() -> Callable[[], AbstractContextManager[None]]:
    """A block in which permissions count for the administrator too."""
    return _without_root
