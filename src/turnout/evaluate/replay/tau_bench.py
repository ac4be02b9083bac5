"""The conversations of tau-bench: a customer and an agent with tools, message by message.

Format: https://github.com/sierra-research/tau-bench (MIT): a JSON list of runs, each with a ``traj`` of messages as the
OpenAI API has them. Every message of the agent is one call of a model, whose prompt is all that stands before it.

The data has no times, so arrivals are drawn from stated assumptions (`Pace`); and no tool descriptions, so the head of
a prompt is the system prompt alone and shorter than it was.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from turnout.core.request import Needs
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.files import Advance, content_of, read_whole
from turnout.evaluate.replay.requests import ReplayRequest, Trace
from turnout.messages.conversation import Conversation
from turnout.messages.count import NAME, count_block
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import in_tool_loop

# Hashes of a public trace hide nothing; with a fixed key they are the same on every run.
_KEY = b"replay"


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast conversations come and go: assumptions, since the data has no times. Each time is drawn exponentially.

    Attributes:
        between_s: Mean seconds from one conversation's beginning to the next one's.
        person_s: Mean seconds until a person answers.
        tool_s: Mean seconds until a tool's result is sent.
        seed: Of the draws.

    Raises:
        ValueError: A mean is not above 0.
    """

    between_s: float = 20.0
    person_s: float = 60.0
    tool_s: float = 6.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("between_s", "person_s", "tool_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")


class _Function(msgspec.Struct, frozen=True):
    name: str
    arguments: str


class _ToolCall(msgspec.Struct, frozen=True):
    id: str
    function: _Function


class _Message(msgspec.Struct, frozen=True):
    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None
    tool_calls: tuple[_ToolCall, ...] | None = None
    tool_call_id: str = ""


class _Run(msgspec.Struct, frozen=True):
    traj: tuple[_Message, ...]
    task_id: int = -1
    trial: int = 0


def load_tau_bench(
    path: Path, *, limit: int | None = None, pace: Pace | None = None, advance: Advance = lambda conversations: None
) -> Trace:
    """The trace of a file.

    Args:
        path: A JSON file, plain or ``.xz``.
        limit: Only so many conversations, the first.
        pace: How fast they come; none: the stated assumptions.
        advance: Is told of each conversation that was read.

    Raises:
        TraceError: The file cannot be read, or a conversation is none; the message says which.
    """
    pace = pace or Pace()
    draws = random.Random(pace.seed)
    hasher = PrefixHasher(_KEY)
    requests: list[ReplayRequest] = []
    began_s = 0.0
    for number, run in enumerate(read_whole(path, tuple[_Run, ...])[:limit]):
        try:
            requests += _calls(run, f"conversation-{number}", began_s, pace, draws, hasher)
        except ValueError as error:
            raise TraceError(f"{path}, conversation {number + 1}: {error}") from error
        began_s += draws.expovariate(1 / pace.between_s)
        advance(1)
    if not requests:
        raise TraceError(f"{path} holds no call of a model")
    requests.sort(key=lambda request: request.at_ms)
    notes = (
        f"the data has no times; conversations begin {pace.between_s:g} s apart, a person answers after "
        f"{pace.person_s:g} s and a tool after {pace.tool_s:g} s: means of exponential draws, seed {pace.seed}",
        f"tokens are {NAME}, for every model; descriptions of tools are not in the data",
    )
    content = f"{content_of(path)} {limit} {pace}"
    return Trace(name=path.name, grain="entries", requests=tuple(requests), notes=notes, content=content)


def _calls(
    run: _Run, session: str, began_s: float, pace: Pace, draws: random.Random, hasher: PrefixHasher
) -> Iterator[ReplayRequest]:
    """The calls of one conversation."""
    system: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    now_s, turn = began_s, 0
    for place, message in enumerate(run.traj, 1):
        blocks = _blocks(message, place)
        if message.role == "system":
            system += blocks
            continue
        if message.role != "assistant":
            turn += message.role == "user"
            messages.append({"role": "user", "content": blocks})
            continue
        conversation = Conversation(system=tuple(system), messages=tuple(messages))
        loop = in_tool_loop(conversation)
        if messages:
            segments = hasher.segments(conversation)
            yield ReplayRequest(
                session=session,
                turn=str(turn),
                at_ms=round(now_s * 1000),
                segments=segments,
                whole=len(segments) - 1,
                output_tokens=sum(count_block(block) for block in blocks),
                in_tool_loop=loop,
                needs=Needs(tools=True),
                conversation=conversation,
            )
        messages.append({"role": "assistant", "content": blocks})
        now_s += draws.expovariate(1 / (pace.tool_s if message.tool_calls else pace.person_s))


def _blocks(message: _Message, place: int) -> list[dict[str, Any]]:
    """The content blocks of a message."""
    text = message.content or ""
    if message.role == "tool":
        return [{"toolResult": {"toolUseId": message.tool_call_id, "content": [{"text": text}], "status": "success"}}]
    blocks: list[dict[str, Any]] = [{"text": text}] if text.strip() else []
    for call in message.tool_calls or ():
        try:
            arguments = msgspec.json.decode(call.function.arguments)
        except msgspec.DecodeError as error:
            raise ValueError(f"message {place}: the arguments of {call.function.name} are no JSON ({error})") from error
        blocks.append({"toolUse": {"toolUseId": call.id, "name": call.function.name, "input": arguments}})
    return blocks
