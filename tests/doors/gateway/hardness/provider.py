"""A provider that goes wrong as the request says: the text of its message names the fault, and how often it happens.

It speaks every protocol with fixed answers, over plain sockets, so that every byte is its own.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Self

from tests.messages.wire import support
from tests.messages.wire.test_usage import RESPONSE, RESPONSE_EVENTS, STREAMS
from turnout.messages.wire import eventstream, sse
from turnout.messages.wire.asked import WireProtocol

ANSWERS: dict[WireProtocol, bytes] = {
    WireProtocol.OPENAI_CHAT: support.OPENAI_ANSWER,
    WireProtocol.ANTHROPIC: support.ANTHROPIC_ANSWER,
    WireProtocol.CONVERSE: support.CONVERSE_ANSWER,
    WireProtocol.INVOKE: support.ANTHROPIC_ANSWER,
    WireProtocol.OPENAI_RESPONSES: json.dumps(RESPONSE).encode(),
}
EVENTS: dict[WireProtocol, list[bytes]] = {
    **STREAMS,
    WireProtocol.OPENAI_RESPONSES: [
        sse.encode_event(json.dumps({**event, "sequence_number": number}).encode(), event["type"])
        for number, event in enumerate(RESPONSE_EVENTS)
    ],
}
FRAMED = (WireProtocol.CONVERSE, WireProtocol.INVOKE)
_NOTE = re.compile(rb"fault:([A-Za-z0-9_=-]+):")


def noted(name: str, fault: dict[str, Any]) -> str:
    """What a message says to have that done; ``name`` is of the request, for the counts of calls."""
    return f"fault:{base64.urlsafe_b64encode(json.dumps([name, fault]).encode()).decode()}:"


class Close:
    """Close the connection in the ordinary way."""


class Reset:
    """Close it so that the other side gets an error."""


class Stall:
    """Say nothing more, until the other side closes."""


Step = bytes | float | type[Close] | type[Reset] | type[Stall]
"""Bytes to send, seconds to wait, or an end."""


class Healthy:
    """What the provider would answer.

    Attributes:
        protocol: What it speaks.
        stream: Whether events are wanted.
        events: The events; for a whole answer its body.
    """

    def __init__(self, protocol: WireProtocol, *, stream: bool) -> None:
        self.protocol, self.stream = protocol, stream
        self.events: Sequence[bytes] = EVENTS[protocol] if stream else [ANSWERS[protocol]]

    @property
    def kind(self) -> bytes:
        """The content type."""
        if not self.stream:
            return b"application/json"
        kind = eventstream.CONTENT_TYPE if self.protocol in FRAMED else sse.CONTENT_TYPE
        return kind.encode()

    @property
    def head(self) -> bytes:
        """Status and headers of an answer in chunks."""
        return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n" % self.kind

    def whole(self, body: bytes | None = None, *, status: bytes = b"200 OK", fields: bytes = b"") -> bytes:
        """An answer with a length."""
        body = b"".join(self.events) if body is None else body
        return b"HTTP/1.1 %b\r\ncontent-type: %b\r\n%bcontent-length: %d\r\n\r\n%b" % (
            status,
            self.kind,
            fields,
            len(body),
            body,
        )

    def steps(self) -> list[Step]:
        """The answer as it should be."""
        return [self.head, *map(chunk, self.events), LAST] if self.stream else [self.whole()]

    def framed(self, payload: bytes) -> bytes:
        """A payload as an event of the stream."""
        if self.protocol is WireProtocol.CONVERSE:
            return eventstream.encode_event("contentBlockDelta", payload)
        if self.protocol is WireProtocol.INVOKE:
            held = base64.b64encode(payload).decode()
            return eventstream.encode_event("chunk", json.dumps({"bytes": held}).encode())
        return sse.encode_event(payload)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST = b"0\r\n\r\n"
JSON = b'{"error":{"message":"scripted","type":"t","code":"c"},"message":"scripted","type":"error"}'
HTML = b"<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>"
LARGE = b"x" * 3_000_000
Fault = Callable[[Healthy], list[Step]]


def _whole(body: bytes, status: bytes = b"200 OK", fields: bytes = b"") -> Fault:
    return lambda one: [one.whole(body, status=status, fields=fields)]


def _own(change: Any) -> Fault:
    return lambda one: [one.whole(json.dumps({**json.loads(ANSWERS[one.protocol]), **change}).encode())]


BEFORE: dict[str, Fault] = {
    "closes": lambda one: [Close],
    "resets": lambda one: [Reset],
    "stalls": lambda one: [Stall],
    "stalls in the status line": lambda one: [b"HTTP/1.1 2", Stall],
    "stalls in the headers": lambda one: [b"HTTP/1.1 200 OK\r\ncontent-type: a", Stall],
    "stalls after the headers": lambda one: [one.head, Stall],
    **{
        f"answers {status}": _whole(JSON, b"%d Status" % status)
        for status in (
            *(199, 201, 202, 204, 205, 206, 226, 299, 300, 304, 305, 399, 400, 401, 402, 403, 404, 405, 408, 409, 410),
            *(413, 415, 418, 421, 422, 424, 425, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 520, 524, 529, 599),
            *(600, 999),
        )
    },
    **{
        f"redirects with {status}": _whole(b"", b"%d Elsewhere" % status, b"location: http://127.0.0.1:1/\r\n")
        for status in (301, 302, 303, 307, 308)
    },
    **{f"{status} says HTML": _whole(HTML, b"%d Status" % status) for status in (200, 400, 403, 429, 500, 502, 503)},
    **{
        f"429 with retry-after {value.decode()}": _whole(JSON, b"429 Status", b"retry-after: %b\r\n" % value)
        for value in (b"0", b"-5", b"nan", b"1e400", b"soon", b"99999999", b"Wed, 21 Oct 2015 07:28:00 GMT", b"")
    },
    "429 with a body that is cut": lambda one: [one.whole(JSON, status=b"429 Status")[:-10], Close],
    "500 with an endless body": lambda one: [
        b"HTTP/1.1 500 Status\r\ntransfer-encoding: chunked\r\n\r\n",
        *[chunk(LARGE)] * 3,
        Stall,
    ],
    "400 without a length": lambda one: [b"HTTP/1.1 400 Bad\r\n\r\n" + JSON, Close],
    "400 says gzip": lambda one: [
        one.whole(gzip.compress(JSON), status=b"400 Bad", fields=b"content-encoding: gzip\r\n")
    ],
    "100 and then the answer": lambda one: [b"HTTP/1.1 100 Continue\r\n\r\n", *one.steps()],
    "103 and then the answer": lambda one: [b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", *one.steps()],
    "100 and then nothing": lambda one: [b"HTTP/1.1 100 Continue\r\n\r\n", Close],
    "103 for ever": lambda one: [*[b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100] * 50, Stall],
    "101": lambda one: [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", Close],
    "no HTTP": lambda one: [b"SSH-2.0-OpenSSH_9.6\r\n", Stall],
    "no HTTP but bytes": lambda one: [bytes(range(256)), Stall],
    "TLS": lambda one: [b"\x15\x03\x03\x00\x02\x02\x28", Close],
    "HTTP/2": lambda one: [b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\0" * 18, Stall],
    "HTTP/0.9": lambda one: [ANSWERS[one.protocol], Close],
    "HTTP/1.0": lambda one: [one.whole().replace(b"HTTP/1.1", b"HTTP/1.0"), Close],
    "no length, HTTP/1.1": lambda one: [b"HTTP/1.1 200 OK\r\n\r\n" + b"".join(one.events), Close],
    "a status of no number": lambda one: [b"HTTP/1.1 abc OK\r\n\r\n", Close],
    "headers without an end": lambda one: [b"HTTP/1.1 200 OK\r\n", *[b"x-a: %b\r\n" % (b"y" * 1_000)] * 200, Stall],
    "a header without an end": lambda one: [b"HTTP/1.1 200 OK\r\nx: ", *[b"y" * 60_000] * 30, Stall],
    "a zero byte in a header": lambda one: [one.whole(fields=b"x: a\0b\r\n")],
    "a line feed in a header": lambda one: [one.whole(fields=b"x: a\nset-cookie: b\r\n")],
    "a return in a header": lambda one: [one.whole(fields=b"x: a\rb\r\n")],
    "a folded header": lambda one: [one.whole(fields=b"x: a\r\n b\r\n")],
    "a header above ASCII": lambda one: [one.whole(fields=b"x: \xff\xfe\r\n")],
    "a delete in a header": lambda one: [one.whole(fields=b"x: a\x7fb\r\n")],
    "a header without a name": lambda one: [one.whole(fields=b": a\r\n")],
    "odd names of headers": lambda one: [one.whole(fields=b"x(y): a\r\nx{y}: b\r\n")],
    "our own headers": lambda one: [one.whole(fields=b"x-turnout-model: other\r\ntransfer-encoding-x: a\r\n")],
    "two lengths": lambda one: [one.whole(fields=b"content-length: 3\r\n")],
    "a length and chunks": lambda one: [one.whole(fields=b"transfer-encoding: chunked\r\n")],
    "a length that is too long": lambda one: [one.whole().replace(b"content-length: ", b"content-length: 1"), Close],
    "a length that is too short": lambda one: [
        one.whole()[: one.whole().index(b"content-length")] + b"content-length: 9\r\n\r\n" + b"".join(one.events)
    ],
    "an answer that nobody asked for": lambda one: [one.whole() + one.whole(b'{"other":1}')],
    "an absurd length": lambda one: [b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n{}", Close],
    "a length beyond memory": lambda one: [b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999999\r\n\r\n{}", Close],
    "a negative length": lambda one: [b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}", Close],
    "garbage for chunks": lambda one: [one.head + b"zzz\r\n\xff\xfe", Close],
    "a chunk of an absurd size": lambda one: [one.head + b"ffffffffffffffffff\r\nx", Close],
    "a chunk without its end": lambda one: [one.head + b"5\r\nabc", Close],
    "events without content for ever": lambda one: [
        one.head,
        *[chunk(one.framed(b'{"type":"ping","delta":{},"x":"%b"}' % (b"y" * 60_000)))] * 60,
        Stall,
    ],
    "an empty answer": lambda one: [one.whole(b"")],
    "empty chunks": lambda one: [one.head, LAST],
    "gzip although not asked": lambda one: [
        one.whole(gzip.compress(b"".join(one.events)), fields=b"content-encoding: gzip\r\n")
    ],
    "gzip that does not say so": lambda one: [one.whole(gzip.compress(b"".join(one.events)))],
    "another content type": lambda one: [one.whole().replace(one.kind, b"text/html")],
    "no content type": lambda one: [one.whole().replace(b"content-type: " + one.kind + b"\r\n", b"")],
    **{
        f"the JSON {name}": _whole(body)
        for name, body in {
            "null": b"null",
            "of a list": b"[]",
            "of a number": b"1",
            "of an empty object": b"{}",
            "with a mark": b"\xef\xbb\xbf" + support.OPENAI_ANSWER,
            "in UTF-16": support.OPENAI_ANSWER.decode().encode("utf-16"),
            "with bytes that are no text": b'{"x":"\xff\xfe"}',
            "that is deep": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            "of many digits": b'{"x":' + b"9" * 100_000 + b"}",
            "of an error": JSON,
            "of negative usage": b'{"usage":{"prompt_tokens":-5,"input_tokens":-5,"inputTokens":-5}}',
            "of texts for usage": b'{"usage":{"prompt_tokens":"x","input_tokens":"x","inputTokens":"x"}}',
            "of huge usage": b'{"usage":{"prompt_tokens":1e30,"input_tokens":%d,"inputTokens":1e400}}' % 10**20,
        }.items()
    },
    **{
        f"its own answer with {name}": _own(change)
        for name, change in {
            "usage of a list": {"usage": []},
            "no usage": {"usage": None},
            "usage of huge numbers": {
                "usage": dict.fromkeys(
                    (
                        "prompt_tokens",
                        "completion_tokens",
                        "input_tokens",
                        "output_tokens",
                        "inputTokens",
                        "outputTokens",
                    ),
                    10**18,
                )
            },
            "usage that contradicts itself": {
                "usage": {
                    "prompt_tokens": 1,
                    "completion_tokens": 1,
                    "prompt_tokens_details": {"cached_tokens": 99},
                    "input_tokens": 1,
                    "output_tokens": -1,
                    "inputTokens": 1,
                    "outputTokens": -1,
                }
            },
            "no choice, no content": {"choices": [], "content": [], "output": {}},
            "a member of its own": {"zz": {"deep": [1.0, None]}},
        }.items()
    },
}


def _bad_event(payload: bytes) -> Callable[[Healthy, int], list[Step]]:
    return lambda one, index: _at(one, index, [chunk(one.framed(payload))], goes_on=True)


def _at(one: Healthy, index: int, steps: list[Step], *, goes_on: bool = False) -> list[Step]:
    rest: list[Step] = [*map(chunk, one.events[index:]), LAST] if goes_on else []
    return [one.head + b"".join(map(chunk, one.events[:index])), 0.003, *steps, *rest]


def _half(one: Healthy, index: int) -> bytes:
    event = one.events[index] if index < len(one.events) else b""
    return event[: len(event) // 2]


def _error_event(one: Healthy) -> bytes:
    match one.protocol:
        case WireProtocol.CONVERSE | WireProtocol.INVOKE:
            return eventstream.encode_exception("throttlingException", b'{"message":"slow down"}')
        case WireProtocol.ANTHROPIC:
            return sse.encode_event(b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', "error")
        case WireProtocol.OPENAI_RESPONSES:
            return sse.encode_event(b'{"type":"error","code":"server_error","message":"x","param":null}', "error")
        case _:
            return sse.encode_event(b'{"error":{"message":"x","type":"server_error"}}')


_OTHER: dict[WireProtocol, WireProtocol] = {
    WireProtocol.OPENAI_CHAT: WireProtocol.ANTHROPIC,
    WireProtocol.ANTHROPIC: WireProtocol.OPENAI_CHAT,
    WireProtocol.CONVERSE: WireProtocol.OPENAI_CHAT,
    WireProtocol.INVOKE: WireProtocol.OPENAI_CHAT,
    WireProtocol.OPENAI_RESPONSES: WireProtocol.OPENAI_CHAT,
}
WITHIN: dict[str, Callable[[Healthy, int], list[Step]]] = {
    "closes": lambda one, index: _at(one, index, [Close]),
    "resets": lambda one, index: _at(one, index, [Reset]),
    "stalls": lambda one, index: _at(one, index, [Stall]),
    "ends": lambda one, index: _at(one, index, [LAST]),
    "ends within an event": lambda one, index: _at(
        one, index, [chunk(half), LAST] if (half := _half(one, index)) else [LAST]
    ),
    "breaks off within an event": lambda one, index: _at(
        one, index, [chunk(half), Close] if (half := _half(one, index)) else [Close]
    ),
    "breaks off within a chunk": lambda one, index: _at(one, index, [b"ff\r\nabc", Close]),
    "sends no chunks any more": lambda one, index: _at(one, index, [b"zz\r\n\r\n", Close]),
    "sends garbage": lambda one, index: _at(one, index, [chunk(bytes(range(200, 256)) * 4)], goes_on=True),
    "says an error": lambda one, index: _at(one, index, [chunk(_error_event(one)), LAST]),
    "says an error and goes on": lambda one, index: _at(one, index, [chunk(_error_event(one))], goes_on=True),
    "leaves an event out": lambda one, index: [
        one.head,
        *map(chunk, [*one.events[:index], *one.events[index + 1 :]]),
        LAST,
    ],
    "sends an event twice": lambda one, index: _at(
        one, index, [chunk(one.events[min(index, len(one.events) - 1)])], goes_on=True
    ),
    "changes two events' places": lambda one, index: [
        one.head,
        *map(chunk, [*one.events[:index], *reversed(one.events[index : index + 2]), *one.events[index + 2 :]]),
        LAST,
    ],
    "mixes another stream in": lambda one, index: _at(
        one, index, [chunk(EVENTS[_OTHER[one.protocol]][2])], goes_on=True
    ),
    "begins again": lambda one, index: _at(one, index, [*map(chunk, one.events), LAST]),
    "says an event of no JSON": _bad_event(b"{nothing"),
    "says an event of bytes that are no text": _bad_event(
        b'{"type":"ping","choices":[],"usage":{},"delta":{"x":"\xff\xfe"}}'
    ),
    "says a number of many digits": _bad_event(
        b'{"type":"ping","choices":[],"usage":{},"delta":{"x":%b}}' % (b"9" * 5_000)
    ),
    "says an event that is deep": _bad_event(
        b'{"type":"ping","delta":{},"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    ),
    "says all at once, and no JSON in it": lambda one, index: [
        one.head + b"".join(map(chunk, [*one.events[:index], one.framed(b"{nothing"), *one.events[index:]])) + LAST
    ],
    "says null": _bad_event(b"null"),
    "goes on after its end": lambda one, index: [
        *one.steps()[:-1],
        *[chunk(one.events[index % len(one.events)])] * 3,
        LAST,
    ],
    "sends events byte by byte": lambda one, index: [
        one.head,
        *(chunk(bytes([byte])) for byte in b"".join(one.events[: index + 1])),
        *map(chunk, one.events[index + 1 :]),
        LAST,
    ],
}


def cut_at(one: Healthy, place: int, end: type[Close] | type[Reset]) -> list[Step]:
    """The answer up to a byte."""
    data = b"".join(step for step in one.steps() if isinstance(step, bytes))
    return [data[:place], end]


def length_of(protocol: WireProtocol, *, stream: bool) -> int:
    """How many bytes the whole answer has on the wire."""
    return sum(len(step) for step in Healthy(protocol, stream=stream).steps() if isinstance(step, bytes))


def asked_for(path: str, body: bytes) -> Healthy:
    """What a request wants."""
    operation = path.partition("?")[0].rpartition("/")[2]
    match operation:
        case "converse" | "converse-stream":
            return Healthy(WireProtocol.CONVERSE, stream=operation.endswith("-stream"))
        case "invoke" | "invoke-with-response-stream":
            return Healthy(WireProtocol.INVOKE, stream=operation.endswith("-stream"))
    spoken = {
        "completions": WireProtocol.OPENAI_CHAT,
        "responses": WireProtocol.OPENAI_RESPONSES,
        "messages": WireProtocol.ANTHROPIC,
    }[operation]
    return Healthy(spoken, stream=bool(json.loads(body).get("stream")))


class Provider:
    """Listens while it is in a ``with`` statement.

    Attributes:
        calls: How many requests came, by the name in their message.
        playing: How many answers are being given now.
        left: Of which requests the other side closed before the end.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.playing = 0
        self.open = 0
        self.left: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop_listening(self) -> None:
        """Refuse connections from now on."""
        self.__exit__()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        tasks: set[asyncio.Task[Any]] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            self.open += 1
            try:
                while await self._answer(reader, writer):
                    pass
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                self.open -= 1
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(fields["content-length"]))
        one = asked_for(head[0].split(" ")[1], body)
        found = _NOTE.search(body)
        assert found is not None
        fault_id, fault = json.loads(base64.urlsafe_b64decode(found[1]))
        self.calls[fault_id] += 1
        steps = one.steps()
        if fault and (fault["times"] is None or self.calls[fault_id] <= fault["times"]):
            steps = self._script(one, fault)
        self.playing += 1
        try:
            return await self._play(steps, reader, writer)
        except ConnectionError:
            self.left.add(fault_id)
            raise
        finally:
            self.playing -= 1

    def _script(self, one: Healthy, fault: dict[str, Any]) -> list[Step]:
        match fault["where"]:
            case "before":
                return BEFORE[fault["what"]](one)
            case "within":
                return WITHIN[fault["what"]](one, fault["index"])
            case _:
                return cut_at(one, fault["index"], Reset if fault["what"] == "resets" else Close)

    async def _play(self, steps: list[Step], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        for step in steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif isinstance(step, float):
                await asyncio.sleep(step)
            elif step is Stall:
                if await reader.read(1) == b"":
                    raise ConnectionResetError
                return False
            elif step is Reset:
                await asyncio.sleep(0.002)  # what was sent arrives before
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return False
            else:
                return False
        return True
