from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.evaluate.collect.agreement import agreement_of
from turnout.evaluate.collect.judges.llm import Verdict, grade_of
from turnout.evaluate.collect.state import Grade

WORDS = st.sampled_from(["cheap", "capable", "tie"])


def test_figures_worked_out_by_hand() -> None:
    given: dict[tuple[Verdict, Verdict], int] = {
        ("cheap", "cheap"): 3,
        ("capable", "capable"): 3,
        ("tie", "tie"): 1,
        ("cheap", "capable"): 2,  # the one shown first, both times
        ("tie", "capable"): 1,
    }
    pairs = [pair for pair, count in given.items() for _ in range(count)]
    found = agreement_of([grade_of(*pair) for pair in pairs] + [Grade(cheap=1.0, capable=1.0)])
    assert (found.judged, found.cheap_preferred, found.capable_preferred, found.ties) == (10, 3, 3, 1)
    assert found.contradicted == 3
    assert found.agreed is not None
    assert (found.agreed.value, found.agreed.of) == (0.7, 10)
    # Preferences: 6 + 6 + 4 + 1 of them. First shown: of the 3 + 3 that agree one each, of the 2 both, and the last.
    assert found.first_preferred is not None
    assert found.first_preferred.of == 17
    assert found.first_preferred.value == pytest.approx((3 + 3 + 4 + 1) / 17)
    # Rows: cheap 5, capable 3, tie 2; columns: cheap 3, capable 6, tie 1: chance 0.15 + 0.18 + 0.02.
    assert found.kappa == pytest.approx((0.7 - 0.35) / 0.65)
    assert not found.weak


def test_a_judge_that_always_prefers_the_first() -> None:
    found = agreement_of([grade_of("cheap", "capable")] * 20)
    assert found.agreed is not None
    assert found.first_preferred is not None
    assert (found.agreed.value, found.first_preferred.value, found.contradicted) == (0.0, 1.0, 20)
    assert found.weak


def test_nobody_was_asked() -> None:
    found = agreement_of([Grade(cheap=1.0, capable=1.0)])
    assert (found.judged, found.agreed, found.kappa, found.first_preferred, found.weak) == (0, None, None, None, False)


def test_a_judge_of_one_word_has_no_kappa() -> None:
    assert agreement_of([grade_of("tie", "tie")] * 3).kappa is None


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1))
def test_all_are_accounted_for(pairs: list[tuple[Verdict, Verdict]]) -> None:
    found = agreement_of([grade_of(*pair) for pair in pairs])
    kinds = (found.cheap_preferred, found.capable_preferred, found.ties, found.contradicted)
    assert sum(kinds) == found.judged == len(pairs)
    assert found.agreed is not None
    assert found.agreed.low <= found.agreed.value <= found.agreed.high
    assert found.kappa is None or -1.0 <= found.kappa <= 1.0 + 1e-12
