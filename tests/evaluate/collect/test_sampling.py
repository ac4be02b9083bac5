from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.evaluate.collect.errors import CollectError
from turnout.evaluate.collect.sampling import Sampling, Stratum, strata_of

IDS = [f"request-{number}" for number in range(4_000)]
STRATA = strata_of("0.4=0.05,0.7=0.4,1=0.1")


def test_a_share_is_what_it_says() -> None:
    taken = sum(Sampling(share=0.1).taken(one, None) for one in IDS)
    # Five standard errors of a binomial of 4,000.
    assert abs(taken - 400) < 5 * math.sqrt(4_000 * 0.1 * 0.9)


def test_weights_make_up_for_the_shares() -> None:
    sampling = Sampling(share=0.5, strata=STRATA)
    p_of = {one: (number % 100) / 100 for number, one in enumerate(IDS)}
    weights = math.fsum(1 / sampling.propensity(p) for one, p in p_of.items() if sampling.taken(one, p))
    # The variance of a Horvitz-Thompson count: the sum of 1 / share - 1.
    spread = math.sqrt(math.fsum(1 / sampling.propensity(p) - 1 for p in p_of.values()))
    assert abs(weights - len(IDS)) < 5 * spread


@given(st.text(), st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_a_higher_share_keeps_what_was_taken(name: str, share: float, other: float) -> None:
    low, high = sorted((share, other))
    assert not Sampling(share=low).taken(name, None) or Sampling(share=high).taken(name, None)


@given(st.text(), st.floats(0.0, 1.0))
def test_what_is_taken_has_an_order_below_one(name: str, p: float) -> None:
    sampling = Sampling(strata=STRATA)
    assert sampling.taken(name, p) == (sampling.order(name, p) < 1.0)


def test_another_seed_is_another_sample() -> None:
    first, other = Sampling(share=0.5, seed="a"), Sampling(share=0.5, seed="b")
    assert [one for one in IDS if first.taken(one, None)] == [one for one in IDS if first.taken(one, None)]
    both = sum(first.taken(one, None) and other.taken(one, None) for one in IDS)
    assert abs(both - 1_000) < 5 * math.sqrt(4_000 * 0.25 * 0.75)


@pytest.mark.parametrize(("p", "share"), [(0.0, 0.05), (0.4, 0.05), (0.41, 0.4), (0.7, 0.4), (1.0, 0.1), (None, 0.3)])
def test_the_share_of_a_stratum(p: float | None, share: float) -> None:
    assert Sampling(share=0.3, strata=STRATA).propensity(p) == share


def test_strata_as_they_are_written() -> None:
    assert strata_of("0.5=0.2, 1=1") == (Stratum(0.5, 0.2), Stratum(1.0, 1.0))


@pytest.mark.parametrize("text", ["0.5", "0.5=x", "=1", ""])
def test_strata_that_are_none(text: str) -> None:
    with pytest.raises(CollectError, match="strata must be like"):
        strata_of(text)


@pytest.mark.parametrize(
    ("share", "strata", "message"),
    [
        (0.001, "", "a share must be between 0.01 and 1, got 0.001"),
        (1.5, "", "a share must be between 0.01 and 1, got 1.5"),
        (math.nan, "", "a share must be between 0.01 and 1, got nan"),
        (0.1, "0.5=0.001,1=1", "a share must be between 0.01 and 1, got 0.001"),
        (0.1, "0.5=0.1", "strata must ascend and end at 1, got 0.5"),
        (0.1, "0.7=0.1,0.5=0.1,1=1", "strata must ascend and end at 1, got 0.7, 0.5, 1"),
        (0.1, "0=0.1,1=1", "strata must ascend and end at 1, got 0, 1"),
    ],
)
def test_what_is_refused(share: float, strata: str, message: str) -> None:
    with pytest.raises(CollectError, match=message):
        Sampling(share=share, strata=strata_of(strata) if strata else ())
