from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.trace import samples
from turnout.evaluate.outcomes.convert.ledger import Joined, joined
from turnout.evaluate.outcomes.table import Batch, OutcomesError
from turnout.trace.store.ledger import Ledger


def graded(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def outcomes(tmp_path: Path, events: list[Any], *lines: dict[str, Any]) -> tuple[Batch, Joined]:
    told = Joined()
    with Ledger(tmp_path / "l.sqlite3") as ledger:
        ledger.append(events)
        batches = list(joined(ledger, graded(tmp_path / "grades.jsonl", *lines), run=None, told=told))
    return (batches[0] if batches else Batch()), told


def test_a_turn_s_calls_are_added_up(tmp_path: Path) -> None:
    one = samples.call(event_id="c-1", turn_id="t-1", query_id="q-1", simulated=False)
    two = samples.call(event_id="c-2", turn_id="t-1", query_id="q-1", simulated=False)
    asked = samples.call(event_id="c-3", turn_id="t-1", role="classifier", classifier="llm", simulated=False)
    decided = samples.decision(event_id="d-1")
    for name, calls in (("t-1", [one, two]), ("q-1", [one, two]), ("d-1", [one, two]), ("c-2", [two])):
        (tmp_path / name).mkdir()
        line = {"id": name, "prompt": "ask", "score": True, "category": "c"}
        batch, told = outcomes(tmp_path / name, [one, two, asked, decided], line)
        assert (batch.prompt, batch.model, batch.score, batch.category) == (["ask"], [one.model], [1.0], ["c"])
        assert batch.output_tokens == [sum(call.usage.output_tokens for call in calls)]
        assert batch.cost_usd == pytest.approx([sum(call.cost.total_pico for call in calls) / 1e12])
        assert told == Joined(outcomes=1)


def test_feedback_that_knows_traces_and_spans(tmp_path: Path) -> None:
    """As it comes back from Langfuse, where a turn's score is its trace's, and a decision's or a call's its span's."""
    one = samples.call(event_id="c-1", turn_id="t-1", trace_id="a" * 32, span_id="1" * 16, simulated=False)
    other = samples.call(event_id="c-2", turn_id="t-2", trace_id="b" * 32, span_id="2" * 16, simulated=False)
    decided = samples.decision(event_id="d-1", turn_id="t-1", trace_id="a" * 32, span_id="3" * 16)
    texts = graded(
        tmp_path / "texts.jsonl", {"id": "c-1", "turn": "t-1", "prompt": "one"}, {"id": "c-2", "prompt": "two"}
    )
    asked = [
        {"id": "a" * 32, "score": 1},
        {"id": "3" * 16, "score": 0.5},
        {"id": "2" * 16, "score": 0, "prompt": "mine"},
    ]
    told = Joined()
    with Ledger(tmp_path / "l.sqlite3") as ledger:
        ledger.append([one, other, decided])
        [batch] = joined(ledger, graded(tmp_path / "g.jsonl", *asked), run=None, told=told, texts=texts)
    assert (batch.prompt, batch.score) == (["one", "one", "mine"], [1.0, 0.5, 0.0])
    assert told == Joined(outcomes=3)


def test_a_trace_of_several_turns_has_no_one_answer(tmp_path: Path) -> None:
    events = [
        samples.call(event_id=f"c-{number}", turn_id=f"t-{number}", trace_id="a" * 32, simulated=False)
        for number in (1, 2)
    ]
    batch, told = outcomes(tmp_path, events, {"id": "a" * 32, "prompt": "x", "score": 1})
    assert (len(batch), told) == (0, Joined(several_turns=1))


def test_what_is_nobody_s_outcome_is_counted(tmp_path: Path) -> None:
    events = [
        samples.call(samples.CHEAP, event_id="c-1", simulated=False),
        samples.call(samples.CAPABLE, event_id="c-2", simulated=False),
    ]
    batch, told = outcomes(
        tmp_path, events, {"id": "t-1", "prompt": "x", "score": 1}, {"id": "nobody", "prompt": "x", "score": 1}
    )
    assert len(batch) == 0
    assert told == Joined(unknown=1, several_models=1)


def test_simulated_answers_have_no_grade(tmp_path: Path) -> None:
    with pytest.raises(OutcomesError, match="was simulated"):
        outcomes(tmp_path, [samples.call(event_id="c", simulated=True)], {"id": "c", "prompt": "x", "score": 1})


def test_a_file_of_grades_without_ids(tmp_path: Path) -> None:
    with pytest.raises(OutcomesError, match="'id' and 'score' are needed; there are prompt, score"):
        outcomes(tmp_path, [], {"prompt": "x", "score": 1})


def test_a_query_of_several_turns_has_no_one_answer(tmp_path: Path) -> None:
    events = [
        samples.call(event_id="c-1", turn_id="t-1", query_id="q", simulated=False),
        samples.call(event_id="c-2", turn_id="t-2", query_id="q", simulated=False),
    ]
    batch, told = outcomes(tmp_path, events, {"id": "q", "prompt": "x", "score": 1})
    assert (len(batch), told) == (0, Joined(several_turns=1))


def test_answers_that_nobody_was_given_are_none(tmp_path: Path) -> None:
    call = samples.call(event_id="c-1", role="shadow", simulated=False)
    assert outcomes(tmp_path, [call], {"id": "c-1", "prompt": "x", "score": 1})[1] == Joined(unknown=1)


def test_texts_come_from_the_file_of_texts(tmp_path: Path) -> None:
    asked = {"system": [], "messages": [{"role": "user", "content": [{"text": "Where?"}]}]}
    later = {"messages": [{"role": "user", "content": "later"}]}
    texts = graded(
        tmp_path / "texts.jsonl",
        {"id": "c-1", "turn": "t-1", "conversation": asked, "tools": [{"name": "find"}], "group": "s-1"},
        {"id": "c-2", "turn": "t-1", "conversation": later},
        {"id": "c-3", "turn": "t-3", "conversation": later, "incomplete": "image"},
    )
    events = [
        samples.call(event_id=f"c-{number}", turn_id="t-1" if number < 3 else f"t-{number}", simulated=False)
        for number in (1, 2, 3, 4)
    ]
    grades = graded(
        tmp_path / "grades.jsonl",
        {"id": "t-1", "score": 1},
        {"id": "c-2", "score": 0, "prompt": "said otherwise"},
        {"id": "c-3", "score": 1},
        {"id": "c-4", "score": 1},
    )
    told = Joined()
    with Ledger(tmp_path / "l.sqlite3") as ledger:
        ledger.append(events)
        [batch] = joined(ledger, grades, run=None, told=told, texts=texts)
    assert batch.prompt == ["Where?", "said otherwise"]
    assert batch.tools == ['[{"name":"find"}]', None]
    assert batch.group == ["s-1", ""]
    assert told == Joined(outcomes=2, without_text=2)
