"""Converse blocks as content of the Messages API: the inverse of `anthropic_read`.

What comes out is what `anthropic_read` reads back as the same blocks, but for what is named as an edit. Known
limitation: whether a model takes a block (documents, thinking of another model) is not judged here; that is for
`turnout.messages.portability`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from turnout.messages.conversation import Block, Message
from turnout.messages.wire import media
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.fields import Fields, Notes

_NOT_MARKED = frozenset({"thinking", "redacted_thinking"})
"""Types of blocks that take no ``cache_control``."""


def messages(given: Sequence[Message], notes: Notes) -> list[dict[str, Any]]:
    """Messages of the Messages API."""
    return [
        {"role": message["role"], "content": blocks(message["content"], f"messages.{index}.content", notes)}
        for index, message in enumerate(given)
    ]


def blocks(given: Iterable[Block], path: str, notes: Notes) -> list[dict[str, Any]]:
    """Content blocks; a cache point becomes the ``cache_control`` of the block before it."""
    written: list[dict[str, Any]] = []
    for index, block in enumerate(given):
        place = f"{path}.{index}"
        if "cachePoint" in block:
            _mark(written, block["cachePoint"], place, notes)
        elif (one := _block(block, place, notes)) is not None:
            written.append(one)
    return written


def tools(given: Iterable[Block], notes: Notes) -> list[dict[str, Any]]:
    """Definitions of tools."""
    written: list[dict[str, Any]] = []
    for index, block in enumerate(given):
        path = f"tools.{index}"
        if "cachePoint" in block:
            _mark(written, block["cachePoint"], path, notes)
        elif "toolSpec" in block:
            spec = Fields(block["toolSpec"], f"{path}.toolSpec", notes)
            tool: dict[str, Any] = {"name": spec.need("name", str)}
            if (description := spec.take("description", str)) is not None:
                tool["description"] = description
            tool["input_schema"] = (spec.left.pop("inputSchema", None) or {}).get("json")
            if (strict := spec.take("strict", bool)) is not None:
                tool["strict"] = strict
            spec.rest()
            written.append(tool)
        elif (own := native(block)) is not None:
            written.append(own)
        else:
            notes.refuse(path)
    return written


def native(block: Block) -> dict[str, Any] | None:
    """The block of the Messages API that a native one holds, or none."""
    held = block.get("native")
    if isinstance(held, Mapping) and held.get("protocol") == WireProtocol.ANTHROPIC.value:
        return dict(held["block"])
    return None


def _mark(written: list[dict[str, Any]], point: Mapping[str, Any], path: str, notes: Notes) -> None:
    rest = set(point) - {"type", "ttl"}
    if not written or rest or written[-1].get("type") in _NOT_MARKED or "cache_control" in written[-1]:
        notes.refuse(path)
        return
    ttl = point.get("ttl")
    written[-1]["cache_control"] = {"type": "ephemeral"} if ttl is None else {"type": "ephemeral", "ttl": ttl}


def _block(block: Block, path: str, notes: Notes) -> dict[str, Any] | None:
    if len(block) == 1:
        ((name, value),) = block.items()
        if name == "text":
            return {"type": "text", "text": value}
        if name == "native":
            own = native(block)
        else:
            writer = _WRITERS.get(name)
            if writer is not None:
                fields = Fields(value, f"{path}.{name}", notes)
                written = writer(fields)
                if written is not None:
                    fields.rest()
                return written
            own = None
        if own is not None:
            return own
    notes.refuse(path)
    return None


def _reasoning(block: Fields) -> dict[str, Any] | None:
    redacted = block.take("redactedContent", bytes)
    text = block.inner("reasoningText")
    if redacted is not None:
        return {"type": "redacted_thinking", "data": media.encoded(redacted)}
    if text is None:
        block.notes.refuse(block.path)
        return None
    thinking = {"type": "thinking", "thinking": text.need("text", str)}
    if (signature := text.take("signature", str)) is not None:
        thinking["signature"] = signature
    text.rest()
    return thinking


def _tool_use(block: Fields) -> dict[str, Any] | None:
    given = block.left.pop("input", None)
    if not isinstance(given, Mapping | msgspec.Raw):
        block.notes.refuse(block.at("input"))
        return None
    return {
        "type": "tool_use",
        "id": block.need("toolUseId", str),
        "name": block.need("name", str),
        "input": given,
    }


def _tool_result(block: Fields) -> dict[str, Any]:
    written: dict[str, Any] = {"type": "tool_result", "tool_use_id": block.need("toolUseId", str)}
    content: list[dict[str, Any]] = []
    path = block.at("content")
    for index, part in enumerate(block.take("content", list) or []):
        place = f"{path}.{index}"
        if "json" in part:
            block.notes.edit("tool_json_as_text", place)
            content.append({"type": "text", "text": msgspec.json.encode(part["json"]).decode()})
        elif "cachePoint" in part or "toolUse" in part or "toolResult" in part or "reasoningContent" in part:
            block.notes.refuse(place)
        elif (one := _block(part, place, block.notes)) is not None:
            content.append(one)
    written["content"] = content
    if (status := block.take("status", str)) is not None:
        written["is_error"] = status == "error"
    return written


def _image(block: Fields) -> dict[str, Any] | None:
    image_format = block.take("format", str)
    source = block.inner("source")
    data = None if source is None else source.take("bytes", bytes)
    if source is None or (data is None and (url := _url(source)) is None):
        block.notes.refuse(block.at("source"))
        return None
    source.rest()
    if data is None:
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type = media.IMAGE + {"jpg": "jpeg"}.get(image_format or "", image_format or "")
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": media.encoded(data)}}


def _url(source: Fields) -> str | None:
    location = source.take("location", dict)
    if location is None or location.get("type") != "url":
        return None
    uri = location.get("uri")
    return uri if isinstance(uri, str) else None


def _document(block: Fields) -> dict[str, Any] | None:
    source = _document_source(block)
    if source is None:
        return None
    written: dict[str, Any] = {"type": "document", "source": source}
    for name, theirs in (("name", "title"), ("context", "context")):
        if (text := block.take(name, str)) is not None:
            written[theirs] = text
    if (citations := block.take("citations", dict)) is not None:
        written["citations"] = citations
    return written


def _document_source(block: Fields) -> dict[str, Any] | None:
    document_format = block.take("format", str)
    source = block.inner("source")
    if source is None:
        block.notes.refuse(block.at("source"))
        return None
    data, text, content = source.take("bytes", bytes), source.take("text", str), source.take("content", list)
    url = _url(source) if data is None and text is None and content is None else None
    source.rest()
    if url is not None:
        return {"type": "url", "url": url}
    if content is not None and all(set(part) == {"text"} for part in content):
        return {"type": "content", "content": [{"type": "text", "text": part["text"]} for part in content]}
    if data is not None and document_format == "pdf":
        return {"type": "base64", "media_type": "application/pdf", "data": media.encoded(data)}
    if data is not None and document_format in media.TEXT_FORMATS:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            block.notes.refuse(source.at("bytes"))
            return None
        block.notes.edit("document_source", block.path)
    if text is None or document_format not in (None, *media.TEXT_FORMATS):
        block.notes.refuse(block.at("source"))
        return None
    if document_format not in (None, "txt"):
        block.notes.edit("document_format", block.path)
    return {"type": "text", "media_type": "text/plain", "data": text}


def _search_result(block: Fields) -> dict[str, Any]:
    written: dict[str, Any] = {
        "type": "search_result",
        "source": block.need("source", str),
        "title": block.need("title", str),
        "content": [{"type": "text", "text": part["text"]} for part in block.take("content", list) or []],
    }
    if (citations := block.take("citations", dict)) is not None:
        written["citations"] = citations
    return written


_RANGES = {
    "documentChar": ("char_location", "documentIndex", "document_index", "start_char_index", "end_char_index"),
    "documentPage": ("page_location", "documentIndex", "document_index", "start_page_number", "end_page_number"),
    "documentChunk": (
        "content_block_location",
        "documentIndex",
        "document_index",
        "start_block_index",
        "end_block_index",
    ),
    "searchResultLocation": (
        "search_result_location",
        "searchResultIndex",
        "search_result_index",
        "start_block_index",
        "end_block_index",
    ),
}


def _cited(block: Fields) -> dict[str, Any] | None:
    content = block.take("content", list) or []
    citations = [_citation(citation) for citation in block.items("citations")]
    if len(content) != 1 or set(content[0]) != {"text"} or None in citations:
        block.notes.refuse(block.path)
        return None
    return {"type": "text", "text": content[0]["text"], "citations": citations}


def _citation(citation: Fields) -> dict[str, Any] | None:
    location = citation.take("location", dict) or {}
    name = next(iter(location), "")
    parts = citation.take("sourceContent", list) or []
    if name not in _RANGES or len(location) != 1 or len(parts) != 1 or set(parts[0]) != {"text"}:
        return None
    kind, ours, theirs, start, end = _RANGES[name]
    place = Fields(location[name], citation.at(f"location.{name}"), citation.notes)
    written: dict[str, Any] = {
        "type": kind,
        "cited_text": parts[0]["text"],
        theirs: place.need(ours, int),
        start: place.need("start", int),
        end: place.need("end", int),
    }
    place.rest()
    title = citation.take("title", str)
    if kind == "search_result_location":
        written |= {"title": title, "source": citation.need("source", str)}
    else:
        written["document_title"] = title
    citation.rest()
    return written


_WRITERS: dict[str, Callable[[Fields], dict[str, Any] | None]] = {
    "reasoningContent": _reasoning,
    "toolUse": _tool_use,
    "toolResult": _tool_result,
    "image": _image,
    "document": _document,
    "searchResult": _search_result,
    "citationsContent": _cited,
}
