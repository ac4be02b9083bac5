from __future__ import annotations

from typing import Any

from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from turnout.testing.bedrock import eventstream


def decoded(data: bytes) -> list[Any]:
    """The messages that botocore finds."""
    buffer: Any = EventStreamBuffer()
    for index in range(len(data)):
        buffer.add_data(data[index : index + 1])
    return list(buffer)


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=60), max_size=5), st.binary(max_size=400))
def test_botocores_decoder_reads_what_was_framed(headers: dict[str, str], payload: bytes) -> None:
    (message,) = decoded(eventstream.frame(headers, payload))
    assert message.headers == headers
    assert message.payload == payload


def test_frames_in_a_row() -> None:
    data = eventstream.event("messageStart", b"{}") + eventstream.exception("throttlingException", b'{"message":"no"}')
    first, second = decoded(data)
    assert first.headers[":message-type"] == "event"
    assert first.headers[":event-type"] == "messageStart"
    assert second.headers[":message-type"] == "exception"
    assert second.to_response_dict()["status_code"] == 400


def test_a_frame_by_hand() -> None:
    # 16 bytes of framing, no header, payload of 2: lengths 18 and 0; the checksums are zlib's.
    framed = eventstream.frame({}, b"{}")
    assert framed[:8] == bytes.fromhex("00000012 00000000")
    assert framed[12:14] == b"{}"
    assert len(framed) == 18
