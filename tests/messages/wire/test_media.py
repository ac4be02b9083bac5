"""Base64 and ``data:`` URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.messages.wire import media


@given(st.binary(max_size=40))
def test_bytes_come_back(data: bytes) -> None:
    assert media.decoded(media.encoded(data)) == data
    assert media.split_data_url(media.data_url("image/png", data)) == ("image/png", media.encoded(data))
    assert media.source_of(media.encoded(data)) == {"bytes": data}


@pytest.mark.parametrize("text", ["?", "YQ", "YQ==YQ==", "Y Q==", "é", "YQ==\n"])
def test_what_is_no_base64(text: str) -> None:
    assert media.decoded(text) is None
    assert media.source_of(text) == {}


@pytest.mark.parametrize("url", ["", "https://a", "data:image/png,YQ==", "data:image/png;base64", "data;base64,YQ=="])
def test_what_is_no_data_url(url: str) -> None:
    assert media.split_data_url(url) is None


def test_parameters_of_a_media_type_are_left_out() -> None:
    assert media.split_data_url("Data:Text/Plain;charset=utf-8;BASE64,YQ==") == ("text/plain", "YQ==")


def test_every_format_has_one_media_type() -> None:
    assert {media.DOCUMENT_FORMATS[media.DOCUMENT_TYPES[name]] for name in media.DOCUMENT_TYPES} == set(
        media.DOCUMENT_TYPES
    )
    assert set(media.DOCUMENT_TYPES) > media.TEXT_FORMATS
