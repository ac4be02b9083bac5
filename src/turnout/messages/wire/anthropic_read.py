"""Content of the Messages API as Converse blocks: messages, system and tools.

``cache_control`` of a block becomes a cache point after it. Types and members are those of the API's published types
(anthropic 2.12, read 2026-11). What Converse has no form for stands as a ``native`` block, and is named by path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from turnout.messages.conversation import Conversation
from turnout.messages.wire import media
from turnout.messages.wire.asked import Read, WireProtocol
from turnout.messages.wire.fields import Fields, Notes, plain, wrong_type
from turnout.messages.wire.malformed import MalformedBodyError
from turnout.messages.wire.remembered import RememberedTools
from turnout.messages.wire.splice import Body, decode_member

_ANY = msgspec.json.Decoder(Any)
_TOOLS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_ROLES = ("user", "assistant", "system")


def read(body: Body) -> Read:
    """The conversation of a body.

    Raises:
        MalformedBodyError: It does not have the shape of the Messages API.
    """
    notes = Notes()
    values = decode_member(body, "messages", _ANY)
    if not isinstance(values, list):
        raise wrong_type(values, list, "messages")
    messages = []
    for index, value in enumerate(values):
        # Nearly every message of nearly every request.
        if type(value) is dict and len(value) == 2 and value.get("role") in _ROLES and "content" in value:
            content = blocks(value["content"], f"messages.{index}.content", notes)
            messages.append({"role": value["role"], "content": content})
            continue
        message = Fields(value, f"messages.{index}", notes)
        role = message.need("role", str)
        if role not in _ROLES:
            raise MalformedBodyError(f"must be one of {', '.join(_ROLES)}", path=message.at("role"))
        messages.append(
            {"role": role, "content": blocks(message.left.pop("content", None), message.at("content"), notes)}
        )
        if message.left:
            message.rest()
    system = decode_member(body, "system", _ANY)
    return Read(
        Conversation(
            messages=messages,
            system=[] if system is None else blocks(system, "system", notes),
            tools=_tools(body, notes),
        ),
        tuple(notes.untranslatable),
    )


def blocks(content: Any, path: str, notes: Notes) -> list[dict[str, Any]]:
    """Converse blocks of a text or a list of content blocks.

    Raises:
        MalformedBodyError: It is neither, or one of the blocks lacks what its type needs.
    """
    if type(content) is str:
        return [{"text": content}]
    if type(content) is not list:
        raise wrong_type(content, list, path)
    found: list[dict[str, Any]] = []
    for index, value in enumerate(content):
        # Nearly every block of nearly every request.
        if type(value) is dict and len(value) == 2 and value.get("type") == "text" and type(value.get("text")) is str:
            found.append({"text": value["text"]})
            continue
        block = Fields(value, f"{path}.{index}", notes)
        kind = block.need("type", str)
        reader = _READERS.get(kind)
        cache = block.inner("cache_control")
        if reader is None:
            notes.refuse(block.path)
            found.append({"native": {"protocol": WireProtocol.ANTHROPIC.value, "block": {"type": kind, **block.left}}})
        else:
            found.append(reader(block))
            block.rest()
        if cache is not None:
            found.append(cache_point(cache))
    return found


def cache_point(cache: Fields) -> dict[str, Any]:
    """The cache point that a block's ``cache_control`` stands for."""
    if cache.need("type", str) != "ephemeral":
        cache.notes.refuse(cache.at("type"))
    ttl = cache.take("ttl", str)
    cache.rest()
    return {"cachePoint": {"type": "default"} if ttl is None else {"type": "default", "ttl": ttl}}


def _tools(body: Body, notes: Notes) -> Sequence[dict[str, Any]]:
    raw = body.raws.get("tools")
    if raw is None:
        return _read_tools(body, notes)
    return _REMEMBERED.read(bytes(raw), partial(_read_tools, body), notes)


_REMEMBERED = RememberedTools()


def _read_tools(body: Body, notes: Notes) -> list[dict[str, Any]]:
    tools = []
    for index, raw in enumerate(decode_member(body, "tools", _TOOLS) or []):
        schema = raw.pop("input_schema", None)
        tool = Fields({name: plain(value) for name, value in raw.items()}, f"tools.{index}", notes)
        cache = tool.inner("cache_control")
        kind = tool.take("type", str)
        if kind not in (None, "custom") or schema is None:
            notes.refuse(tool.path)
            shown = {"type": kind, **tool.left} if kind else dict(tool.left)
            if schema is not None:
                shown["input_schema"] = schema
            tools.append({"native": {"protocol": WireProtocol.ANTHROPIC.value, "block": shown}})
        else:
            spec: dict[str, Any] = {"name": tool.need("name", str)}
            if (description := tool.take("description", str)) is not None:
                spec["description"] = description
            spec["inputSchema"] = {"json": schema}
            if (strict := tool.take("strict", bool)) is not None:
                spec["strict"] = strict
            tools.append({"toolSpec": spec})
            tool.rest()
        if cache is not None:
            tools.append(cache_point(cache))
    return tools


def _text(block: Fields) -> dict[str, Any]:
    text = block.need("text", str)
    path = block.at("citations")
    citations = [_citation(citation) for citation in block.items("citations")]
    if not citations:
        return {"text": text}
    if None in citations:
        block.notes.refuse(path)
        return {"text": text}
    return {"citationsContent": {"content": [{"text": text}], "citations": citations}}


_RANGES = {
    "char_location": ("documentChar", "document_index", "documentIndex", "start_char_index", "end_char_index"),
    "page_location": ("documentPage", "document_index", "documentIndex", "start_page_number", "end_page_number"),
    "content_block_location": (
        "documentChunk",
        "document_index",
        "documentIndex",
        "start_block_index",
        "end_block_index",
    ),
    "search_result_location": (
        "searchResultLocation",
        "search_result_index",
        "searchResultIndex",
        "start_block_index",
        "end_block_index",
    ),
}
"""For each type of citation: Converse's name, both names of what is cited, and the names of its range."""


def _citation(citation: Fields) -> dict[str, Any] | None:
    names = _RANGES.get(citation.need("type", str))
    if names is None:
        return None
    location, theirs, ours, start, end = names
    found: dict[str, Any] = {}
    for name in ("title", "source") if location == "searchResultLocation" else ("document_title",):
        if (text := citation.take(name, str)) is not None:
            found["source" if name == "source" else "title"] = text
    found["sourceContent"] = [{"text": citation.need("cited_text", str)}]
    place = {
        ours: citation.need(theirs, int),
        "start": citation.need(start, int),
        "end": citation.need(end, int),
    }
    found["location"] = {location: place}
    citation.rest()
    return found


def _image(block: Fields) -> dict[str, Any]:
    source = block.need("source", dict)
    inner = Fields(source, block.at("source"), block.notes)
    match inner.need("type", str):
        case "base64":
            media_type, bytes_ = inner.need("media_type", str), media.source_of(inner.need("data", str))
            inner.rest()
            if not bytes_:
                block.notes.refuse(inner.at("data"))
            return {"image": {"format": media_type.removeprefix(media.IMAGE), "source": bytes_}}
        case kind:
            return {"image": {"source": {"location": _location(inner, kind)}}}


def _location(source: Fields, kind: str) -> dict[str, Any]:
    """Where media are that a request only names; a file that the provider keeps has no meaning elsewhere."""
    if kind == "url":
        found = {"type": "url", "uri": source.need("url", str)}
        source.rest()
        return found
    source.notes.refuse(source.path)
    return {"type": kind}


def _document(block: Fields) -> dict[str, Any]:
    document: dict[str, Any] = {}
    inner = Fields(block.need("source", dict), block.at("source"), block.notes)
    kind = inner.need("type", str)
    if kind == "base64":
        media_type = inner.need("media_type", str)
        document["format"] = media.DOCUMENT_FORMATS.get(media_type, media_type)
        document["source"] = media.source_of(inner.need("data", str))
        if not document["source"]:
            block.notes.refuse(inner.at("data"))
        inner.rest()
    elif kind == "text":
        if inner.take("media_type", str) not in (None, "text/plain"):
            block.notes.refuse(inner.at("media_type"))
        document |= {"format": "txt", "source": {"text": inner.need("data", str)}}
        inner.rest()
    elif kind == "content":
        document["source"] = {"content": _parts(inner)}
        inner.rest()
    else:
        document |= {"format": "pdf"} if kind == "url" else {}
        document["source"] = {"location": _location(inner, kind)}
    if (title := block.take("title", str)) is not None:
        document["name"] = title
    if (context := block.take("context", str)) is not None:
        document["context"] = context
    if (citations := _cites(block)) is not None:
        document["citations"] = citations
    return {"document": document}


def _cites(block: Fields) -> dict[str, Any] | None:
    inner = block.inner("citations")
    if inner is None:
        return None
    enabled = inner.take("enabled", bool)
    inner.rest()
    return {"enabled": bool(enabled)}


def _parts(source: Fields) -> list[dict[str, Any]]:
    """Texts of a document that is given in parts, or of a search result: nothing else has a place in Converse."""
    content = source.left.get("content")
    if isinstance(content, str):
        del source.left["content"]
        return [{"text": content}]
    parts = []
    for part in source.items("content"):
        if part.need("type", str) != "text":
            source.notes.refuse(part.path)
            continue
        parts.append({"text": part.need("text", str)})
        part.rest()
    return parts


def _search_result(block: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {"source": block.need("source", str), "title": block.need("title", str)}
    found["content"] = _parts(block)
    if (citations := _cites(block)) is not None:
        found["citations"] = citations
    return {"searchResult": found}


def _thinking(block: Fields) -> dict[str, Any]:
    reasoning: dict[str, Any] = {"text": block.need("thinking", str)}
    if (signature := block.take("signature", str)) is not None:
        reasoning["signature"] = signature
    return {"reasoningContent": {"reasoningText": reasoning}}


def _redacted(block: Fields) -> dict[str, Any]:
    data = block.need("data", str)
    content = media.decoded(data)
    if content is None or media.encoded(content) != data:
        # It must go back to the last character, which bytes could not promise.
        block.notes.refuse(block.path)
        shown = {"type": "redacted_thinking", "data": data}
        return {"native": {"protocol": WireProtocol.ANTHROPIC.value, "block": shown}}
    return {"reasoningContent": {"redactedContent": content}}


def _tool_use(block: Fields) -> dict[str, Any]:
    found = {
        "toolUseId": block.need("id", str),
        "name": block.need("name", str),
        "input": block.need("input", dict),
    }
    if block.left.get("caller") == {"type": "direct"}:
        del block.left["caller"]  # what it is anyway
    return {"toolUse": found}


def _tool_result(block: Fields) -> dict[str, Any]:
    found: dict[str, Any] = {"toolUseId": block.need("tool_use_id", str)}
    content = block.left.pop("content", None)
    found["content"] = [] if content is None else _result_blocks(content, block.at("content"), block.notes)
    if (is_error := block.take("is_error", bool)) is not None:
        found["status"] = "error" if is_error else "success"
    return {"toolResult": found}


def _result_blocks(content: Any, path: str, notes: Notes) -> list[dict[str, Any]]:
    """Blocks within a result, where Converse has no place for cache points."""
    if type(content) is list:
        for index, value in enumerate(content):
            if isinstance(value, dict) and value.get("cache_control") is not None:
                notes.refuse(f"{path}.{index}.cache_control")
                del value["cache_control"]
    return blocks(content, path, notes)


_READERS: dict[str, Callable[[Fields], dict[str, Any]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
}
