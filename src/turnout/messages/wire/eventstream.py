"""Event streams of AWS (``application/vnd.amazon.eventstream``): bytes in, frames out, and the way back.

A frame is: total length and length of the headers (4 bytes each, big-endian), CRC-32 of those 8 bytes, the headers, the
payload, CRC-32 of everything before. A header is: length of its name (1 byte), name, type (1 byte), value.

Source: the Smithy specification of ``aws.eventstreams``, section "Amazon Event Stream Encoding", and botocore's
decoder, which tests hold this one against. Timestamps are read as whole milliseconds, UUIDs as their 16 bytes.
"""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Mapping

import msgspec

from turnout.messages.wire.malformed import MalformedStreamError

CONTENT_TYPE = "application/vnd.amazon.eventstream"
MAX_FRAME_BYTES = 24 * 1024 * 1024
"""The most bytes of one frame unless another limit is given; botocore takes as many of payload."""

HeaderValue = bool | int | bytes | str

_MAX_HEADER_BYTES = 128 * 1024
_PRELUDE = struct.Struct("!III")
_LENGTHS = struct.Struct("!II")
_CRC = struct.Struct("!I")
_OVERHEAD = _PRELUDE.size + _CRC.size
_INTEGERS = {2: struct.Struct("!b"), 3: struct.Struct("!h"), 4: struct.Struct("!i"), 5: struct.Struct("!q")}
_INTEGERS[8] = _INTEGERS[5]
_LENGTH = struct.Struct("!H")
_MOST_REMEMBERED = 64


class Frame(msgspec.Struct, frozen=True):
    """One frame.

    Attributes:
        headers: Its headers.
        payload: Its payload.
        raw: Its bytes.
    """

    headers: Mapping[str, HeaderValue]
    payload: bytes
    raw: bytes

    @property
    def kind(self) -> str:
        """``event``, ``exception`` or ``error``."""
        return str(self.headers.get(":message-type", ""))

    @property
    def name(self) -> str:
        """The type of the event or exception, or the code of the error."""
        for header in (":event-type", ":exception-type", ":error-code"):
            if (value := self.headers.get(header)) is not None:
                return str(value)
        return ""


class EventStreamParser:
    """Cuts a stream into frames and checks their sums.

    Args:
        max_frame_bytes: The most bytes of one frame: what one stream can make this process keep.
    """

    __slots__ = ("_buffer", "_limit", "_offset", "_remembered")

    def __init__(self, *, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._limit = max_frame_bytes
        self._buffer = bytearray()
        self._offset = 0
        self._remembered: dict[bytes, Mapping[str, HeaderValue]] = {}

    @property
    def pending(self) -> bytes:
        """The bytes that came after the last whole frame."""
        return bytes(self._buffer)

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take the next bytes.

        Returns:
            The frames that they complete.

        Raises:
            MalformedStreamError: They are no frames, or a sum does not match. Nothing can be read after that.
        """
        buffer = self._buffer
        buffer += chunk
        frames: list[Frame] = []
        start = 0
        while len(buffer) - start >= _PRELUDE.size:
            total, head, crc = _PRELUDE.unpack_from(buffer, start)
            self._check_prelude(bytes(buffer[start : start + _LENGTHS.size]), total, head, crc)
            if len(buffer) - start < total:
                break
            frames.append(self._frame(bytes(buffer[start : start + total]), head))
            start += total
            self._offset += total
        del buffer[:start]
        return frames

    def close(self) -> None:
        """The stream has ended.

        Raises:
            MalformedStreamError: It ends within a frame.
        """
        if self._buffer:
            raise MalformedStreamError("the stream ends within a frame", offset=self._offset)

    def _check_prelude(self, lengths: bytes, total: int, head: int, crc: int) -> None:
        if crc32(lengths) != crc:
            raise MalformedStreamError("the sum of a frame's lengths does not match", offset=self._offset)
        if head > _MAX_HEADER_BYTES or total < head + _OVERHEAD or total > self._limit:
            raise MalformedStreamError(
                f"a frame of {total} bytes with {head} bytes of headers cannot be", offset=self._offset
            )

    def _frame(self, raw: bytes, head: int) -> Frame:
        if crc32(raw[: -_CRC.size]) != _CRC.unpack_from(raw, len(raw) - _CRC.size)[0]:
            raise MalformedStreamError("the sum of a frame does not match", offset=self._offset)
        end = _PRELUDE.size + head
        encoded = raw[_PRELUDE.size : end]
        headers = self._remembered.get(encoded)
        if headers is None:
            try:
                headers = _headers(encoded)
            except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
                raise MalformedStreamError(
                    f"the headers of a frame cannot be read: {error}", offset=self._offset
                ) from None
            # The events of a stream have the same few headers again and again.
            if len(self._remembered) < _MOST_REMEMBERED:
                self._remembered[encoded] = headers
        return Frame(headers, raw[end : -_CRC.size], raw)


def _headers(encoded: bytes) -> Mapping[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    place = 0
    while place < len(encoded):
        name_end = place + 1 + encoded[place]
        name = encoded[place + 1 : name_end].decode()
        kind = encoded[name_end]
        place = name_end + 1
        value: HeaderValue
        if kind in (0, 1):
            value = kind == 0
        elif kind in _INTEGERS:
            (value,) = _INTEGERS[kind].unpack_from(encoded, place)
            place += _INTEGERS[kind].size
        elif kind in (6, 7, 9):
            length = 16
            if kind != 9:
                (length,) = _LENGTH.unpack_from(encoded, place)
                place += _LENGTH.size
            content = encoded[place : place + length]
            if len(content) < length:
                raise ValueError("a value is longer than the headers")
            value = content.decode() if kind == 7 else content
            place += length
        else:
            raise ValueError(f"unknown type {kind}")
        if name in headers:
            raise ValueError("a name stands twice")
        headers[name] = value
    return headers


def encode_frame(headers: Mapping[str, HeaderValue], payload: bytes) -> bytes:
    """A frame as bytes.

    Raises:
        ValueError: A name has more than 255 bytes, a value more than 65,535, or a number more than 64 bits.
    """
    encoded = b"".join([_header(name, value) for name, value in headers.items()])
    lengths = _LENGTHS.pack(_OVERHEAD + len(encoded) + len(payload), len(encoded))
    message = b"%b%b%b%b" % (lengths, _CRC.pack(crc32(lengths)), encoded, payload)
    return message + _CRC.pack(crc32(message))


def encode_event(name: str, payload: bytes) -> bytes:
    """An event of that type with a JSON payload."""
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return encode_frame(headers, payload)


def encode_exception(name: str, payload: bytes) -> bytes:
    """An error within a stream; ``name`` is the stream's member, which begins with a small letter."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return encode_frame(headers, payload)


def _header(name: str, value: HeaderValue) -> bytes:
    encoded_name = name.encode()
    if not 0 < len(encoded_name) <= 255:
        raise ValueError(f"the name of a header has 1 to 255 bytes, got {len(encoded_name)}")
    head = bytes((len(encoded_name),)) + encoded_name
    if isinstance(value, bool):
        return head + (b"\x00" if value else b"\x01")
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError("a header's number has at most 64 bits")
        return head + b"\x05" + _INTEGERS[5].pack(value)
    content = value.encode() if isinstance(value, str) else value
    if len(content) > 65_535:
        raise ValueError(f"the value of a header has at most 65535 bytes, got {len(content)}")
    return head + (b"\x07" if isinstance(value, str) else b"\x06") + _LENGTH.pack(len(content)) + content
