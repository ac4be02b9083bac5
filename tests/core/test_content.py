"""A content hash is the same before and after storage, and tells different values apart."""

from __future__ import annotations

import msgspec
from hypothesis import given

from tests.core.strategies import policies
from turnout.core.content import content_hash
from turnout.core.policy import Candidate, Policy


def test_whole_numbers_hash_like_the_floats_that_they_read_back_as() -> None:
    pair = (Candidate("cheap", 0), Candidate("capable", 1))
    assert content_hash(Policy(candidates=pair, simple_bar=1)) == content_hash(Policy(candidates=pair, simple_bar=1.0))


def test_a_hash_is_64_hexadecimal_digits() -> None:
    assert len(bytes.fromhex(content_hash(Candidate("m", 0)))) == 32
    assert content_hash(Candidate("m", 0)) != content_hash(Candidate("m", 1))


@given(policies(), policies())
def test_equal_values_have_equal_hashes_and_others_have_others(one: Policy, other: Policy) -> None:
    stored = msgspec.json.decode(msgspec.json.encode(one), type=Policy)
    assert content_hash(stored) == content_hash(one)
    assert (content_hash(one) == content_hash(other)) == (one == other)
