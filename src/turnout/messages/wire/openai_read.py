"""Messages and tools of Chat Completions as Converse blocks.

- System and developer messages before the first other one are the system; a later one stays where it is, as a message
  with role ``system``.
- Messages of role ``tool`` that follow each other are one message of the user with their results.
- Arguments of a tool call, a text here, are the decoded object; a text that is no JSON object stays a text.

Types and members are those of the API's published types (openai 3.54, read 2026-11). What Converse has no form for
stands as a ``native`` block, and is named by path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from turnout.messages.conversation import Conversation
from turnout.messages.wire import media
from turnout.messages.wire.asked import Read, WireProtocol
from turnout.messages.wire.fields import Fields, Notes, fields_of, plain, wrong_type
from turnout.messages.wire.malformed import MalformedBodyError
from turnout.messages.wire.remembered import RememberedTools
from turnout.messages.wire.splice import Body, decode_member

NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')
"""The schema of a tool that states none, which means that it takes nothing."""

_ANY = msgspec.json.Decoder(Any)
_TOOLS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_FUNCTION = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SPEAKERS = ("user", "assistant")
_SYSTEM = ("system", "developer")


def read(body: Body) -> Read:
    """The conversation of a body.

    Raises:
        MalformedBodyError: It does not have the shape of Chat Completions.
    """
    notes = Notes()
    values = decode_member(body, "messages", _ANY)
    if not isinstance(values, list):
        raise wrong_type(values, list, "messages")
    system: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    results: list[dict[str, Any]] | None = None
    for index, value in enumerate(values):
        # Nearly every message of nearly every request.
        if type(value) is dict and len(value) == 2 and type(content := value.get("content")) is str:
            role = value.get("role")
            if role in _SPEAKERS:
                messages.append({"role": role, "content": [{"text": content}]})
                results = None
                continue
            if role in _SYSTEM and not messages:
                system.append({"text": content})
                continue
        message = Fields(value, f"messages.{index}", notes)
        role = message.need("role", str)
        if role == "tool":
            if results is None:
                results = []
                messages.append({"role": "user", "content": results})
            results.append(_tool_result(message))
        elif role in _SYSTEM and not messages:
            system += parts(message)
        elif role in ("user", *_SYSTEM):
            messages.append({"role": "user" if role == "user" else "system", "content": parts(message)})
        elif role == "assistant":
            messages.append({"role": role, "content": _assistant(message)})
        elif role == "function":
            notes.refuse(message.path)
            messages.append({"role": "user", "content": [_native({"role": role, **message.left})]})
            message.left.clear()
        else:
            raise MalformedBodyError("is none of this API's roles", path=message.at("role"))
        if role != "tool":
            results = None
        if message.left:
            message.rest()
    tools = _tools(body, notes)
    return Read(Conversation(messages=messages, system=system, tools=tools), tuple(notes.untranslatable))


def parts(message: Fields) -> list[dict[str, Any]]:
    """Converse blocks of a message's content: a text or a list of parts.

    Raises:
        MalformedBodyError: It is neither, or a part lacks what its type needs.
    """
    content = message.left.pop("content", None)
    if type(content) is str:
        return [{"text": content}]
    if type(content) is not list:
        raise wrong_type(content, list, message.at("content"))
    found: list[dict[str, Any]] = []
    for part in fields_of(content, message.at("content"), message.notes):
        kind = part.need("type", str)
        reader = _READERS.get(kind)
        if reader is None:
            part.notes.refuse(part.path)
            found.append(_native({"type": kind, **part.left}))
        else:
            found.append(reader(part))
            part.rest()
    return found


def _native(value: dict[str, Any]) -> dict[str, Any]:
    return {"native": {"protocol": WireProtocol.OPENAI_CHAT.value, "block": value}}


def _text(part: Fields) -> dict[str, Any]:
    return {"text": part.need("text", str)}


def _image(part: Fields) -> dict[str, Any]:
    image = Fields(part.need("image_url", dict), part.at("image_url"), part.notes)
    url = image.need("url", str)
    if image.left.get("detail") == "auto":
        del image.left["detail"]  # what it is anyway
    image.left.pop("format", None)  # Strands writes the media type here a second time
    image.rest()
    inline = split_image(url, part.notes, image.at("url"))
    return {"image": {"source": {"location": {"type": "url", "uri": url}}} if inline is None else inline}


def split_image(url: str, notes: Notes, path: str) -> dict[str, Any] | None:
    """Format and source of an image that is in its URL, or none."""
    split = media.split_data_url(url)
    if split is None:
        return None
    media_type, data = split
    source = media.source_of(data)
    if not source:
        notes.refuse(path)
    return {"format": media_type.removeprefix(media.IMAGE), "source": source}


def _audio(part: Fields) -> dict[str, Any]:
    audio = Fields(part.need("input_audio", dict), part.at("input_audio"), part.notes)
    source = media.source_of(audio.need("data", str))
    if not source:
        part.notes.refuse(audio.at("data"))
    found = {"audio": {"format": audio.need("format", str), "source": source}}
    audio.rest()
    return found


def _file(part: Fields) -> dict[str, Any]:
    file = Fields(part.need("file", dict), part.at("file"), part.notes)
    document: dict[str, Any] = {"source": {}}
    data = file.take("file_data", str)
    split = None if data is None else media.split_data_url(data)
    if split is not None:
        document["format"] = media.DOCUMENT_FORMATS.get(split[0], split[0])
        document["source"] = media.source_of(split[1])
    if not document["source"]:
        # A file that the provider keeps has no meaning elsewhere.
        part.notes.refuse(file.path)
        file.left.pop("file_id", None)
    if (name := file.take("filename", str)) is not None:
        document["name"] = name
    file.rest()
    return {"document": document}


_READERS: dict[str, Callable[[Fields], dict[str, Any]]] = {
    "text": _text,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
}


_ECHOED = ("annotations", "provider_specific_fields")
"""What clients (the second one: LiteLLM) send back of an answer, empty where the answer had nothing of the kind."""


def _says_nothing(value: Any) -> bool:
    return not value or (isinstance(value, dict) and all(inner is None for inner in value.values()))


def _assistant(message: Fields) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if (reasoning := message.take("reasoning_content", str)) is not None:
        # What servers beside OpenAI's send and take back.
        found.append({"reasoningContent": {"reasoningText": {"text": reasoning}}})
    if message.left.get("content") is None:
        message.left.pop("content", None)
    else:
        found += parts(message)
    for name in ("refusal", "audio", "function_call"):
        if (value := message.left.pop(name, None)) is not None:
            message.notes.refuse(message.at(name))
            found.append(_native({name: value}))
    for name in _ECHOED:
        if _says_nothing(message.left.get(name)):
            message.left.pop(name, None)
    if message.left.get("tool_calls") is not None:
        found += [_tool_call(call) for call in message.items("tool_calls")]
    return found


def _tool_call(call: Fields) -> dict[str, Any]:
    call_id = call.need("id", str)
    kind = call.take("type", str)
    if kind not in (None, "function"):
        call.notes.refuse(call.path)
        shown = {"id": call_id, "type": kind, **call.left}
        call.left.clear()
        return _native(shown)
    function = Fields(call.need("function", dict), call.at("function"), call.notes)
    name, arguments = function.need("name", str), function.need("arguments", str)
    function.rest()
    call.rest()
    given: Any = None
    try:
        given = _ANY.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        given = None
    if not isinstance(given, dict):
        call.notes.refuse(function.at("arguments"))
        given = arguments
    return {"toolUse": {"toolUseId": call_id, "name": name, "input": given}}


def _tool_result(message: Fields) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": message.need("tool_call_id", str), "content": parts(message)}}


def _tools(body: Body, notes: Notes) -> Sequence[dict[str, Any]]:
    raw = body.raws.get("tools")
    if raw is None and "functions" not in body:
        return ()
    if raw is None or "functions" in body:
        return _read_tools(body, notes)
    return _REMEMBERED.read(bytes(raw), partial(_read_tools, body), notes)


_REMEMBERED = RememberedTools()


def _read_tools(body: Body, notes: Notes) -> list[dict[str, Any]]:
    tools = []
    for index, raw in enumerate(decode_member(body, "tools", _TOOLS) or []):
        path = f"tools.{index}"
        function = raw.get("function")
        kind = plain(raw.get("type"))
        if kind not in (None, "function") or function is None:
            notes.refuse(path)
            tools.append(_native(dict(raw)))
            continue
        for name in raw.keys() - {"type", "function"}:
            notes.refuse(f"{path}.{name}")
        try:
            members = _FUNCTION.decode(function)
        except msgspec.DecodeError:
            raise wrong_type(plain(function), dict, f"{path}.function") from None
        tools.append({"toolSpec": _spec(members, f"{path}.function", notes)})
    if "functions" in body and not body.is_null("functions"):
        tools.append(_native({"functions": body.raws["functions"]}))
    return tools


def _spec(members: dict[str, msgspec.Raw], path: str, notes: Notes) -> dict[str, Any]:
    schema = members.pop("parameters", None)
    function = Fields({name: plain(value) for name, value in members.items()}, path, notes)
    spec: dict[str, Any] = {"name": function.need("name", str)}
    if (description := function.take("description", str)) is not None:
        spec["description"] = description
    missing = schema is None or bytes(schema) == b"null"
    spec["inputSchema"] = {"json": NO_PARAMETERS if missing else schema}
    if (strict := function.take("strict", bool)) is not None:
        spec["strict"] = strict
    function.rest()
    return spec
