from __future__ import annotations

import zlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.trace import decided
from turnout.trace.events import DecisionEvent
from turnout.trace.store import pack
from turnout.trace.store.encode import canonical
from turnout.trace.store.pack import packed, packed_pair, unpacked, unpacked_pair


@given(st.binary(max_size=20_000))
def test_what_is_packed_comes_back(data: bytes) -> None:
    assert unpacked(packed(data)) == data


@settings(max_examples=40)
@given(st.data())
def test_decisions_come_back_byte_for_byte(decision_events: SearchStrategy[DecisionEvent], data: st.DataObject) -> None:
    event = data.draw(decision_events)
    both = canonical(event.given), canonical(event.decision)
    for json in both:
        assert unpacked(packed(json)) == json
    assert unpacked_pair(packed_pair(*both)) == both


def test_what_higher_levels_packed_is_read_too() -> None:
    json = canonical(decided.decided().given)
    packer = zlib.compressobj(6, zlib.DEFLATED, 13, zdict=pack._DICTIONARY)
    assert unpacked(packer.compress(json) + packer.flush()) == json


def test_one_text_is_no_pair() -> None:
    with pytest.raises(msgspec.DecodeError, match="one text"):
        unpacked_pair(packed(b"{}"))


def test_text_of_an_older_ledger_is_read_as_it_is() -> None:
    assert unpacked('{"ü":1}') == '{"ü":1}'.encode()


def test_a_decision_shrinks_to_a_third_at_most() -> None:
    json = canonical(decided.decided().decision)
    assert len(packed(json)) < len(json) / 3


def test_the_dictionary_is_the_one_that_rows_were_packed_with() -> None:
    assert zlib.crc32(pack._DICTIONARY) == 0xBD6BBC4C, (
        "rows in ledgers need this very dictionary: add another beside it"
    )


@pytest.mark.parametrize("stored", [b"", b"x", b"{}", packed(b"{}")[:-1], zlib.compress(b"{}")[:-2]])
def test_what_was_not_packed_is_an_error(stored: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        unpacked(stored)
