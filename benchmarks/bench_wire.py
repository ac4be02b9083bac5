"""How long the bytes of requests and streams take to read, and a body to edit.

Run it with ``python -m benchmarks.bench_wire``. Each figure is the median of single calls in microseconds, after a
warm-up; beside it stands what msgspec takes to decode the same bytes into plain values, and the ratio of the two. For
events and frames those bytes are their JSON. Times of a machine that does other work at the same time are too high.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.bench_decide import median_us
from turnout.messages.wire import anthropic, converse, openai_chat
from turnout.messages.wire.asked import Asked, WireProtocol
from turnout.messages.wire.eventstream import EventStreamParser
from turnout.messages.wire.eventstream import encode_event as encode_frame
from turnout.messages.wire.sse import SseParser
from turnout.messages.wire.sse import encode_event as encode_sse
from turnout.messages.wire.usage import reader_of

TEXT = 'The customer asks where the parcel is; "DHL" said\n{"status": "in transit"}, but the promised day has passed. '
SIZES = {"0.5 KB, a chat": 500, "3.5 KB, with tools": 3_500, "185 KB, with tools": 185_000}
DECODERS: dict[WireProtocol, Callable[[bytes], Asked]] = {
    WireProtocol.OPENAI_CHAT: openai_chat.decode,
    WireProtocol.ANTHROPIC: anthropic.decode,
    WireProtocol.CONVERSE: lambda data: converse.decode(data, model="m", stream=True),
}


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Medians in microseconds; ``msgspec_us`` is a plain decode of as many ``bytes``."""

    what: str
    bytes: int
    us: float
    msgspec_us: float

    @property
    def ratio(self) -> float:
        """How many times as long as the plain decode."""
        return self.us / self.msgspec_us


def example(protocol: WireProtocol, size: int) -> bytes:
    """A body of about that many bytes: turns of a few hundred bytes each; from 3 KB on with eight tools."""
    tools = [
        {
            "name": f"tool_{index}",
            "description": TEXT[:60],
            "schema": {
                "type": "object",
                "properties": {"order": {"type": "string", "description": TEXT[:40]}, "count": {"type": "integer"}},
                "required": ["order"],
            },
        }
        for index in range(8 if size >= 3_000 else 0)
    ]
    turns: list[str] = []
    while len(body := _body(protocol, turns, tools)) < size:
        turns.append(TEXT * 4 if size - len(body) > 600 else "x" * max(1, size - len(body) - 60))
    return body


def _body(protocol: WireProtocol, turns: list[str], tools: list[dict[str, Any]]) -> bytes:
    roles = [("user", "assistant")[index % 2] for index in range(len(turns))]
    body: dict[str, Any]
    if protocol is WireProtocol.OPENAI_CHAT:
        body = {"model": "turnout", "stream": True, "max_completion_tokens": 1024, "temperature": 0.7}
        body["messages"] = [{"role": "system", "content": "You are kind."}] + [
            {"role": role, "content": text} for role, text in zip(roles, turns, strict=True)
        ]
        functions = [{"name": t["name"], "description": t["description"], "parameters": t["schema"]} for t in tools]
        body |= {"tools": [{"type": "function", "function": one} for one in functions]} if tools else {}
    elif protocol is WireProtocol.ANTHROPIC:
        body = {"model": "turnout", "stream": True, "max_tokens": 1024, "system": "You are kind."}
        body["messages"] = [
            {"role": role, "content": [{"type": "text", "text": text}]} for role, text in zip(roles, turns, strict=True)
        ]
        named = [{"name": t["name"], "description": t["description"], "input_schema": t["schema"]} for t in tools]
        body |= {"tools": named} if tools else {}
    else:
        body = {"system": [{"text": "You are kind."}], "inferenceConfig": {"maxTokens": 1024, "temperature": 0.7}}
        body["messages"] = [
            {"role": role, "content": [{"text": text}]} for role, text in zip(roles, turns, strict=True)
        ]
        specs = [
            {"name": t["name"], "description": t["description"], "inputSchema": {"json": t["schema"]}} for t in tools
        ]
        body |= {"toolConfig": {"tools": [{"toolSpec": spec} for spec in specs]}} if tools else {}
    return json.dumps(body).encode()


def measure_body(protocol: WireProtocol, name: str, *, seconds: float = 0.3) -> list[Timing]:
    """Time a body: what a door needs of it, the same with the conversation, and a splice of the model's name."""
    data = example(protocol, SIZES[name])
    decode = DECODERS[protocol]
    asked = decode(data)
    calls: dict[str, Callable[[], object]] = {
        "asked": lambda: decode(data),
        "asked and conversation": lambda: decode(data).conversation,
    }
    if "model" in asked.body:
        calls["model replaced"] = lambda: asked.body.edited(replace={"model": b'"claude-x"'})
    return _timings({f"{protocol.value}, {name}: {what}": call for what, call in calls.items()}, data, seconds)


def measure_streams(*, seconds: float = 0.3) -> list[Timing]:
    """Time one event of each kind of stream: cut out of the bytes alone, and read for usage too."""
    delta = json.dumps(
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": TEXT[:30]}}
    ).encode()
    chunk = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_760_000_000,
            "model": "gpt-x",
            "choices": [{"index": 0, "delta": {"content": TEXT[:30]}, "finish_reason": None}],
        }
    ).encode()
    block = json.dumps({"contentBlockIndex": 0, "delta": {"text": TEXT[:30]}, "p": "abcdefgh"}).encode()
    found: list[Timing] = []
    for protocol, payload, data in (
        (WireProtocol.ANTHROPIC, delta, encode_sse(delta, "content_block_delta")),
        (WireProtocol.OPENAI_CHAT, chunk, encode_sse(chunk)),
        (WireProtocol.CONVERSE, block, encode_frame("contentBlockDelta", block)),
    ):
        found += _timings(_stream_calls(protocol, data), payload, seconds)
    return found


def _stream_calls(protocol: WireProtocol, data: bytes) -> dict[str, Callable[[], object]]:
    parser: Any = EventStreamParser() if protocol is WireProtocol.CONVERSE else SseParser()
    reader: Any = reader_of(protocol)
    kind = "frame" if protocol is WireProtocol.CONVERSE else "SSE event"

    def both() -> None:
        for event in parser.feed(data):
            reader.feed(event)

    return {
        f"{protocol.value}, one {kind}: cut": lambda: parser.feed(data),
        f"{protocol.value}, one {kind}: cut and read": both,
    }


def _timings(calls: dict[str, Callable[[], object]], data: bytes, seconds: float) -> list[Timing]:
    plain = median_us(lambda: msgspec.json.decode(data), seconds=seconds)
    return [
        Timing(what=what, bytes=len(data), us=median_us(call, seconds=seconds), msgspec_us=plain)
        for what, call in calls.items()
    ]


def main() -> None:
    """Measure everything and print a table."""
    table = Table(title="bytes of requests and streams: medians in µs, in memory", title_justify="left")
    table.add_column("what", no_wrap=True)
    for heading in ("bytes", "µs", "msgspec µs", "ratio"):
        table.add_column(heading, justify="right", no_wrap=True)
    timings = [timing for protocol in DECODERS for name in SIZES for timing in measure_body(protocol, name)]
    for timing in timings + measure_streams():
        table.add_row(
            timing.what,
            f"{timing.bytes:,}",
            f"{timing.us:.1f}",
            f"{timing.msgspec_us:.1f}",
            f"{timing.ratio:.1f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
