from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.trace import samples
from turnout.core.verdict import Verdict
from turnout.evaluate.collect.facts import Fact, facts_of, with_fact
from turnout.evaluate.collect.requests import Request
from turnout.trace.events import Event
from turnout.trace.store.ledger import Ledger

OUTCOME = Verdict(classifier="l", label="simple", basis="outcome", p_suffices={samples.CHEAP.id: 0.7})


def looked_up(tmp_path: Path, events: Iterable[Event], *ids: str, run: str | None = None) -> dict[str, Fact]:
    with Ledger(tmp_path / "l.sqlite3") as ledger:
        ledger.append(events)
        return facts_of(ledger, set(ids), run=run, cheap=samples.CHEAP.id)


def test_a_call_a_turn_and_a_query(tmp_path: Path) -> None:
    one = samples.call(event_id="c-1", query_id="q-1", simulated=False)
    two = samples.call(event_id="c-2", query_id="q-1", simulated=False)
    asked = samples.call(event_id="c-3", role="classifier", classifier="llm", simulated=False)
    shadow = samples.call(samples.CAPABLE, event_id="c-4", query_id="q-1", role="shadow", turn_id="t-9")
    failed = samples.call(event_id="c-5", query_id="q-1", status="error", error="X")
    events: list[Event] = [samples.decision(event_id="d-1", verdict=OUTCOME), one, two, asked, shadow, failed]
    found = looked_up(tmp_path, events, "c-1", "t-1", "q-1", "d-1", "c-3", "c-4", "nobody")
    assert set(found) == {"c-1", "t-1", "q-1", "d-1"}
    assert found["c-1"].output_tokens == one.usage.output_tokens
    for name in ("t-1", "q-1", "d-1"):
        assert found[name].models == {samples.CHEAP.id}
        assert found[name].output_tokens == one.usage.output_tokens + two.usage.output_tokens
        assert found[name].pico == one.cost.total_pico + two.cost.total_pico
        assert (found[name].p, found[name].ambiguous, found[name].session_id) == (0.7, False, "s-1")


def test_several_turns_under_one_query(tmp_path: Path) -> None:
    events = [samples.call(turn_id="t-1", query_id="q"), samples.call(turn_id="t-2", query_id="q", run="other")]
    assert looked_up(tmp_path, events, "q")["q"].ambiguous
    assert not looked_up(tmp_path, [], "q", run="other")["q"].ambiguous


def test_several_models_in_one_turn(tmp_path: Path) -> None:
    assert looked_up(tmp_path, [samples.call(), samples.call(samples.CAPABLE)], "t-1")["t-1"].ambiguous


def test_what_the_file_says_stays() -> None:
    fact = Fact(models={"m"}, session_id="s", input_tokens=5, output_tokens=6, pico=2_000_000_000_000, p=0.3)
    bare = Request(id="1", prompt="x")
    known = with_fact(bare, fact)
    assert (known.model, known.group, known.p) == ("m", "s", 0.3)
    assert (known.input_tokens, known.output_tokens, known.cost_usd) == (5, 6, 2.0)
    said = Request(id="1", prompt="x", model="m", group="g", p=0.9, input_tokens=1, output_tokens=2, cost_usd=3.0)
    assert with_fact(said, fact) == said
    other = with_fact(Request(id="1", prompt="x", model="another"), fact)
    assert (other.model, other.input_tokens, other.cost_usd) == ("another", None, None)


def test_a_cost_that_is_not_exact_is_none() -> None:
    assert with_fact(Request(id="1", prompt="x"), Fact(models={"m"}, pico=1, exact=False)).cost_usd is None
