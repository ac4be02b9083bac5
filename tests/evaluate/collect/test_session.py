"""Whole runs over real sockets: what is bought, kept, gone on with, and written."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.collect.support import (
    CAPABLE,
    CHEAP,
    JUDGE,
    answering,
    asked,
    collect,
    is_judged,
    lines,
    text_of,
    wanted_at,
)
from turnout.config import Settings
from turnout.core.cost import usd_to_pico
from turnout.evaluate.collect.card import card_path
from turnout.evaluate.collect.collecting import IN_A_ROW, Collector
from turnout.evaluate.collect.errors import CollectError
from turnout.evaluate.collect.purse import Purse
from turnout.evaluate.collect.sampling import Sampling, strata_of
from turnout.evaluate.collect.session import planned, sampled
from turnout.evaluate.outcomes.files import source_of
from turnout.evaluate.outcomes.pair import aligned
from turnout.testing.completions import Fault, OpenAIDouble, Said
from turnout.trace.records import ListRecorder


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def bought(double: OpenAIDouble) -> list[str]:
    """Which models were called for an answer."""
    return [call.model for call in double.calls if not is_judged(call.request)]


def test_a_collection_from_file_to_outcomes(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    wanted = wanted_at(tmp_path, settings, asked(6, category="c", input_tokens=1_000, output_tokens=100))
    events = ListRecorder()
    done = collect(wanted, records=events)
    assert (done.ended.why, done.ended.graded, done.rows) == ("done", 6, 12)
    assert bought(double) == [CAPABLE.model_id] * 6  # what was served is not bought again
    assert sorted(call.role for call in events.calls) == ["judge"] * 12 + ["shadow"] * 6
    spent = sum(call.cost.total_pico for call in events.calls)
    assert usd_to_pico(Decimal(done.card.spent_usd)) == spent > 0
    pair = aligned(source_of([wanted.out]), CHEAP.id, CAPABLE.id)
    assert len(pair) == 6
    assert (pair.cheap_scores.mean(), pair.capable_scores.mean()) == (0.0, 1.0)
    small = next(row for row in rows_of(wanted.out) if row["model"] == CHEAP.id)
    tier = CHEAP.price.tiers[0]
    assert small["cost_usd"] == pytest.approx((1_000 * tier.input_pico + 100 * tier.output_pico) / 1e12)
    assert small["category"] == "c"
    agreement = done.card.agreement
    assert agreement is not None
    assert (agreement.judged, agreement.capable_preferred, agreement.contradicted) == (6, 6, 0)
    for path in (wanted.out, wanted.state, card_path(wanted.out)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "Question" not in wanted.state.read_text() + card_path(wanted.out).read_text()
    assert "says" not in wanted.state.read_text()


def test_an_answer_that_is_not_recorded_is_bought(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    wanted = wanted_at(tmp_path, settings, [{"id": "1", "prompt": "ask"}], judge="agreement")
    assert collect(wanted).rows == 2
    assert sorted(bought(double)) == sorted([CHEAP.model_id, CAPABLE.model_id])
    small, large = rows_of(wanted.out)
    assert small["cost_usd"] > 0
    assert (small["score"], large["score"]) == (0.0, 1.0)


def test_each_row_has_its_propensity(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    rows = [{**row, "p": 0.2 if number % 2 else 0.9} for number, row in enumerate(asked(60))]
    sampling = Sampling(share=1.0, strata=strata_of("0.5=0.5,1=0.25"))
    wanted = wanted_at(tmp_path, settings, rows, judge="agreement", sampling=sampling)
    collect(wanted)
    found = {(row["prompt_id"], row["propensity"]) for row in rows_of(wanted.out)}
    assert found
    assert all(share == (0.5 if int(name[1:]) % 2 else 0.25) for name, share in found)


def test_a_second_run_goes_on_and_buys_nothing_twice(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    @contextmanager
    def stopped_after_two(collector: Collector, purse: Purse, total: int) -> Iterator[Any]:
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            if done == 2:
                collector.stop()

        yield advance

    wanted = wanted_at(tmp_path, settings, asked(8))
    first = collect(wanted, watch=stopped_after_two, concurrency=1)
    assert (first.ended.why, first.rows, first.card.pending) == ("stopped", 4, 6)
    told: list[tuple[int, int]] = []
    second = collect(wanted, resumed=lambda *what: told.append(what))
    assert told == [(2, usd_to_pico(Decimal(first.card.spent_usd)))]
    assert (second.ended.why, second.rows, second.card.calls) == ("done", 16, 24)
    assert len(bought(double)) == 8
    third = collect(wanted)
    assert (third.rows, len(double.calls)) == (16, 24)


def test_a_grown_share_keeps_what_is_done(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    small = wanted_at(tmp_path, settings, asked(20), judge="agreement", sampling=Sampling(share=0.3))
    before = collect(small).rows
    whole = small._replace(sampling=Sampling(share=1.0))
    assert collect(whole).rows == 40 > before > 0
    assert len(bought(double)) == 20


def test_the_budget_is_a_hard_stop(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    wanted = wanted_at(tmp_path, settings, asked(50))
    done = collect(wanted, "0.008", concurrency=8)
    assert done.ended.why == "budget"
    assert 0 < done.card.graded < 50
    assert Decimal(done.card.spent_usd) <= Decimal("0.008")
    more = collect(wanted, "1")
    assert (more.ended.why, more.rows) == ("done", 100)
    assert len(bought(double)) == 50


def test_failures_are_counted_and_tried_again(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    double.faults.add(Fault(status=500), times=settings.calls.attempts_per_model)
    double.faults.add(Fault(status=400))
    wanted = wanted_at(tmp_path, settings, asked(4), judge="agreement")
    done = collect(wanted, concurrency=1)
    assert done.card.failed == {
        "openai/gpt-4.1: BadRequestError": 1,
        "openai/gpt-4.1: InternalServerError": 1,
    }
    assert (done.rows, done.card.graded, done.card.pending) == (4, 2, 0)
    again = collect(wanted)
    assert (again.card.graded, again.card.failed) == (3, {"openai/gpt-4.1: BadRequestError": 1})
    assert collect(wanted, retry_failed=True).card.graded == 4


def test_what_fails_in_a_row_ends_the_run(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    double.faults.add(Fault(status=401), times=None)
    wanted = wanted_at(tmp_path, settings, asked(40))
    done = collect(wanted, concurrency=2)
    assert (done.ended.why, done.rows) == ("failing", 0)
    assert IN_A_ROW <= done.ended.failed <= IN_A_ROW + 1
    assert done.ended.last_failure == "openai/gpt-4.1: AuthenticationError"
    double.faults.clear()
    assert collect(wanted).rows == 80


def test_an_unparsed_judge_is_a_failure(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    def odd(request: Mapping[str, Any]) -> Said:
        return Said(text="Hm.") if is_judged(request) and "Question 1?" in text_of(request) else answering(request)

    double.responder = odd
    done = collect(wanted_at(tmp_path, settings, asked(3)))
    assert (done.card.graded, done.card.failed) == (2, {"the judge's answer is none of A, B and TIE": 1})


def test_a_plan_calls_nothing(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    wanted = wanted_at(tmp_path, settings, [*asked(5), {"id": "bare", "prompt": "x"}])
    plan = planned(wanted, sampled(wanted, None, None))
    assert {bill.what: (bill.model, bill.calls) for bill in plan.bills} == {
        "cheap": (CHEAP.id, 1),
        "capable": (CAPABLE.id, 6),
        "judge": (JUDGE.id, 12),
    }
    assert (plan.pending, plan.calls, plan.spent_pico) == (6, 19, 0)
    assert 0 < plan.expected_pico < plan.highest_pico
    assert not double.calls
    assert not wanted.state.exists()
    done = collect(wanted)
    assert usd_to_pico(Decimal(done.card.spent_usd)) <= plan.highest_pico
    after = planned(wanted, sampled(wanted, None, None))
    assert (after.pending, after.calls) == (0, 0)
    assert after.spent_pico == usd_to_pico(Decimal(done.card.spent_usd))


def test_a_text_that_changed_is_asked_anew(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    wanted = wanted_at(tmp_path, settings, asked(2), judge="agreement")
    collect(wanted)
    lines(wanted.source, [{**asked(1)[0], "prompt": "Another question?"}, asked(2)[1]])
    assert collect(wanted).rows == 4
    assert len(bought(double)) == 3


def test_a_table_that_cannot_be_written(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    wanted = wanted_at(tmp_path, settings, asked(2), judge="agreement")
    wanted.out.mkdir()
    with pytest.raises(CollectError, match="all is kept in"):
        collect(wanted)
    wanted.out.rmdir()
    assert collect(wanted).rows == 4
    assert len(bought(double)) == 2


def test_what_the_program_did_not_expect_is_one_error(settings: Settings, double: OpenAIDouble, tmp_path: Path) -> None:
    @contextmanager
    def broken(collector: Collector, purse: Purse, total: int) -> Iterator[Any]:
        def advance() -> None:
            raise ArithmeticError("in the bar")

        yield advance

    wanted = wanted_at(tmp_path, settings, asked(6), judge="agreement")
    with pytest.raises(ArithmeticError, match="in the bar"):
        collect(wanted, watch=broken)
    assert rows_of(wanted.out)  # what was graded until then
