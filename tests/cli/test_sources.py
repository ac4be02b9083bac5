from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.trace.langfuse.events import START_MS, asked, call, decision
from tests.trace.langfuse.sending import export, new_trace_id, sent_for
from turnout.core.usage import Usage
from turnout.testing.langfuse import LangfuseDouble
from turnout.trace.events import Event
from turnout.trace.langfuse import langfuse_settings
from turnout.trace.store.ledger import Ledger


def runs() -> list[Event]:
    """A run whose calls were all reported, and one with an abandoned call."""
    cut: dict[str, Any] = {"usage": Usage(input_tokens=10), "status": "cancelled", "usage_source": "estimated"}
    return [
        decision("a", run="v3"),
        call("a", run="v3"),
        decision("b", run="v4"),
        asked("b", run="v4"),
        call("b", run="v4"),
        decision("c", run="v4", query_id="Long", started_ms=START_MS + 9000),
        call("c", run="v4", query_id="Long", started_ms=START_MS + 9700, cost_high_pico=10**9, **cut),
    ]


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, langfuse: LangfuseDouble) -> None:
    """The same events in the ledger and in Langfuse."""
    for name, value in langfuse.environment.items():
        monkeypatch.setenv(name, value)
    settings = langfuse_settings(langfuse.environment)
    assert settings is not None
    events = runs()
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        ledger.append(events)
    traces = {event.turn_id: new_trace_id() for event in events}
    export(settings, [sent_for(event, traces[event.turn_id]) for event in events])


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("command", [("metrics", "v3"), ("metrics", "v4"), ("compare", "v3", "v4")])
def test_both_sources_print_the_same(turnout: Run, command: tuple[str, ...]) -> None:
    for form in ((), ("--json",)):
        code, from_ledger, _ = turnout(*command, *form)
        assert (code, turnout(*command, "--source", "langfuse", *form)[1]) == (0, from_ledger)
    assert "exact" in from_ledger


@pytest.mark.usefixtures("both")
def test_exact_and_bounded_parts_come_back_from_langfuse(turnout: Run) -> None:
    totals = json.loads(turnout("metrics", "v4", "--source", "langfuse", "--json")[1])["totals"]["exactness"]
    # 1,055e-6 for the answer and 425e-6 for the classifier; 10 tokens at 1 USD a million, or 0.001 USD.
    assert totals["exact_cost"]["pico_usd"] == 1_480_000_000
    assert totals["bounded_cost"]["low"]["pico_usd"] == 10_000_000
    assert totals["bounded_cost"]["high"]["pico_usd"] == 10**9
    assert totals["usage_sources"]["estimated"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("metrics", "v3", "--source", "langfuse", "--ledger", "x"), "--ledger and --source langfuse"),
        (("compare", "a", "b", "--source", "langfuse", "--ledger", "x"), "--ledger and --source langfuse"),
        (("metrics", "--list", "--source", "langfuse"), "leave --source langfuse out"),
        (("compare", "a", "b", "--source", "langfuse"), "set LANGFUSE_PUBLIC_KEY"),
        (("metrics", "a", "--source", "langfuze"), "langfuze"),
    ],
)
def test_mistakes_are_one_line(turnout: Run, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = turnout(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_half_a_configuration_is_named(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
    code, _, err = turnout("metrics", "a", "--source", "langfuse")
    assert (code, "LANGFUSE_SECRET_KEY is not set" in err) == (2, True)
