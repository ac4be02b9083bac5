from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.doors.agentcore.payload import (
    SESSION_HEADER,
    PayloadError,
    accepts_events,
    most_bytes,
    read_prompt,
    read_question,
)


def test_a_prompt_is_given_as_it_was_written() -> None:
    assert read_prompt({"prompt": " Grüße 👋 ", "more": 1}, 20) == " Grüße 👋 "


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (None, "must be an object"),
        ("hello", "must be an object"),
        ([{"prompt": "hello"}], "must be an object"),
        ({}, 'no "prompt"'),
        ({"prompt": None}, 'no "prompt"'),
        ({"prompt": 5}, "must be text, got int"),
        ({"prompt": {"text": "x"}}, "must be text, got dict"),
        ({"prompt": ""}, "is empty"),
        ({"prompt": " \n"}, "is empty"),
        ({"prompt": "x" * 21}, "has 21 characters, at most 20"),
        ({"prompt": "a\0b"}, "not text"),
        ({"prompt": "\ud800"}, "not text"),
    ],
)
def test_any_other_payload_is_refused_with_what_is_wrong(payload: object, message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        read_prompt(payload, 20)


def test_a_question_is_read_with_its_session_and_its_headers() -> None:
    headers = {SESSION_HEADER.lower(): "s1", "accept": "application/json"}
    question = read_question(b'{"prompt": "hello", "other": [1]}', headers, 100)
    assert (question.prompt, question.session_id, question.stream) == ("hello", "s1", False)
    assert question.headers == headers


@pytest.mark.parametrize(
    ("body", "accept", "stream"),
    [
        ({}, "", False),
        ({}, "text/event-stream", True),
        ({"stream": True}, "", True),
        ({"stream": False}, "text/event-stream", False),
        ({"stream": None}, "text/event-stream", True),
    ],
)
def test_the_body_says_whether_to_stream_before_the_header_does(
    body: dict[str, object], accept: str, stream: bool
) -> None:
    asked = json.dumps({"prompt": "hello", **body}).encode()
    assert read_question(asked, {"accept": accept}, 100).stream is stream


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"prompt": ' + b"9" * 5000 + b"}"])
def test_what_is_no_json_is_told_so(body: bytes) -> None:
    with pytest.raises(PayloadError, match="not JSON") as caught:
        read_question(body, {}, 100)
    assert caught.value.code == "invalid_json"


def test_a_stream_that_is_no_bool_and_a_session_that_is_none_are_refused() -> None:
    with pytest.raises(PayloadError, match='"stream" must be true or false, got str'):
        read_question(b'{"prompt": "hello", "stream": "yes"}', {}, 100)
    for session in ("", "with blank", "x" * 257, "ü"):
        with pytest.raises(PayloadError, match="1 to 256") as caught:
            read_question(b'{"prompt": "hello"}', {SESSION_HEADER.lower(): session}, 100)
        assert caught.value.code == "invalid_session"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/event-stream", True),
        ("Text/Event-Stream; charset=utf-8", True),
        ("application/json, text/event-stream", False),
        ("text/event-stream, application/json", True),
        ("application/json;q=0.5, text/event-stream", True),
        ("text/event-stream;q=0.4, application/json;q=0.5", False),
        ("text/event-stream;q=0", False),
        ("text/event-stream;q=high", False),
    ],
)
def test_an_accept_header_is_weighed(accept: str, wanted: bool) -> None:
    assert accepts_events(accept) is wanted


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=50))
def test_every_prompt_that_is_taken_fits_into_the_body_that_is_taken(prompt: str) -> None:
    body = json.dumps({"prompt": prompt}).encode()
    assert len(body) <= most_bytes(len(prompt))
    if prompt.strip():
        assert read_question(body, {}, len(prompt)).prompt == prompt


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.text(max_size=30))
def test_whatever_comes_is_a_question_or_a_payload_error(body: bytes, accept: str) -> None:
    try:
        question = read_question(body, {"accept": accept}, 100)
    except PayloadError:
        return  # anything else would fail the test
    assert question.prompt.strip()
