"""Converse blocks as messages and tools of Chat Completions: the inverse of `openai_read`.

A message of the user with tool results becomes one message of role ``tool`` for each, then one of the user with what
else it holds: results must follow the calls at once. Cache points, thinking and failed results have no place here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from turnout.messages.conversation import Block, Message
from turnout.messages.wire import media
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.fields import Fields, Notes


def messages(system: Iterable[Block], given: Sequence[Message], notes: Notes) -> list[dict[str, Any]]:
    """Messages of Chat Completions, the system first."""
    written: list[dict[str, Any]] = []
    for index, block in enumerate(system):
        if set(block) == {"text"}:
            written.append({"role": "system", "content": block["text"]})
        else:
            notes.refuse(f"system.{index}")
    for index, message in enumerate(given):
        path = f"messages.{index}.content"
        if message["role"] == "assistant":
            written.append(_assistant(message["content"], path, notes))
        else:
            written += _results(message["content"], path, notes)
            others = [(place, block) for place, block in enumerate(message["content"]) if "toolResult" not in block]
            if others or not message["content"]:
                written.append({"role": message["role"], "content": _content(others, path, notes)})
    return written


def tools(given: Iterable[Block], notes: Notes) -> list[dict[str, Any]]:
    """Definitions of tools."""
    written: list[dict[str, Any]] = []
    for index, block in enumerate(given):
        path = f"tools.{index}"
        own = native(block)
        if "toolSpec" in block:
            spec = Fields(block["toolSpec"], f"{path}.toolSpec", notes)
            function: dict[str, Any] = {"name": spec.need("name", str)}
            if (description := spec.take("description", str)) is not None:
                function["description"] = description
            function["parameters"] = (spec.left.pop("inputSchema", None) or {}).get("json")
            if (strict := spec.take("strict", bool)) is not None:
                function["strict"] = strict
            spec.rest()
            written.append({"type": "function", "function": function})
        elif own is not None and "type" in own:
            written.append(own)
        else:
            notes.refuse(path)
    return written


def native(block: Block) -> dict[str, Any] | None:
    """What a native block holds of Chat Completions, or none."""
    held = block.get("native")
    if isinstance(held, Mapping) and held.get("protocol") == WireProtocol.OPENAI_CHAT.value:
        return dict(held["block"])
    return None


def _assistant(blocks: Sequence[Block], path: str, notes: Notes) -> dict[str, Any]:
    texts, calls = [], []
    for index, block in enumerate(blocks):
        place = f"{path}.{index}"
        if "toolUse" in block:
            calls.append(_tool_call(Fields(block["toolUse"], f"{place}.toolUse", notes)))
        elif set(block) == {"text"} and not calls:
            texts.append({"type": "text", "text": block["text"]})
        else:
            # A text after a call has no place either: calls come last.
            notes.refuse(place)
    content: Any = texts[0]["text"] if len(texts) == 1 else texts or None
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = calls
    elif content is None:
        message["content"] = ""
    return message


def _tool_call(use: Fields) -> dict[str, Any]:
    given = use.left.pop("input", None)
    if not isinstance(given, str):  # a text is what was no JSON object when it came
        given = msgspec.json.encode(given).decode()
    call = {
        "id": use.need("toolUseId", str),
        "type": "function",
        "function": {"name": use.need("name", str), "arguments": given},
    }
    use.rest()
    return call


def _results(blocks: Sequence[Block], path: str, notes: Notes) -> list[dict[str, Any]]:
    """A message for each result; their images in one of the user after all of them."""
    written, beside = [], []
    for index, block in enumerate(blocks):
        if "toolResult" not in block:
            continue
        result = Fields(block["toolResult"], f"{path}.{index}.toolResult", notes)
        if result.take("status", str) == "error":
            notes.refuse(result.at("status"))
        texts: list[dict[str, Any]] = []
        for number, part in enumerate(result.take("content", list) or []):
            place = f"{result.at('content')}.{number}"
            if "image" in part:
                notes.edit("tool_image_beside", place)
                beside.append((place, part))
            elif "json" in part:
                notes.edit("tool_json_as_text", place)
                texts.append({"type": "text", "text": msgspec.json.encode(part["json"]).decode()})
            elif set(part) == {"text"}:
                texts.append({"type": "text", "text": part["text"]})
            else:
                notes.refuse(place)
        call_id = result.need("toolUseId", str)
        result.rest()
        content: Any = texts[0]["text"] if len(texts) == 1 else texts or ""
        written.append({"role": "tool", "tool_call_id": call_id, "content": content})
    if beside:
        pictures = [one for place, part in beside if (one := _part(part, place, notes)) is not None]
        written.append({"role": "user", "content": pictures})
    return written


def _content(blocks: Sequence[tuple[int, Block]], path: str, notes: Notes) -> Any:
    if len(blocks) == 1 and set(blocks[0][1]) == {"text"}:
        return blocks[0][1]["text"]
    return [one for index, block in blocks if (one := _part(block, f"{path}.{index}", notes)) is not None]


def _part(block: Block, path: str, notes: Notes) -> dict[str, Any] | None:
    name = next(iter(block), "")
    if len(block) == 1 and name == "text":
        return {"type": "text", "text": block["text"]}
    if (own := native(block)) is not None and "type" in own:
        return own
    if len(block) != 1 or name not in ("image", "document", "audio"):
        notes.refuse(path)
        return None
    fields = Fields(block[name], f"{path}.{name}", notes)
    file_format, source = fields.take("format", str), fields.inner("source")
    data = None if source is None else source.take("bytes", bytes)
    written: dict[str, Any] | None = None
    if source is not None and name == "image":
        written = _image(file_format, data, source)
    elif data is not None and name == "audio":
        written = {"type": "input_audio", "input_audio": {"data": media.encoded(data), "format": file_format}}
    elif data is not None and file_format == "pdf":
        file = {"file_data": media.data_url(media.DOCUMENT_TYPES["pdf"], data)}
        if (document_name := fields.take("name", str)) is not None:
            file["filename"] = document_name
        written = {"type": "file", "file": file}
    if written is None:
        notes.refuse(path)
        return None
    fields.rest()
    if source is not None:
        source.rest()
    return written


def _image(image_format: str | None, data: bytes | None, source: Fields) -> dict[str, Any] | None:
    if data is not None:
        media_type = media.IMAGE + {"jpg": "jpeg"}.get(image_format or "", image_format or "")
        return {"type": "image_url", "image_url": {"url": media.data_url(media_type, data)}}
    location = source.take("location", dict)
    if location is None or location.get("type") != "url":
        return None
    return {"type": "image_url", "image_url": {"url": location["uri"]}}
