"""Framing of AWS event streams (``application/vnd.amazon.eventstream``); botocore has only the decoder.

A frame is: total length and header length (4 bytes each, big-endian), CRC-32 of those 8 bytes, the headers, the
payload, CRC-32 of everything before. A header is: length of its name (1 byte), name, type 7 (string), length of its
value (2 bytes), value.
"""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7
_PRELUDE_BYTES = 12
_CRC_BYTES = 4


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message with string headers."""
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", _PRELUDE_BYTES + len(encoded) + len(payload) + _CRC_BYTES, len(encoded))
    message = prelude + struct.pack("!I", crc32(prelude)) + encoded + payload
    return message + struct.pack("!I", crc32(message))


def event(name: str, payload: bytes) -> bytes:
    """An event of that type with a JSON payload."""
    return frame({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception(name: str, payload: bytes) -> bytes:
    """An error in mid-stream; ``name`` is the stream's member, which begins with a small letter."""
    return frame({":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}, payload)


def _header(name: str, value: str) -> bytes:
    encoded_name, encoded_value = name.encode(), value.encode()
    return (
        struct.pack("!B", len(encoded_name))
        + encoded_name
        + struct.pack("!BH", _STRING, len(encoded_value))
        + encoded_value
    )
