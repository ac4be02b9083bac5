"""Images, documents and sounds: their formats' names on each side, and base64."""

from __future__ import annotations

import base64
import binascii
from typing import Any

IMAGE = "image/"

DOCUMENT_TYPES = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "csv": "text/csv",
    "html": "text/html",
    "md": "text/markdown",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""Media types of Converse's document formats."""

DOCUMENT_FORMATS = {media_type: name for name, media_type in DOCUMENT_TYPES.items()}
"""The formats of those media types."""

TEXT_FORMATS = frozenset({"csv", "html", "md", "txt"})
"""Document formats that are text, which Anthropic takes as such."""


def decoded(text: str) -> bytes | None:
    """The bytes of base64 in its strict form; none where a text is something else."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def encoded(data: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(data).decode("ascii")


def source_of(data: str) -> dict[str, Any]:
    """A Converse source of base64; without bytes where it is none, so that the block still counts as what it is."""
    content = decoded(data)
    return {} if content is None else {"bytes": content}


def data_url(media_type: str, data: bytes) -> str:
    """A ``data:`` URL."""
    return f"data:{media_type};base64,{encoded(data)}"


def split_data_url(url: str) -> tuple[str, str] | None:
    """Media type (small letters, without parameters) and base64 of a ``data:`` URL; none where it is no such URL."""
    head, comma, data = url.partition(",")
    if not comma or head[:5].lower() != "data:" or not head.lower().endswith(";base64"):
        return None
    return head[5:].partition(";")[0].lower(), data
