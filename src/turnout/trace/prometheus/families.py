"""From sums to the metric families that Prometheus reads, by the types of its own Python client.

The client's types and its writer of the text formats are used; its counters are not: they add floats, so that money
would drift, and take a lock for each of the dozen sums that a call changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar

from turnout.core.price import PICO_USD_PER_USD
from turnout.trace.prometheus.histogram import Histogram
from turnout.trace.prometheus.totals import TOKEN_KINDS, CallKey, CallSums, Totals

BREAKER_STATES = ("closed", "half_open", "open")
"""What a breaker can be in, the least serious first."""


def families(core: ModuleType, totals: Totals) -> Iterator[Any]:
    """The families of what was counted.

    Args:
        core: ``prometheus_client.core``.
        totals: The sums.
    """
    calls = totals.calls

    def summed(
        name: str,
        help_text: str,
        labels: Sequence[str],
        value: Callable[[CallSums], int],
        *,
        per: int = 1,
        roles: Collection[str] = ("answer", "classifier"),
    ) -> Any:
        """A counter: the sums over the labels that it does not have."""
        found: dict[tuple[str, ...], int] = defaultdict(int)
        for key, sums in calls.items():
            if key.role in roles:
                found[tuple(getattr(key, label) for label in labels)] += value(sums)
        # Integers are divided exactly, so that the only rounding is that to a float.
        return _counter(core, name, help_text, labels, {key: total / per for key, total in found.items()})

    by_end, by_certainty = ("model", "role", "status"), ("model", "role", "certainty")
    yield summed("turnout_calls", "Calls to models.", by_end, lambda sums: sums.calls)
    yield summed(
        "turnout_repeated_calls",
        "Calls for the answer after a request's first one: retries, and calls after a failover.",
        ["model"],
        lambda sums: sums.again,
        roles=["answer"],
    )
    tokens = {(*key, kind): count for key, kinds in _tokens(calls).items() for kind, count in kinds.items()}
    yield _counter(
        core, "turnout_tokens", "Tokens of calls, the fewest that they can be.", ("model", "role", "kind"), tokens
    )
    yield summed(
        "turnout_reasoning_tokens",
        "The part of the output that was thinking.",
        ("model", "role"),
        lambda sums: sums.reasoning_tokens,
    )
    yield summed(
        "turnout_cost_usd",
        "What calls cost at the least, by how well that is known.",
        by_certainty,
        lambda sums: sums.low_pico,
        per=PICO_USD_PER_USD,
    )
    yield summed(
        "turnout_cost_high_usd",
        "What calls can have cost at the most, as far as that is known.",
        by_certainty,
        lambda sums: sums.high_pico,
        per=PICO_USD_PER_USD,
    )
    yield _histogram(core, "turnout_call_duration_seconds", "How long calls took.", by_end, _latency(calls))
    yield _histogram(
        core,
        "turnout_time_to_first_content_seconds",
        "From a call to the first content of its answer, where that was streamed.",
        ["model"],
        {(model,): histogram for model, histogram in totals.first_content.items()},
    )
    yield _counter(
        core,
        "turnout_decisions",
        "Decisions, by what was chosen and why.",
        ("model", "reason"),
        {(model, reason.value): count for (model, reason), count in totals.decisions.items()},
    )
    yield _counter(
        core,
        "turnout_failovers",
        "Decisions for another model after this one failed.",
        ["model"],
        {(model,): count for model, count in totals.failovers.items()},
    )
    yield _counter(
        core,
        "turnout_classifier_failures",
        "Verdicts that failed.",
        ["kind"],
        {(kind,): count for kind, count in totals.classifier_failures.items()},
    )
    yield _histogram(
        core,
        "turnout_classifier_duration_seconds",
        "How long requests waited for a verdict.",
        [],
        {(): totals.classifying},
    )
    yield _histogram(core, "turnout_decision_duration_seconds", "How long deciding took.", [], {(): totals.deciding})


def breaker_family(core: ModuleType, totals: Totals, states: Iterable[tuple[str, str, str]]) -> Any:
    """The states of breakers, 1 for the one that holds; of several under one label the most serious.

    Args:
        core: ``prometheus_client.core``.
        totals: Knows the models' labels.
        states: For each breaker its model, region and state.
    """
    worst: dict[tuple[str, str], int] = {}
    for model, region, state in states:
        key = totals.label(model), region
        worst[key] = max(worst.get(key, 0), BREAKER_STATES.index(state))
    help_text = "The state of a model's circuit breaker in a region."
    family = core.GaugeMetricFamily("turnout_breaker_state", help_text, labels=("model", "region", "state"))
    for (model, region), found in sorted(worst.items()):
        for index, state in enumerate(BREAKER_STATES):
            family.add_metric([model, region, state], float(index == found))
    return family


def dropped_family(core: ModuleType, dropped: Mapping[str, int]) -> Any:
    """How many events were lost, by what should have kept them."""
    values = {(place,): count for place, count in dropped.items()}
    return _counter(core, "turnout_events_dropped", "Events that were not kept.", ["place"], values)


def build_family(core: ModuleType, version: str) -> Any:
    """Which version runs."""
    family = core.GaugeMetricFamily("turnout_build_info", "The version that runs; always 1.", labels=["version"])
    family.add_metric([version], 1.0)
    return family


_Labels = TypeVar("_Labels", bound=tuple[str, ...])


def _counter(
    core: ModuleType, name: str, help_text: str, labels: Sequence[str], values: Mapping[_Labels, float]
) -> Any:
    family = core.CounterMetricFamily(name, help_text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, float(value))
    return family


def _histogram(
    core: ModuleType, name: str, help_text: str, labels: Sequence[str], values: Mapping[_Labels, Histogram]
) -> Any:
    family = core.HistogramMetricFamily(name, help_text, labels=labels)
    for key, histogram in sorted(values.items(), key=lambda item: item[0]):
        family.add_metric(key, histogram.buckets(), histogram.sum_s)
    return family


def _tokens(calls: Mapping[CallKey, CallSums]) -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    for key, sums in calls.items():
        so_far = found.setdefault((key.model, key.role), dict.fromkeys(TOKEN_KINDS, 0))
        for kind, count in zip(TOKEN_KINDS, sums.tokens, strict=True):
            so_far[kind] += count
    return found


def _latency(calls: Mapping[CallKey, CallSums]) -> dict[tuple[str, ...], Histogram]:
    found: dict[tuple[str, ...], Histogram] = {}
    for key, sums in calls.items():
        so_far = found.setdefault((key.model, key.role, key.status), Histogram(sums.latency.bounds))
        so_far.counts = [one + other for one, other in zip(so_far.counts, sums.latency.counts, strict=True)]
        so_far.sum_s += sums.latency.sum_s
    return found
