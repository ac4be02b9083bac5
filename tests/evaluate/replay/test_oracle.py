"""Costs by hand: 1,000 tokens a block; capable input 3, read 0.3, write 3.75 and 6 USD a million; output 5 times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluate.replay.traces import arrivals, call, mooncake, real, small
from turnout.config import load_catalog
from turnout.config.pairs import PAIR_4
from turnout.evaluate.replay.compared import POLICIES, policy_named
from turnout.evaluate.replay.conditions import conditions
from turnout.evaluate.replay.engine import replay
from turnout.evaluate.replay.oracle import lower_bound
from turnout.evaluate.replay.verdicts import COMPLEX, SIMPLE, Difficulty, Verdicts, draw


def judged(*simple: bool) -> Verdicts:
    return Verdicts(shown=tuple(SIMPLE if one else COMPLEX for one in simple), simple=simple, name="test")


def cost(name: str, calls: object, verdicts: Verdicts) -> int:
    held = small()
    return replay(calls, verdicts, policy_named(name, calls, verdicts, held), held).whole.cost_pico  # type: ignore[arg-type]


def test_foresight_writes_what_comes_back_and_nothing_else() -> None:
    calls = arrivals(call("ab", 0, output=0), call("abcd", 60, output=0), call("abcd", 3000, output=0))
    given = judged(False, False, False)
    # 2,000 written; 2,000 read and 2,000 plain, since the last call comes too late; 4,000 plain.
    assert cost("capable-foresight", calls, given) == (2000 * 3_750_000 + 2000 * 300_000 + 6000 * 3_000_000)


def test_foresight_leaves_alone_what_comes_back_on_the_other_model() -> None:
    calls = arrivals(call("ab", 0, output=0), call("ab", 60, output=0))
    # The second call is simple, and plain on the cheap model: 1 a million.
    assert cost("foresight", calls, judged(False, True)) == 2000 * 3_000_000 + 2000 * 1_000_000


def test_the_bound_of_a_repeated_block() -> None:
    calls = arrivals(*(call("a", 60 * number, output=0) for number in range(3)))
    given = judged(False, False, False)
    # Written once for 5 minutes, read twice.
    assert lower_bound(calls, given, small()) == 1000 * (3_750_000 + 2 * 300_000)
    late = arrivals(*(call("a", 600 * number, output=0) for number in range(3)))
    # Plain three times costs 9; for 1 hour written once and read twice 6.6.
    assert lower_bound(late, given, small()) == 1000 * (6_000_000 + 2 * 300_000)


def test_the_bound_of_a_simple_call_is_that_of_the_cheaper_model() -> None:
    calls = arrivals(call("ab", 0, output=10))
    assert lower_bound(calls, judged(True), small()) == 2000 * 1_000_000 + 10 * 5_000_000
    assert lower_bound(calls, judged(False), small()) == 2000 * 3_000_000 + 10 * 15_000_000


def test_the_bound_is_that_of_blocks() -> None:
    with pytest.raises(ValueError, match="cache of blocks"):
        lower_bound((), judged(), conditions(load_catalog(), PAIR_4, "entries"))


@given(
    st.lists(
        st.tuples(st.text("ab", min_size=1, max_size=5), st.integers(0, 700), st.booleans(), st.integers(0, 300)),
        min_size=1,
        max_size=8,
    )
)
def test_no_policy_falls_below_the_bound(made: list[tuple[str, int, bool, int]]) -> None:
    at_s, requests = 0, []
    for number, (blocks, gap_s, _, output) in enumerate(made):
        at_s += gap_s
        requests.append(call(blocks, at_s, session=blocks[:2], output=output, turn=str(number)))
    calls = arrivals(*requests)
    verdicts = judged(*(simple for _, _, simple, _ in made))
    bound = lower_bound(calls, verdicts, small())
    for name in POLICIES:
        assert cost(name, calls, verdicts) >= bound


@pytest.mark.parametrize("convention", ["strict", "reference"])
def test_the_bound_holds_on_a_real_trace(convention: str) -> None:
    loaded, calls = mooncake()
    held = real("strict" if convention == "strict" else "reference")
    verdicts = draw(loaded.requests, Difficulty(seed=4))
    bound = lower_bound(calls, verdicts, held)
    for name in ("naive-never", "manage", "foresight"):
        assert replay(calls, verdicts, policy_named(name, calls, verdicts, held), held).whole.cost_pico > bound
