"""A hash over all that a value says, the same before and after it was stored."""

from __future__ import annotations

import hashlib

import msgspec


def content_hash(value: msgspec.Struct) -> str:
    """SHA-256 over all values, in hexadecimal digits.

    It is taken of the value as it reads back from storage: where a number was given as 1 and its field holds floats,
    it reads back as 1.0, and a hash of what was given would differ from that of what was stored.
    """
    stored = msgspec.json.decode(msgspec.json.encode(value), type=type(value))
    return hashlib.sha256(msgspec.json.encode(stored, order="deterministic")).hexdigest()
