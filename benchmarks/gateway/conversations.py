"""What long conversations cost inside Turnout, in microseconds a request: relayed, with signed thinking, translated.

Run it with ``python -m benchmarks.gateway.conversations``. As in `stages` there is one process and no socket. Agents
send their whole history each time, so this is what most of their requests cost; the provider has it in its cache.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.gateway.inside import ANTHROPIC, OPENAI, Cost, inside

TURNS = (1, 5, 20, 60)
"""Turns of a conversation, each of a question, a call of a tool, its result and an answer."""

VARIANTS = 32
REQUESTS = 200
ROUNDS = 5

_SYSTEM = "You are of help, kind and brief. " * 200
_ASKED, _FOUND, _SAID = "about this and that " * 10, "a result of a tool " * 12, "here is the answer " * 10


class Kind(NamedTuple):
    """Conversations of one kind.

    Attributes:
        name: For the table.
        settings: Those of the gateway.
        path: The door.
        body: Makes the request of a conversation of so many turns.
        answer: Makes the provider's answer to a prompt of so many tokens.
    """

    name: str
    settings: str
    path: str
    body: Callable[[int, int], bytes]
    answer: Callable[[int], bytes]


def openai_body(variant: int, turns: int) -> bytes:
    """A conversation as OpenAI's clients send it."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": _SYSTEM}]
    for turn in range(turns):
        call = {
            "id": f"call_{turn}",
            "type": "function",
            "function": {"name": "look_up", "arguments": '{"day":"Monday"}'},
        }
        messages += [
            {"role": "user", "content": f"Conversation {variant}, question {turn}, {_ASKED}"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"call_{turn}", "content": _FOUND},
            {"role": "assistant", "content": _SAID},
        ]
    messages.append({"role": "user", "content": f"What are your opening hours in week {variant}?"})
    tool = {"name": "look_up", "description": "Looks something up.", "parameters": _SCHEMA}
    return _json({"model": "turnout", "messages": messages, "tools": [{"type": "function", "function": tool}]})


def thinking_body(variant: int, turns: int) -> bytes:
    """A conversation as Anthropic's clients send it, with the thinking that Claude signed."""
    messages: list[dict[str, Any]] = []
    for turn in range(turns):
        thinking = {"type": "thinking", "thinking": "Let me think. " * 20, "signature": "EqQB" + "a" * 300}
        call = {"type": "tool_use", "id": f"toolu_{turn}", "name": "look_up", "input": {"day": "Monday"}}
        messages += [
            {"role": "user", "content": f"Conversation {variant}, question {turn}, {_ASKED}"},
            {"role": "assistant", "content": [thinking, call]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"toolu_{turn}", "content": _FOUND}]},
            {"role": "assistant", "content": [{"type": "text", "text": _SAID}]},
        ]
    messages.append({"role": "user", "content": f"What are your opening hours in week {variant}?"})
    return _json(
        {
            "model": "turnout",
            "max_tokens": 4_000,
            "thinking": {"type": "enabled", "budget_tokens": 2_000},
            "system": [{"type": "text", "text": _SYSTEM, "cache_control": {"type": "ephemeral"}}],
            "tools": [{"name": "look_up", "description": "Looks something up.", "input_schema": _SCHEMA}],
            "messages": messages,
        }
    )


def openai_answer(tokens: int) -> bytes:
    """OpenAI's answer, with most of the prompt read from its cache."""
    usage: dict[str, Any] = {"prompt_tokens": tokens, "completion_tokens": 60, "total_tokens": tokens + 60}
    usage["prompt_tokens_details"] = {"cached_tokens": tokens * 9 // 10}
    choice = {"index": 0, "message": {"role": "assistant", "content": _SAID}, "finish_reason": "stop"}
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-5", "choices": [choice]}
    return _json({**answer, "usage": usage})


def anthropic_answer(tokens: int) -> bytes:
    """Anthropic's answer, with most of the prompt read from its cache."""
    read = tokens * 9 // 10
    usage = {"input_tokens": tokens - read, "cache_read_input_tokens": read, "output_tokens": 60}
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn"}
    return _json({**answer, "content": [{"type": "text", "text": _SAID}], "usage": usage})


_SCHEMA = {"type": "object", "properties": {name: {"type": "string"} for name in ("place", "day", "unit")}}

KINDS = (
    Kind("relayed to OpenAI", OPENAI, "/v1/chat/completions", openai_body, openai_answer),
    Kind("relayed to Anthropic, signed thinking", ANTHROPIC, "/v1/messages", thinking_body, anthropic_answer),
    Kind("translated for Anthropic", ANTHROPIC, "/v1/chat/completions", openai_body, anthropic_answer),
)


def measured(kind: Kind, turns: int, *, requests: int = REQUESTS, rounds: int = ROUNDS) -> Cost:
    """What a request of a conversation costs: medians over rounds of means over requests."""
    bodies = [kind.body(variant, turns) for variant in range(VARIANTS)]
    with inside(kind.settings, kind.path, kind.answer(len(bodies[0]) // 4)) as gateway:
        gateway.run(bodies, max(2 * VARIANTS, requests // 5))
        gateway.settle()
        costs = [gateway.run(bodies, requests) for _ in range(rounds)]
    return Cost(statistics.median(one.serving for one in costs), statistics.median(one.ledger for one in costs))


def main() -> None:
    """Print the table."""
    table = Table("conversation", "turns", "KB", "serving thread, µs", "ledger's thread, µs")
    for kind in KINDS:
        for turns in TURNS:
            cost = measured(kind, turns)
            size = len(kind.body(0, turns)) / 1000
            table.add_row(kind.name, str(turns), f"{size:.0f}", f"{cost.serving:.0f}", f"{cost.ledger:.0f}")
        table.add_section()
    Console(width=120).print(table)
    print(f"CPU a request, medians of {ROUNDS} rounds of {REQUESTS}; no sockets; {VARIANTS} conversations in turns")


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


if __name__ == "__main__":
    main()
