"""Items and tools of the Responses API as Converse blocks.

- ``instructions``, and system and developer messages before the first other item, are the system; a later one stays
  where it is, as a message with role ``system``.
- Neighbouring items of one speaker are one message: an answer is a list of reasoning, text and calls here, each an item
  of its own, and so are the results of several calls.
- Arguments of a call, a text here, are the decoded object; a text that is no JSON object stays a text.
- Reasoning that came encrypted is a thought whose signature holds the item's id and what is encrypted, as Strands
  writes it. Reasoning without that stands for what the provider keeps (`stored_items`).

Types and members are those of the API's published types (openai 3.54, read 2026-11). What Converse has no form for
stands as a ``native`` block, and is named by path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from turnout.messages.conversation import Conversation
from turnout.messages.wire import media
from turnout.messages.wire.asked import Read, WireProtocol
from turnout.messages.wire.fields import Fields, Notes, fields_of, plain, wrong_type
from turnout.messages.wire.malformed import MalformedBodyError
from turnout.messages.wire.openai_read import NO_PARAMETERS, split_image
from turnout.messages.wire.splice import Body, decode_member

Role = Literal["user", "assistant"]


class _ItemType(msgspec.Struct):
    type: Any = None
    id: Any = None
    encrypted_content: Any = None


_ANY = msgspec.json.Decoder(Any)
_INPUT = msgspec.json.Decoder(str | list[_ItemType] | None)
_TEXT = msgspec.json.Decoder(str | None)
_TOOLS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None)
_SYSTEM = ("system", "developer")
_STORED = (b"reference", b"reasoning")


def read(body: Body) -> Read:
    """The conversation of a body.

    Raises:
        MalformedBodyError: It does not have the shape of the Responses API.
    """
    notes = Notes()
    reading = _Reading(notes)
    if instructions := decode_member(body, "instructions", _TEXT):
        reading.system.append({"text": instructions})
    values = decode_member(body, "input", _ANY)
    if isinstance(values, str):
        reading.add("user", [{"text": values}])
    elif isinstance(values, list):
        for item in fields_of(values, "input", notes):
            reading.take(item)
    elif values is not None:
        raise wrong_type(values, list, "input")
    tools = _tools(body, notes)
    conversation = Conversation(messages=reading.messages, system=reading.system, tools=tools)
    return Read(conversation, tuple(notes.untranslatable))


def stored_items(body: Body) -> list[str]:
    """The ids of items that the provider keeps and the input points at.

    Those are references, and reasoning whose content is not in the input.

    Raises:
        MalformedBodyError: The input is neither a text nor a list of objects.
    """
    if "input" not in body:
        return []
    _, start, end = body.span("input")
    if all(body.data.find(mark, start, end) < 0 for mark in _STORED):
        return []  # as nearly always: the items are not looked at
    items = decode_member(body, "input", _INPUT)
    return [
        item.id
        for item in (items if isinstance(items, list) else ())
        if isinstance(item.id, str)
        and (item.type == "item_reference" or (item.type == "reasoning" and not item.encrypted_content))
    ]


class _Reading:
    """System and messages as they are put together."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.system: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self._joins = False

    def add(self, role: str, blocks: list[dict[str, Any]], *, joins: bool = False) -> None:
        """Put blocks after those before them: into the same message where both are parts of one turn of a speaker."""
        last = self.messages[-1] if self.messages else None
        if last is not None and last["role"] == role and joins and self._joins:
            last["content"] += blocks
        else:
            self.messages.append({"role": role, "content": blocks})
        self._joins = joins

    def take(self, item: Fields) -> None:
        """Put the blocks of an item."""
        kind = item.take("type", str) or ("message" if "role" in item.left else "item_reference")
        if kind == "message":
            self._message(item)
            return
        reader = _ITEMS.get(kind)
        if reader is None:
            item.notes.refuse(item.path)
            self.add(*_other(kind, item.left), joins=True)
            return
        role, block = reader(item)
        item.rest("id", "status")
        self.add(role, [block], joins=True)

    def _message(self, item: Fields) -> None:
        role = item.need("role", str)
        blocks = parts(item, "content")
        item.rest("id", "status", "phase")
        if role in _SYSTEM and not self.messages:
            self.system += blocks
        elif role in _SYSTEM:
            self.add("system", blocks)
        elif role == "user":
            self.add("user", blocks)
        elif role == "assistant":
            self.add("assistant", blocks, joins=True)
        else:
            raise MalformedBodyError("is none of this API's roles", path=item.at("role"))


def parts(owner: Fields, name: str) -> list[dict[str, Any]]:
    """Converse blocks of a member that is a text or a list of parts.

    Raises:
        MalformedBodyError: It is neither, or a part lacks what its type needs.
    """
    content = owner.left.pop(name, None)
    if type(content) is str:
        return [{"text": content}]
    if type(content) is not list:
        raise wrong_type(content, list, owner.at(name))
    found: list[dict[str, Any]] = []
    for part in fields_of(content, owner.at(name), owner.notes):
        kind = part.need("type", str)
        reader = _PARTS.get(kind)
        if reader is None:
            part.notes.refuse(part.path)
            found.append(native({"type": kind, **part.left}))
        else:
            found.append(reader(part))
            part.rest()
    return found


def native(value: dict[str, Any]) -> dict[str, Any]:
    """A block that Converse has no form for."""
    return {"native": {"protocol": WireProtocol.OPENAI_RESPONSES.value, "block": value}}


def _text(part: Fields) -> dict[str, Any]:
    for name in ("annotations", "logprobs"):
        if not part.left.get(name):
            part.left.pop(name, None)
    return {"text": part.need("text", str)}


def _image(part: Fields) -> dict[str, Any]:
    if part.left.get("detail") == "auto":
        del part.left["detail"]  # what it is anyway
    url = part.take("image_url", str)
    if url is None:
        # A file that the provider keeps has no meaning elsewhere; it counts as an image all the same.
        part.notes.refuse(part.at("file_id"))
        part.left.pop("file_id", None)
        return {"image": {"source": {}}}
    inline = split_image(url, part.notes, part.at("image_url"))
    return {"image": {"source": {"location": {"type": "url", "uri": url}}} if inline is None else inline}


def _file(part: Fields) -> dict[str, Any]:
    document: dict[str, Any] = {"source": {}}
    data = part.take("file_data", str)
    split = None if data is None else media.split_data_url(data)
    if split is not None:
        document["format"] = media.DOCUMENT_FORMATS.get(split[0], split[0])
        document["source"] = media.source_of(split[1])
    if not document["source"]:
        part.notes.refuse(part.path)
        for name in ("file_id", "file_url"):
            part.left.pop(name, None)
    if (filename := part.take("filename", str)) is not None:
        document["name"] = filename
    return {"document": document}


_PARTS: dict[str, Callable[[Fields], dict[str, Any]]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "input_image": _image,
    "input_file": _file,
}


def _function_call(item: Fields) -> tuple[Role, dict[str, Any]]:
    call_id, name, arguments = item.need("call_id", str), item.need("name", str), item.need("arguments", str)
    given: Any = None
    try:
        given = _ANY.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        given = None
    if not isinstance(given, dict):
        item.notes.refuse(item.at("arguments"))
        given = arguments
    return "assistant", {"toolUse": {"toolUseId": call_id, "name": name, "input": given}}


def _function_call_output(item: Fields) -> tuple[Role, dict[str, Any]]:
    return "user", {"toolResult": {"toolUseId": item.need("call_id", str), "content": parts(item, "output")}}


def _custom_call(item: Fields) -> tuple[Role, dict[str, Any]]:
    # Its input is a text without a schema, which no other protocol has.
    item.notes.refuse(item.path)
    call: dict[str, Any] = {
        "toolUseId": item.need("call_id", str),
        "name": item.need("name", str),
        "input": item.need("input", str),
    }
    return "assistant", {"toolUse": call}


def _custom_call_output(item: Fields) -> tuple[Role, dict[str, Any]]:
    item.notes.refuse(item.path)
    return _function_call_output(item)


def _reasoning(item: Fields) -> tuple[Role, dict[str, Any]]:
    texts = []
    for name in ("summary", "content"):
        texts += [part.need("text", str) for part in item.items(name)]
    thought: dict[str, Any] = {"text": "\n".join(texts)}
    encrypted = item.take("encrypted_content", str)
    if encrypted is not None:
        held = {"id": item.left.get("id"), "encrypted_content": encrypted}
        thought["signature"] = msgspec.json.encode(held).decode()
    elif item.left.get("id") is not None:
        item.notes.refuse(item.path)
    return "assistant", {"reasoningContent": {"reasoningText": thought}}


_ITEMS: dict[str, Callable[[Fields], tuple[Role, dict[str, Any]]]] = {
    "function_call": _function_call,
    "function_call_output": _function_call_output,
    "custom_tool_call": _custom_call,
    "custom_tool_call_output": _custom_call_output,
    "reasoning": _reasoning,
}


def _other(kind: str, item: dict[str, Any]) -> tuple[Role, list[dict[str, Any]]]:
    """Who an item comes from that has no form elsewhere, and how it stands.

    Outputs of calls are the client's and go on with its turn; the rest is the provider's.
    """
    block = native({"type": kind, **item})
    if kind.endswith("_output"):
        return "user", [{"toolResult": {"toolUseId": str(item.get("call_id")), "content": [block]}}]
    return ("user" if kind.endswith("_response") else "assistant"), [block]


def _tools(body: Body, notes: Notes) -> list[dict[str, Any]]:
    """The tools; those that the provider runs itself stay raw."""
    tools = []
    for index, raw in enumerate((decode_member(body, "tools", _TOOLS) or []) if "tools" in body else ()):
        path = f"tools.{index}"
        if plain(raw.get("type")) != "function":
            notes.refuse(path)
            tools.append(native(dict(raw)))
            continue
        schema = raw.get("parameters")
        rest = {name: plain(value) for name, value in raw.items() if name not in ("type", "parameters")}
        function = Fields(rest, path, notes)
        spec: dict[str, Any] = {"name": function.need("name", str)}
        if (description := function.take("description", str)) is not None:
            spec["description"] = description
        missing = schema is None or bytes(schema) == b"null"
        spec["inputSchema"] = {"json": NO_PARAMETERS if missing else schema}
        if (strict := function.take("strict", bool)) is not None:
            spec["strict"] = strict
        function.rest()
        tools.append({"toolSpec": spec})
    return tools
