from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.trace import samples
from turnout.testing.langfuse import LangfuseDouble, server_error, unauthorized
from turnout.trace.store.ledger import Ledger

SPAN = "00f067aa0ba902b7"
OTHER_TRACE = "1af7651916cd43dd8448eb211c80319d"


@pytest.fixture
def ledger(tmp_path: Path) -> None:
    """Two turns with traces, and one without."""
    later: dict[str, Any] = {"turn_id": "t-2", "trace_id": OTHER_TRACE, "started_ms": 5_000}
    bare: dict[str, Any] = {"turn_id": "bare", "trace_id": "", "span_id": "", "parent_span_id": "", "started_ms": 10}
    with Ledger(tmp_path / "ledger.sqlite3") as opened:
        opened.append(
            [
                samples.decision(event_id="d-1"),
                samples.call(event_id="c-1", span_id=SPAN),
                samples.decision(event_id="d-2", span_id="2" * 16, **later),
                samples.call(event_id="c-2", **later | {"started_ms": 5_040}),
                samples.decision(event_id="d-3", **bare),
                samples.call(event_id="unsampled", turn_id="t-4", span_id="", started_ms=20),
            ]
        )


@pytest.fixture
def switched_on(langfuse: LangfuseDouble, monkeypatch: pytest.MonkeyPatch) -> LangfuseDouble:
    for name, value in langfuse.environment.items():
        monkeypatch.setenv(name, value)
    return langfuse


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("wanted", "trace_id", "observation_id"),
    [
        ("c-1", samples.TRACE, SPAN),
        ("d-1", samples.TRACE, samples.REQUEST),
        ("t-1", samples.TRACE, None),
        ("t-2", OTHER_TRACE, None),
        ("last", OTHER_TRACE, None),
        ("uns", None, None),
    ],
)
def test_what_an_id_names_is_scored_in_its_trace(
    turnout: Run, switched_on: LangfuseDouble, wanted: str, trace_id: str | None, observation_id: str | None
) -> None:
    code, out, err = turnout("score", wanted, "user-feedback", "true", "--comment", "solved it")
    if trace_id is None:
        assert (code, out, err.count("\n"), switched_on.scores) == (2, "", 1, [])
        assert "the call 'unsampled' has no trace to score: it was not sampled" in err
        return
    assert (code, err) == (0, "")
    [score] = switched_on.scores
    assert score.id in out
    assert "user-feedback = true" in out
    body = score.body
    assert (body["traceId"], body.get("observationId")) == (trace_id, observation_id)
    assert (body["name"], body["value"], body["dataType"], body["comment"]) == (
        "user-feedback",
        1.0,
        "BOOLEAN",
        "solved it",
    )


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("arguments", "value", "data_type"),
    [
        (("0.8",), 0.8, "NUMERIC"),
        (("--", "-1"), -1.0, "NUMERIC"),
        (("good",), "good", "CATEGORICAL"),
        (("3", "--data-type", "categorical"), "3", "CATEGORICAL"),
        (("no", "--data-type", "boolean"), 0.0, "BOOLEAN"),
        (("1", "--data-type", "boolean"), 1.0, "BOOLEAN"),
        (("1e-3", "--data-type", "numeric"), 0.001, "NUMERIC"),
    ],
)
def test_values_and_their_types(
    turnout: Run, switched_on: LangfuseDouble, arguments: tuple[str, ...], value: float | str, data_type: str
) -> None:
    code, out, _ = turnout("score", "--json", "c-1", "quality", *arguments)
    [score] = switched_on.scores
    assert (code, score.body["value"], score.body["dataType"]) == (0, value, data_type)
    document = json.loads(out)
    assert (document["score_id"], document["observation_id"], document["name"]) == (score.id, SPAN, "quality")


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("c-1", "n", "good", "--data-type", "numeric"), "'good' is no finite number"),
        (("c-1", "n", "nan", "--data-type", "numeric"), "'nan' is no finite number"),
        (("c-1", "n", "2", "--data-type", "boolean"), "'2' is neither true nor false"),
        (("c-1", "n", " "), "an empty text is no score"),
        (("c-1", "n", "1", "--data-type", "number"), "the nearest known one is 'numeric'"),
        (("c-1", " ", "1"), "NAME is empty"),
        (("d-3", "n", "1"), "the decision 'd-3' has no trace to score: it was recorded while no tracing"),
        (("bare", "n", "1"), "the turn 'bare' has no trace to score"),
        (("c-9", "n", "1"), "begins with 'c-9': the nearest is the call c-2;"),
        (("c", "n", "1"), "several ids begin with 'c'"),
        (("zzz", "n", "1"), "begins with 'zzz': `turnout ledger list --events`"),
        (("c-1", "n", "1", "--ledger", "missing.db"), "there is no ledger"),
        (("c-1", "n"), "Missing argument"),
    ],
)
def test_mistakes_are_one_line_and_send_nothing(
    turnout: Run, switched_on: LangfuseDouble, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = turnout("score", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not switched_on.exchanges


@pytest.mark.usefixtures("ledger")
def test_langfuse_must_be_switched_on(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = turnout("score", "c-1", "n", "1")
    assert (code, err.count("\n")) == (2, 1)
    assert "Langfuse is not switched on: set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY" in err
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-1")
    assert "LANGFUSE_PUBLIC_KEY is not set" in turnout("score", "c-1", "n", "1")[2]


@pytest.mark.usefixtures("ledger")
def test_what_langfuse_does_not_take_is_one_line_without_a_key(turnout: Run, switched_on: LangfuseDouble) -> None:
    switched_on.faults.add(unauthorized())
    code, _, err = turnout("score", "c-1", "n", "1")
    assert (code, err.count("\n")) == (2, 1)
    assert "does not accept the keys" in err
    assert switched_on.environment["LANGFUSE_SECRET_KEY"] not in err
    switched_on.faults.add(server_error(), times=3)
    assert "cannot answer now" in turnout("score", "c-1", "n", "1")[2]
    assert switched_on.scores == []


def test_help_shows_examples(turnout: Run) -> None:
    code, out, _ = turnout("score", "--help")
    assert code == 0
    assert "\n  turnout score last user-feedback true\n" in out
