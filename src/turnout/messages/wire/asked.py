"""`Asked`: what a door needs to know of a request's body, whatever its protocol.

The body is read once into its top-level members. Small members are decoded at once; messages, system and tools only
when somebody asks for the conversation: a classifier, a hash of a prefix, a translation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from enum import StrEnum
from typing import Any, Literal

import msgspec

from turnout.messages.conversation import Conversation
from turnout.messages.wire.fields import Notes, plain
from turnout.messages.wire.malformed import MalformedBodyError
from turnout.messages.wire.splice import Body


class WireProtocol(StrEnum):
    """How a client asks; each has a module of that name."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_RESPONSES = "openai_responses"
    ANTHROPIC = "anthropic"
    CONVERSE = "converse"
    INVOKE = "invoke"


class ToolChoice(msgspec.Struct, frozen=True, gc=False):
    """Which tool is to be called: as the model likes, any, none, or the named one."""

    kind: Literal["auto", "any", "none", "tool"]
    name: str | None = None

    @property
    def forced(self) -> bool:
        """Whether a tool must be called."""
        return self.kind in ("any", "tool")


class OutputFormat(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A JSON schema that the answer must follow.

    Attributes:
        schema: The schema, raw where it could stay so.
        name: A label, which only OpenAI requires.
        description: What the answer is for.
        strict: OpenAI's: whether the schema binds. Elsewhere it always does.
    """

    schema: Any
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class Controls(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a request sets beside the conversation and more than one protocol knows; none: not set.

    Attributes:
        max_output_tokens: The most output tokens, thinking included.
        temperature: Sampling temperature; above 1 at OpenAI only.
        top_p: Nucleus sampling.
        top_k: Sampling from the k likeliest tokens; Claude only.
        stop: Texts that end the answer.
        tool_choice: Which tool to call.
        parallel_tools: Whether several tools may be called at once.
        output: The schema of the answer.
        thinking: Claude's thinking configuration, as Anthropic writes it.
        effort: How much effort to spend, such as ``low``; the words differ a little between protocols.
        user: Who asks, for the provider's statistics on abuse.
    """

    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    output: OutputFormat | None = None
    thinking: Mapping[str, Any] | None = None
    effort: str | None = None
    user: str | None = None


NO_CONTROLS = Controls()
"""Nothing is set."""


class Read(msgspec.Struct, frozen=True, gc=False):
    """A conversation, and the paths of what of its messages, system and tools it does not hold."""

    conversation: Conversation
    untranslatable: tuple[str, ...]


class Asked(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A request's body, as a door needs it.

    Attributes:
        protocol: How the client asks.
        body: The bytes, by top-level member; edits start from here.
        model: The model name in the body or, on Bedrock, in the path.
        stream: Whether the answer is to be streamed.
        wants_usage: Whether the client asked for usage in a stream; always, but at OpenAI.
        controls: What is set beside the conversation.
        parameters: Names of sampling parameters that are set to something other than their default, in OpenAI's and
            Anthropic's spelling, as catalog entries name those that a model rejects, and of those that only some models
            know, as `turnout.core.parameters` names them.
        json_output: Whether the answer must be JSON, of a given schema or of any.
        has_tools: Whether tools are defined.
        session_id: The session that the client named in its metadata.
        overrides: Members of the metadata that begin with ``turnout_`` (``turnout-``, ``turnout.``), without it.
        metadata: The texts of the request's metadata.
        unknown: Top-level members that are not known here, by name: they are relayed, and nowhere else sent.
        left_out: Top-level members that a translation leaves out because they do not change the answer.
        fixed: Paths of top-level members, or parts of them, that neither `Controls` nor the conversation hold.
        held: Ids of what the provider keeps of earlier requests and this one goes on from: its account's alone.
        reader: Builds the conversation.
    """

    protocol: WireProtocol
    body: Body
    model: str
    stream: bool
    controls: Controls
    reader: Callable[[Body], Read]
    wants_usage: bool = True
    parameters: tuple[str, ...] = ()
    json_output: bool = False
    has_tools: bool = False
    session_id: str | None = None
    overrides: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}
    unknown: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    held: tuple[str, ...] = ()

    @property
    def conversation(self) -> Conversation:
        """System, tools and messages as Converse blocks; schemas of tools stay raw JSON (`without_raw` decodes them).

        A block that Converse has no form for stands as ``{"native": {...}}``, as the client sent it.

        Raises:
            MalformedBodyError: Messages, system or tools do not have the shape of their protocol.
        """
        return self._parts().conversation

    @property
    def untranslatable(self) -> tuple[str, ...]:
        """Paths of what another protocol could not be sent: everything that is set and not held here.

        Raises:
            MalformedBodyError: Messages, system or tools do not have the shape of their protocol.
        """
        return (*self.fixed, *self.unknown, *self._parts().untranslatable)

    @property
    def forced_tool_choice(self) -> bool:
        """Whether a tool must be called."""
        return self.controls.tool_choice is not None and self.controls.tool_choice.forced

    def _parts(self) -> Read:
        # Kept by hand: until Python 3.12 `cached_property` takes a lock, which costs more than the look-up.
        found: Read | None = self.__dict__.get("_read")
        if found is None:
            try:
                found = self.__dict__["_read"] = self.reader(self.body)
            except RecursionError:
                raise MalformedBodyError("is nested too deeply") from None
        return found


class Encoded(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as the body of a protocol, or why it has none.

    Attributes:
        body: The JSON; none if refused.
        edits: What was written differently, each ``name:path``; paths are those of the conversation. The names:
            ``tool_json_as_text``, ``tool_image_beside``, ``document_source``, ``document_name``, ``document_format``,
            ``output_name``, ``output_strict``, ``output_limit``.
        refusals: What the protocol has no place for, each ``untranslatable:<path>``.
    """

    body: bytes | None
    edits: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()

    @classmethod
    def of(cls, body: Mapping[str, Any], notes: Notes) -> Encoded:
        """The body, or the refusals that were noted while it was written."""
        refusals = tuple([f"untranslatable:{path}" for path in notes.untranslatable])
        return cls(
            body=None if refusals else msgspec.json.encode(body),
            edits=tuple(notes.edits),
            refusals=refusals,
        )


def without_raw(conversation: Conversation) -> Conversation:
    """The conversation with the schemas of its tools decoded: what code takes that does not know of raw JSON.

    Raises:
        MalformedBodyError: A schema holds a number that no value can hold.
    """
    tools = [plain(tool) for tool in conversation.tools]
    return Conversation(messages=conversation.messages, system=conversation.system, tools=tools)


_OVERRIDE = re.compile(r"turnout[_.-]", re.IGNORECASE)
_CLAUDE_CODE_SESSION = re.compile(r"_session_([0-9A-Za-z-]+)$")
_DEFAULTS: Mapping[str, Any] = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
    "top_logprobs": 0,
    "logit_bias": {},
}


def set_parameters(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the sampling parameters that are set, and not to the value that they have anyway."""
    return tuple([name for name, value in values.items() if value is not None and value != _DEFAULTS.get(name)])


def overrides_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """What a request's metadata asks of Turnout, by names in small letters with underscores."""
    return {
        name[match.end() :].lower().replace("-", "_"): value
        for name, value in metadata.items()
        if (match := _OVERRIDE.match(name))
    }


def session_of(metadata: Mapping[str, str], user: str | None = None) -> str | None:
    """The session that a request's metadata names, in ``session_id`` or as Claude Code writes it into ``user_id``.

    That is ``user_..._session_<id>`` or, as newer versions have it, a JSON object with ``session_id``.
    """
    if named := metadata.get("session_id"):
        return named
    if not user:
        return None
    if user.startswith("{"):
        try:
            value = msgspec.json.decode(user, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            return None
        named = value.get("session_id")
        return named if isinstance(named, str) and named else None
    match = _CLAUDE_CODE_SESSION.search(user)
    return match[1] if match else None


def texts_of(values: Mapping[str, Any]) -> dict[str, str]:
    """The members that are texts."""
    return {name: value for name, value in values.items() if isinstance(value, str)}


def unknown_members(body: Body, known: Container[str]) -> tuple[str, ...]:
    """Top-level members that are not null and not among those, by name."""
    return tuple([name for name in body.raws if name not in known and not body.is_null(name)])
