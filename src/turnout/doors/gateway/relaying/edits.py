"""The closed list of what a relay changes in a body, each for its reason; without a reason the very bytes.

- the model's name, where the provider has it in the body;
- ``stream_options.include_usage`` in streams of Chat Completions: without it they report no usage;
- with ``markers = "fill"`` in the policy: a cache point where the request has none (`filling`);
- with ``adapt`` in the policy: a parameter that the model rejects is left out, if what is left still asks for the same
  (`turnout.core.parameters.may_be_dropped`), and an output limit is lowered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from turnout.core.catalog import Model
from turnout.messages.wire import openai_effort
from turnout.messages.wire.asked import Asked, WireProtocol
from turnout.messages.wire.claude_parameters import without

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MODEL_IN_PATH = (WireProtocol.CONVERSE, WireProtocol.INVOKE)
_LIMITS = {
    WireProtocol.OPENAI_CHAT: ("max_completion_tokens", "max_tokens"),
    WireProtocol.OPENAI_RESPONSES: ("max_output_tokens",),
    WireProtocol.ANTHROPIC: ("max_tokens",),
    WireProtocol.INVOKE: ("max_tokens",),
}
_CLAUDE_BODIES = (WireProtocol.ANTHROPIC, WireProtocol.INVOKE)
_CONVERSE_NAMES = {"temperature": "temperature", "top_p": "topP"}


class Edited(msgspec.Struct, frozen=True, gc=False):
    """A body as it is sent.

    Attributes:
        body: The bytes.
        edits: What was changed, by name.
    """

    body: bytes
    edits: tuple[str, ...]

    @property
    def asks_usage(self) -> bool:
        """Whether usage was asked for that the client did not ask for: its chunk is then taken out again."""
        return "stream_usage" in self.edits


def edited(asked: Asked, model: Model, decided: Sequence[str] = (), *, called: str = "") -> Edited:
    """The body of a request as a model's provider gets it.

    Args:
        asked: The request.
        model: The model.
        decided: The edits that the decision named (`turnout.core.decision.Decision.edits`).
        called: What the upstream calls the model, where it has a name of its own for it.
    """
    body, names = asked.body, list[str]()
    asks_usage = asked.protocol is WireProtocol.OPENAI_CHAT and asked.stream and not asked.wants_usage
    if not decided and not asks_usage and asked.protocol not in _MODEL_IN_PATH:
        # Nearly every request: nothing but the model's name.
        name = called or model.model_id
        if asked.model == name:
            return Edited(body.data, ())
        return Edited(body.edited(replace={"model": msgspec.json.encode(name)}), ("model",))
    replace: dict[str, bytes] = {}
    insert: dict[str, bytes] = {}
    delete: list[str] = []
    wanted = called or model.model_id
    if asked.protocol not in _MODEL_IN_PATH and asked.model != wanted:
        replace["model"] = msgspec.json.encode(wanted)
        names.append("model")
    if asks_usage:
        options = {} if body.is_null("stream_options") else _OBJECT.decode(body.raws["stream_options"])
        value = msgspec.json.encode({**options, "include_usage": True})
        (replace if "stream_options" in body else insert)["stream_options"] = value
        names.append("stream_usage")
    dropped, limit = set[str](), None
    for edit in decided:
        kind, _, detail = edit.partition(":")
        if kind == "drop_parameter":
            dropped.add(detail)
            names.append(edit)
        elif kind == "clamp_output":
            limit = int(detail)
            names.append(edit)
    if asked.protocol is WireProtocol.CONVERSE:
        replace.update(_in_converse(asked, dropped, limit))
    else:
        for name, raw in _without(asked, dropped).items():
            if raw is None:
                delete.append(name)
            else:
                replace[name] = raw
        if limit is not None:
            for name in _LIMITS[asked.protocol]:
                if name in body and not body.is_null(name):
                    replace[name] = str(limit).encode()
    if not names:
        return Edited(body.data, ())
    return Edited(body.edited(replace=replace, insert=insert, delete=delete), tuple(names))


def _without(asked: Asked, dropped: set[str]) -> dict[str, bytes | None]:
    """The members that change where parameters are dropped: their new JSON, or none where they go."""
    body = asked.body
    changed: dict[str, bytes | None] = {name: None for name in dropped if name in body and "." not in name}
    if asked.protocol in _CLAUDE_BODIES:
        return changed | without(body.raws, dropped)
    if any(name.startswith(openai_effort.NAME) for name in dropped):
        if asked.protocol is WireProtocol.OPENAI_RESPONSES:
            reasoning = _OBJECT.decode(body.raws["reasoning"])
            del reasoning["effort"]
            changed["reasoning"] = msgspec.json.encode(reasoning)
        else:
            changed[openai_effort.NAME] = None
    return changed


def _in_converse(asked: Asked, dropped: set[str], limit: int | None) -> dict[str, bytes]:
    """The members of a Converse body that hold what is to be changed."""
    changed: dict[str, bytes] = {}
    body = asked.body
    if (dropped or limit is not None) and not body.is_null("inferenceConfig"):
        inference: dict[str, Any] = dict(_OBJECT.decode(body.raws["inferenceConfig"]))
        for name in dropped:
            inference.pop(_CONVERSE_NAMES.get(name, name), None)
        if limit is not None and "maxTokens" in inference:
            inference["maxTokens"] = limit
        changed["inferenceConfig"] = msgspec.json.encode(inference)
    if dropped and not body.is_null("additionalModelRequestFields"):
        held = _OBJECT.decode(body.raws["additionalModelRequestFields"])
        extra: dict[str, Any] = dict(held)
        extra.pop("top_k" if "top_k" in dropped else "", None)
        for name, value in without(held, dropped).items():
            if value is None:
                extra.pop(name, None)
            else:
                extra[name] = msgspec.Raw(value)
        if extra != held:
            changed["additionalModelRequestFields"] = msgspec.json.encode(extra)
    if any(name.startswith("effort") for name in dropped) and not body.is_null("outputConfig"):
        config: dict[str, Any] = dict(_OBJECT.decode(body.raws["outputConfig"]))
        if config.pop("effort", None) is not None:
            changed["outputConfig"] = msgspec.json.encode(config)
    return changed
