from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from turnout.testing.langfuse.store import PROJECT, StoredSpan
from turnout.testing.langfuse.views import GROUPS, v1_observation, v1_trace, v2_observation

START = datetime(2026, 11, 22, 10, tzinfo=UTC)
GENERATION = StoredSpan(
    id="g",
    trace_id="t",
    parent_id="r",
    name="call",
    type="GENERATION",
    started=START,
    ended=START + timedelta(milliseconds=1500),
    first_content=START + timedelta(milliseconds=250),
    trace_name="agent",
    session_id="s",
    tags=("run:a",),
    model="small",
    usage={"input": 10, "input_cached_tokens": 30, "output": 5, "total": 45},
    cost={"input": Decimal("0.1"), "output": Decimal("0.2"), "total": Decimal("0.3")},
    metadata={"long": "x" * 300, "n": 7},
)
ROOT = StoredSpan(
    id="r",
    trace_id="t",
    parent_id="",
    name="agent",
    type="SPAN",
    started=START - timedelta(seconds=1),
    ended=START + timedelta(seconds=2),
    trace_name="agent",
    tags=("live",),
    root=True,
)


def test_core_is_always_there_and_other_groups_only_when_asked_for() -> None:
    core = v2_observation(GENERATION, ["nonsense"], [])
    assert core == {
        "id": "g",
        "traceId": "t",
        "startTime": "2026-11-22T10:00:00.000Z",
        "endTime": "2026-11-22T10:00:01.500Z",
        "projectId": PROJECT,
        "parentObservationId": "r",
        "type": "GENERATION",
    }
    assert set(v2_observation(GENERATION, ["usage"], [])) - set(core) == {
        "usageDetails",
        "costDetails",
        "totalCost",
        "usagePricingTierName",
    }


def test_all_groups() -> None:
    found = v2_observation(GENERATION, GROUPS, [])
    assert (found["traceName"], found["tags"], found["model"]) == ("agent", ["run:a"], "small")
    assert (found["latency"], found["timeToFirstToken"], found["totalCost"]) == (1.5, 0.25, 0.3)


def test_long_metadata_is_cut_unless_it_is_expanded() -> None:
    assert v2_observation(GENERATION, ["metadata"], [])["metadata"] == {"long": "x" * 200, "n": 7}
    assert v2_observation(GENERATION, ["metadata"], ["long"])["metadata"] == GENERATION.metadata


def test_v1_has_the_old_names_beside_the_new_ones() -> None:
    found = v1_observation(GENERATION)
    assert found["usage"] == {"unit": "TOKENS", "input": 40, "output": 5, "total": 45}
    assert (found["promptTokens"], found["calculatedInputCost"], found["calculatedTotalCost"]) == (40, 0.1, 0.3)
    assert v1_observation(ROOT)["calculatedTotalCost"] is None


def test_a_v1_trace_gathers_what_its_observations_say() -> None:
    trace = v1_trace([GENERATION, ROOT])
    assert (trace["id"], trace["name"], trace["sessionId"], trace["tags"]) == ("t", "agent", "s", ["live", "run:a"])
    assert (trace["timestamp"], trace["latency"], trace["totalCost"]) == ("2026-11-22T09:59:59.000Z", 3.0, 0.3)
