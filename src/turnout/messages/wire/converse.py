"""Bodies of Amazon Bedrock's Converse and ConverseStream: bytes to `Asked`, and a conversation to a body.

The blocks are those of a conversation already; in JSON, bytes are base64 and places in S3 have another name. Members
are those of ``bedrock-runtime`` in botocore 1.44.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from turnout.messages.conversation import Block, Conversation
from turnout.messages.wire import media
from turnout.messages.wire.asked import (
    Asked,
    Controls,
    Encoded,
    OutputFormat,
    Read,
    ToolChoice,
    WireProtocol,
    overrides_of,
    session_of,
    set_parameters,
    texts_of,
    unknown_members,
)
from turnout.messages.wire.claude_parameters import claude_parameters
from turnout.messages.wire.fields import Fields, Notes, plain, wrong_type
from turnout.messages.wire.splice import MAX_DEPTH, Body, decode_member

_ANY = msgspec.json.Decoder(Any)
_OBJECT = msgspec.json.Decoder(dict[str, Any] | None)
_RAW_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_TOOLS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_SPEC = msgspec.json.Decoder(dict[str, msgspec.Raw])

_FIXED = frozenset(
    {"guardrailConfig", "promptVariables", "additionalModelResponseFieldPaths", "performanceConfig", "serviceTier"}
)
"""They mean something at Bedrock only."""

_KNOWN = _FIXED | {
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "additionalModelRequestFields",
    "requestMetadata",
    "outputConfig",
}
_MEDIA = ("image", "document", "video", "audio")


def decode(data: bytes, *, model: str, stream: bool, max_depth: int = MAX_DEPTH) -> Asked:
    """Read a body.

    Args:
        data: The body.
        model: The model's id, out of the path.
        stream: Whether the path asks for a stream.
        max_depth: The most levels of nesting.

    Raises:
        MalformedBodyError: It is no JSON object, or a member does not have the API's shape. Messages, system and tools
            are read later.
    """
    body = Body(data, max_depth=max_depth)
    notes = Notes()
    for name in body.raws:
        if name in _FIXED and not body.is_null(name):
            notes.refuse(name)
    tools = decode_member(body, "toolConfig", _RAW_MEMBERS) or {}
    controls = _controls(body, tools, notes)
    metadata = texts_of(decode_member(body, "requestMetadata", _OBJECT) or {})
    return Asked(
        protocol=WireProtocol.CONVERSE,
        body=body,
        model=model,
        stream=stream,
        controls=controls,
        reader=read,
        parameters=(
            *set_parameters({"temperature": controls.temperature, "top_p": controls.top_p, "top_k": controls.top_k}),
            *_of_claude(body, controls),
        ),
        json_output=controls.output is not None,
        has_tools=len(tools.get("tools", b"")) > 2,
        session_id=session_of(metadata),
        overrides=overrides_of(metadata),
        metadata=metadata,
        unknown=unknown_members(body, _KNOWN),
        fixed=tuple(notes.untranslatable),
    )


def read(body: Body) -> Read:
    """The conversation of a body.

    Raises:
        MalformedBodyError: It does not have the shape of Converse.
    """
    notes = Notes()
    values = decode_member(body, "messages", _ANY)
    messages = []
    if values is not None and not isinstance(values, list):
        raise wrong_type(values, list, "messages")
    for index, value in enumerate(values or []):
        if type(value) is dict and len(value) == 2 and type(value.get("role")) is str:
            content = value.get("content")
            if type(content) is list:
                messages.append(
                    {"role": value["role"], "content": _read_blocks(content, f"messages.{index}.content", notes)}
                )
                continue
        message = Fields(value, f"messages.{index}", notes)
        role, path = message.need("role", str), message.at("content")
        messages.append({"role": role, "content": _read_blocks(message.need("content", list), path, notes)})
        if message.left:
            message.rest()
    system = decode_member(body, "system", _ANY)
    if system is not None and not isinstance(system, list):
        raise wrong_type(system, list, "system")
    config = decode_member(body, "toolConfig", _RAW_MEMBERS) or {}
    return Read(
        Conversation(
            messages=messages,
            system=_read_blocks(system or [], "system", notes),
            tools=_read_tools(config.get("tools")),
        ),
        tuple(notes.untranslatable),
    )


def encode(conversation: Conversation, controls: Controls) -> Encoded:
    """Write a conversation as a body; the model's id and whether to stream belong into the path.

    Args:
        conversation: Messages, system and tools as Converse blocks.
        controls: What is set beside them; ``top_k`` and ``thinking`` are sent as Claude takes them on Bedrock.
    """
    notes = Notes()
    body: dict[str, Any] = {
        "messages": [
            {"role": message["role"], "content": _write(message["content"], f"messages.{index}.content", notes)}
            for index, message in enumerate(conversation.messages)
        ]
    }
    if conversation.system:
        body["system"] = _write(conversation.system, "system", notes)
    tools = [block for block in conversation.tools if "native" not in block]
    for index, block in enumerate(conversation.tools):
        if "native" in block:
            notes.refuse(f"tools.{index}")
    if tools:
        body["toolConfig"] = {"tools": tools}
    _write_controls(body, controls, notes)
    return Encoded.of(body, notes)


def _read_blocks(values: list[Any], path: str, notes: Notes) -> list[dict[str, Any]]:
    return [
        # Nearly every block of nearly every request.
        value
        if type(value) is dict and len(value) == 1 and type(value.get("text")) is str
        else _read_block(Fields(value, f"{path}.{index}", notes), notes)
        for index, value in enumerate(values)
    ]


def _read_block(block: Fields, notes: Notes) -> dict[str, Any]:
    """A block with its bytes decoded, where JSON has base64."""
    value = block.left
    for name in _MEDIA:
        if name in value:
            value[name] = _read_media(value[name], block.at(name), notes)
    if (result := value.get("toolResult")) is not None:
        inner = Fields(result, block.at("toolResult"), notes)
        parts = inner.left.get("content")
        if not isinstance(parts, list):
            raise wrong_type(parts, list, inner.at("content"))
        result["content"] = _read_blocks(parts, inner.at("content"), notes)
    for outer, name in (("reasoningContent", "redactedContent"), ("guardContent", "image")):
        held = value.get(outer)
        if isinstance(held, dict) and name in held:
            place = f"{block.at(outer)}.{name}"
            read_one = _read_media if name == "image" else _read_bytes
            held[name] = read_one(held[name], place, notes)
    return value


def _read_media(value: Any, path: str, notes: Notes) -> Any:
    medium = Fields(value, path, notes)
    source = medium.inner("source")
    if source is None:
        return value
    held = source.left
    if "bytes" in held:
        found = _read_bytes(held["bytes"], source.at("bytes"), notes)
        held = {**held, "bytes": found} if found else {}
    elif isinstance(held.get("s3Location"), dict):
        held = {"location": {"type": "s3", **held["s3Location"]}}
    return {**medium.left, "source": held}


def _read_bytes(value: Any, path: str, notes: Notes) -> bytes:
    if not isinstance(value, str):
        raise wrong_type(value, str, path)
    found = media.decoded(value)
    if found is None:
        notes.refuse(path)
        return b""
    return found


def _read_tools(raw: msgspec.Raw | None) -> list[dict[str, Any]]:
    """Tools, with their schemas left raw."""
    try:
        values = [] if raw is None else _TOOLS.decode(raw)
        return [
            {name: _read_spec(value) if name == "toolSpec" else plain(value) for name, value in tool.items()}
            for tool in values
        ]
    except msgspec.DecodeError:
        raise wrong_type(None if raw is None else plain(raw), list, "toolConfig.tools") from None


def _read_spec(raw: msgspec.Raw) -> dict[str, Any]:
    spec: dict[str, Any] = dict(_SPEC.decode(raw))
    for name, value in spec.items():
        spec[name] = dict(_SPEC.decode(value)) if name == "inputSchema" else plain(value)
    return spec


def _controls(body: Body, tools: Mapping[str, msgspec.Raw], notes: Notes) -> Controls:
    inference = Fields(decode_member(body, "inferenceConfig", _OBJECT) or {}, "inferenceConfig", notes)
    extra = Fields(
        decode_member(body, "additionalModelRequestFields", _OBJECT) or {}, "additionalModelRequestFields", notes
    )
    config = Fields(decode_member(body, "outputConfig", _OBJECT) or {}, "outputConfig", notes)
    controls = Controls(
        max_output_tokens=inference.take("maxTokens", int),
        temperature=inference.take("temperature", float),
        top_p=inference.take("topP", float),
        top_k=extra.take("top_k", int),
        stop=_texts(inference, "stopSequences"),
        tool_choice=_choice(tools, notes),
        output=_output(config),
        thinking=extra.take("thinking", dict),
        effort=config.take("effort", str),
    )
    for fields in (inference, extra, config):
        fields.rest()
    for name in tools:
        if name not in ("tools", "toolChoice"):
            notes.refuse(f"toolConfig.{name}")
    return controls


def _of_claude(body: Body, controls: Controls) -> tuple[str, ...]:
    """What is set that only some Claude models take; the effort also stands where Anthropic has it."""
    extra = decode_member(body, "additionalModelRequestFields", _OBJECT) or {}
    effort, config = controls.effort, extra.get("output_config")
    if effort is None and isinstance(config, dict) and isinstance(config.get("effort"), str):
        effort = config["effort"]
    manages = extra.get("context_management") is not None
    return claude_parameters(controls.thinking, effort, manages_context=manages)


def _texts(fields: Fields, name: str) -> tuple[str, ...]:
    values = fields.take(name, list) or []
    for index, value in enumerate(values):
        if not isinstance(value, str):
            raise wrong_type(value, str, f"{fields.at(name)}.{index}")
    return tuple(values)


_CHOICES: tuple[Literal["auto", "any"], ...] = ("auto", "any")


def _choice(tools: Mapping[str, msgspec.Raw], notes: Notes) -> ToolChoice | None:
    value = plain(tools["toolChoice"]) if "toolChoice" in tools else None
    if value is None:
        return None
    choice = Fields(value, "toolConfig.toolChoice", notes)
    for kind in _CHOICES:
        if choice.take(kind, dict) is not None:
            choice.rest()
            return ToolChoice(kind)
    tool = choice.inner("tool")
    choice.rest()
    return None if tool is None else ToolChoice("tool", tool.need("name", str))


def _output(config: Fields) -> OutputFormat | None:
    text_format = config.inner("textFormat")
    if text_format is None:
        return None
    structure = text_format.inner("structure")
    schema = None if structure is None else structure.inner("jsonSchema")
    if text_format.need("type", str) != "json_schema" or structure is None or schema is None:
        config.notes.refuse(text_format.path)
        return None
    found = OutputFormat(
        schema=_schema(schema),
        name=schema.take("name", str),
        description=schema.take("description", str),
    )
    for fields in (schema, structure, text_format):
        fields.rest()
    return found


def _schema(schema: Fields) -> Any:
    """Converse has a schema as a text."""
    text = schema.need("schema", str)
    try:
        return _ANY.decode(text)
    except (msgspec.DecodeError, RecursionError):
        schema.notes.refuse(schema.at("schema"))
        return text


def _write(blocks: Iterable[Block], path: str, notes: Notes) -> list[dict[str, Any]]:
    return [_write_block(block, f"{path}.{index}", notes) for index, block in enumerate(blocks)]


def _write_block(block: Block, path: str, notes: Notes) -> dict[str, Any]:
    """A block with its bytes as base64."""
    written = dict(block)
    if len(block) != 1 or "native" in block:
        notes.refuse(path)
    for name in _MEDIA:
        if name in block:
            written[name] = _write_media(name, block[name], f"{path}.{name}", notes)
    if "toolResult" in block:
        result = dict(block["toolResult"])
        result["content"] = _write(result.get("content") or (), f"{path}.toolResult.content", notes)
        written["toolResult"] = result
    if "toolUse" in block and not isinstance(block["toolUse"].get("input"), Mapping | msgspec.Raw):
        notes.refuse(f"{path}.toolUse.input")
    if "toolUse" in block and "reasoningSignature" in block["toolUse"]:
        notes.refuse(f"{path}.toolUse.reasoningSignature")
    if "reasoningContent" in block and "redactedContent" in block["reasoningContent"]:
        held = block["reasoningContent"]
        written["reasoningContent"] = {**held, "redactedContent": media.encoded(held["redactedContent"])}
    if "guardContent" in block and "image" in block["guardContent"]:
        held = block["guardContent"]
        image = _write_media("image", held["image"], f"{path}.guardContent.image", notes)
        written["guardContent"] = {**held, "image": image}
    return written


def _write_media(kind: str, medium: Mapping[str, Any], path: str, notes: Notes) -> dict[str, Any]:
    written = dict(medium)
    source = medium.get("source") or {}
    location = source.get("location")
    if isinstance(source.get("bytes"), bytes):
        written["source"] = {"bytes": media.encoded(source["bytes"])}
    elif isinstance(location, Mapping) and location.get("type") == "s3":
        written["source"] = {"s3Location": {name: value for name, value in location.items() if name != "type"}}
    elif not (source.keys() & {"text", "content", "s3Location"}):
        notes.refuse(f"{path}.source")
    if written.get("format") == "jpg":
        written["format"] = "jpeg"
    if kind == "document" and not written.get("name"):
        notes.edit("document_name", path)
        written["name"] = "document"
    if kind != "document" and "format" not in written:
        notes.refuse(f"{path}.format")
    return written


def _write_controls(body: dict[str, Any], controls: Controls, notes: Notes) -> None:
    inference = {
        name: value
        for name, value in (
            ("maxTokens", controls.max_output_tokens),
            ("temperature", controls.temperature),
            ("topP", controls.top_p),
            ("stopSequences", list(controls.stop) or None),
        )
        if value is not None
    }
    if inference:
        body["inferenceConfig"] = inference
    if controls.temperature is not None and controls.temperature > 1:
        notes.refuse("temperature")
    extra = {name: value for name in ("top_k", "thinking") if (value := getattr(controls, name)) is not None}
    if extra:
        body["additionalModelRequestFields"] = extra
    if controls.parallel_tools is False:
        notes.refuse("parallel_tools")
    choice = controls.tool_choice
    if choice is not None and choice.kind == "none":
        notes.refuse("tool_choice")
    elif choice is not None and "toolConfig" in body:
        named = {"name": choice.name} if choice.kind == "tool" else {}
        body["toolConfig"]["toolChoice"] = {choice.kind: named}
    config: dict[str, Any] = {}
    if controls.output is not None:
        config["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": _definition(controls.output, notes)}}
    if controls.effort is not None:
        config["effort"] = controls.effort
    if config:
        body["outputConfig"] = config


def _definition(output: OutputFormat, notes: Notes) -> dict[str, Any]:
    if output.strict is False:
        notes.edit("output_strict", "output")
    text = output.schema if isinstance(output.schema, str) else msgspec.json.encode(output.schema).decode()
    written = {"schema": text}
    for name in ("name", "description"):
        if (value := getattr(output, name)) is not None:
            written[name] = value
    return written
