"""The client against servers that are byte scripts, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.upstream.http.scripted import CHUNKED, OK, Script, answering, client, request, server, soon
from tests.upstream.http.support import self_signed
from turnout.upstream.errors import StalledError, TruncatedStreamError, failure_of, is_unbilled
from turnout.upstream.http.client import ConnectionRules, HttpClient, Origin
from turnout.upstream.http.errors import ConnectError, PoolTimeout, ReadError, RemoteProtocolError


async def fetch(one: HttpClient, origin: Origin, body: bytes = b"{}") -> tuple[int, bytes]:
    answer = await one.send(origin, b"POST", b"/v1/x", [(b"x-a", b"b")], body, soon())
    return answer.status, await answer.read(soon())


def keeping(got: list[bytes]) -> Script:
    """Answer one request, and keep it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await request(reader))
        writer.write(OK)

    return script


async def drained(one: HttpClient, origin: Origin) -> None:
    """Read an answer to its end, with little patience."""
    answer = await one.send(origin, b"POST", b"/", [], b"", soon(0.1))
    try:
        while await answer.next(soon(0.1)) is not None:
            pass
    finally:
        answer.close()


async def test_request_and_answer() -> None:
    got: list[bytes] = []
    async with server(keeping(got)) as origin, client() as one:
        answer = await one.send(origin, b"POST", b"/v1/x?y=1", [(b"x-a", b"b")], b'{"k":1}', soon())
        assert await answer.read(soon()) == b"hello"
        assert answer.fields["x-some"] == "thing"
    head = f"POST /v1/x?y=1 HTTP/1.1\r\nhost: {origin.authority}\r\nx-a: b\r\ncontent-length: 7\r\n\r\n"
    assert got == [head.encode() + b'{"k":1}']


async def test_connections_are_kept_and_used_again() -> None:
    async with server(answering(OK)) as origin, client() as one:
        for _ in range(5):
            assert await fetch(one, origin) == (200, b"hello")
            assert one.connections == 1
        await asyncio.gather(*(fetch(one, origin) for _ in range(4)))
        assert one.connections == 4


async def test_of_a_request_that_waits_for_the_end_of_the_turn_nothing_is_sent_if_its_connection_closes() -> None:
    got: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        got.append(await reader.read())

    async with server(script) as origin, client() as one:
        await asyncio.gather(fetch(one, origin), fetch(one, origin))
        asking = list[asyncio.Task[tuple[int, bytes]]]()
        for body, tasks in ((b"does not wait", 1), (b"waits", 2)):
            one.outbox.tasks = range(tasks)
            asking.append(asyncio.create_task(fetch(one, origin, body)))
            await asyncio.sleep(0)
        await one.aclose()
        for task in asking:
            with pytest.raises(ReadError):
                await task
        await asyncio.sleep(0.02)
    assert sorted(piece[-13:] for piece in got) == [b"", b"does not wait"]


async def test_requests_that_leave_together_are_all_answered() -> None:
    async with server(answering(OK)) as origin, client() as one:
        one.outbox.tasks = range(8)
        for _ in range(3):
            assert await asyncio.gather(*(fetch(one, origin) for _ in range(8))) == [(200, b"hello")] * 8


async def test_a_request_too_large_to_wait_leaves_whole() -> None:
    got: list[bytes] = []
    async with server(keeping(got)) as origin, client() as one:
        await fetch(one, origin, b"x" * 300_000)
    assert got[0].endswith(b"\r\n\r\n" + b"x" * 300_000)


@pytest.mark.parametrize("head", [b"Connection: close\r\nContent-Length: 5\r\n", b""])
async def test_a_connection_that_does_not_go_on_is_not_kept(head: bytes) -> None:
    async with server(answering(b"HTTP/1.1 200 OK\r\n" + head + b"\r\nhello", close=True)) as origin, client() as one:
        for _ in range(2):
            assert await fetch(one, origin) == (200, b"hello")
        await asyncio.sleep(0.02)
        assert one.connections == 0


async def test_a_connection_that_was_unused_for_too_long_is_closed() -> None:
    async with server(answering(OK)) as origin, client(idle_s=0.05) as one:
        await fetch(one, origin)
        await asyncio.sleep(0.2)
        assert one.connections == 0
        assert await fetch(one, origin) == (200, b"hello")


async def test_a_server_that_closes_an_unused_connection_costs_no_call() -> None:
    async with server(answering(OK, close=True)) as origin, client() as one:
        for _ in range(3):
            assert await fetch(one, origin) == (200, b"hello")
            await asyncio.sleep(0.02)


async def test_informational_answers_are_passed_over() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    async with server(answering(b"HTTP/1.1 100 Continue\r\n\r\n", early, OK)) as origin, client() as one:
        answer = await one.send(origin, b"POST", b"/", [], b"", soon())
        assert (answer.status, "link" in answer.fields) == (200, False)
        assert await answer.read(soon()) == b"hello"


async def test_pieces_come_as_they_are_sent() -> None:
    pieces = [b"5\r\nfirst\r\n", b"6\r\nsecond\r\n", b"0\r\n\r\n"]
    async with server(answering(CHUNKED, *pieces)) as origin, client() as one:
        answer = await one.send(origin, b"POST", b"/", [], b"", soon())
        assert await answer.next(soon()) == b"first"
        assert await answer.next(soon()) == b"second"
        assert await answer.next(soon()) is None
        assert await answer.next(soon()) is None


async def test_every_way_of_cutting_an_answer_reads_the_same() -> None:
    whole = CHUNKED + b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"
    async with client() as one:
        for cut in range(1, len(whole)):
            async with server(answering(whole[:cut], whole[cut:])) as origin:
                assert await fetch(one, origin) == (200, b"firstsecond")


async def test_a_slow_reader_stops_the_provider() -> None:
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(500):
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000

    async with server(script) as origin, client() as one:
        answer = await one.send(origin, b"POST", b"/", [], b"", soon())
        await asyncio.sleep(0.2)
        assert sent < 40_000_000
        assert len(await answer.read(soon())) == 50_000_000


class TestFailures:
    async def test_nobody_listens(self) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            origin = Origin(False, "127.0.0.1", bound.getsockname()[1])
            async with client() as one:
                with pytest.raises(ConnectError) as caught:
                    await fetch(one, origin)
        failure = failure_of(caught.value)
        assert (failure.kind, is_unbilled(failure.name)) == ("retryable", True)

    async def test_no_tls_where_tls_is_asked_for(self) -> None:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(OK)

        async with server(script) as plain, client() as one:
            with pytest.raises(ConnectError) as caught:
                await fetch(one, Origin(True, plain.host, plain.port))
        assert isinstance(caught.value.__cause__, ssl.SSLError | OSError)

    @pytest.mark.parametrize(
        ("pieces", "error"),
        [
            ((), ReadError),
            ((b"HTTP/1.1 200 OK\r\nContent-",), ReadError),
            ((b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",), TruncatedStreamError),
            ((CHUNKED, b"5\r\nhel"), TruncatedStreamError),
            ((b"SSH-2.0-OpenSSH_9.6\r\n\r\n",), RemoteProtocolError),
            ((CHUNKED, b"zz\r\nhello"), RemoteProtocolError),
            ((b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000 + b"\r\n\r\n",), RemoteProtocolError),
        ],
    )
    async def test_answers_that_are_none(self, pieces: tuple[bytes, ...], error: type[Exception]) -> None:
        async with server(answering(*pieces, close=True)) as origin, client() as one:
            with pytest.raises(error) as caught:
                await fetch(one, origin)
            assert failure_of(caught.value).kind == "retryable"
            await asyncio.sleep(0.02)
            assert one.connections == 0

    async def test_what_came_before_the_break_is_read_first(self) -> None:
        async with server(answering(CHUNKED, b"5\r\nfirst\r\n", close=True)) as origin, client() as one:
            answer = await one.send(origin, b"POST", b"/", [], b"", soon())
            await asyncio.sleep(0.05)
            assert await answer.next(soon()) == b"first"
            with pytest.raises(TruncatedStreamError):
                await answer.next(soon())

    @pytest.mark.parametrize("pieces", [(), (CHUNKED, b"5\r\nfirst\r\n")])
    async def test_a_provider_that_says_nothing(self, pieces: tuple[bytes, ...]) -> None:
        gone = asyncio.Event()

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await request(reader)
            writer.write(b"".join(pieces))
            assert await reader.read() == b""
            gone.set()

        async with server(script) as origin, client() as one:
            with pytest.raises(StalledError):
                await drained(one, origin)
            await asyncio.wait_for(gone.wait(), 5)
            assert one.connections == 0

    async def test_a_long_wait_after_a_short_one(self) -> None:
        async with server(answering(CHUNKED, b"5\r\nfirst\r\n", b"0\r\n\r\n")) as origin, client() as one:
            answer = await one.send(origin, b"POST", b"/", [], b"", soon(0.05))
            assert await answer.next(soon(5)) == b"first"
            await asyncio.sleep(0.1)  # the first wait's time runs out meanwhile
            assert await answer.next(soon(5)) is None

    async def test_a_call_that_is_cancelled_closes_its_connection_at_once(self) -> None:
        came, gone = asyncio.Event(), asyncio.Event()

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await request(reader)
            came.set()
            assert await reader.read() == b""
            gone.set()

        async with server(script) as origin, client() as one:
            task = asyncio.create_task(fetch(one, origin))
            await came.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(gone.wait(), 5)

    async def test_an_answer_without_end(self) -> None:
        async with server(answering(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 5000)) as origin, client() as one:
            answer = await one.send(origin, b"POST", b"/", [], b"", soon())
            with pytest.raises(RemoteProtocolError):
                await answer.read(soon(), 1000)

    async def test_bytes_that_nobody_asked_for_end_a_connection(self) -> None:
        async with server(answering(OK + OK)) as origin, client() as one:
            assert await fetch(one, origin) == (200, b"hello")
            await asyncio.sleep(0.02)
            assert one.connections == 0
            assert await fetch(one, origin) == (200, b"hello")


class TestOrigin:
    def test_of_urls(self) -> None:
        assert Origin.of("https://api.openai.com/v1") == Origin(True, "api.openai.com", 443)
        assert Origin.of("http://localhost:11434").authority == "localhost:11434"
        assert Origin.of("http://[::1]:80/x").authority == "[::1]"

    @pytest.mark.parametrize(
        "url", ["", "api.openai.com", "ftp://x", "https://", "https://user:secret@x/", "http://x:y"]
    )
    def test_what_is_none(self, url: str) -> None:
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - urllib's own words for a bad port
            Origin.of(url)
        assert "secret" not in str(caught.value)

    @given(st.integers(1, 65_535), st.booleans())
    def test_the_authority_leads_back(self, port: int, secure: bool) -> None:
        origin = Origin(secure, "a.example", port)
        assert Origin.of(f"{'https' if secure else 'http'}://{origin.authority}/x") == origin


class TestRules:
    """What holds for single servers."""

    async def test_so_many_requests_at_once_and_the_others_wait(self) -> None:
        busy, most = 0, 0

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal busy, most
            while True:
                await request(reader)
                busy, most = busy + 1, max(most, busy + 1)
                await asyncio.sleep(0.01)
                busy -= 1
                writer.write(OK)

        async with server(script) as origin:
            one = HttpClient(rules={origin: ConnectionRules(max_connections=2)})
            try:
                found = await asyncio.gather(*(fetch(one, origin) for _ in range(6)))
            finally:
                await one.aclose()
        assert found == [(200, b"hello")] * 6
        assert most == 2

    @pytest.mark.parametrize("how", ["read", "closed", "cancelled", "refused", "broken"])
    async def test_every_end_of_a_request_makes_room(self, how: str) -> None:
        calls = 0

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal calls
            while True:
                await request(reader)
                calls += 1
                if calls > 1 or how == "read":
                    writer.write(OK)
                elif how == "closed":
                    writer.write(CHUNKED)
                elif how == "broken":
                    writer.close()
                    return

        async with server(script) as origin:
            one = HttpClient(rules={origin: ConnectionRules(max_connections=1)})
            try:
                if how == "refused":
                    with pytest.raises(StalledError):
                        await one.send(origin, b"POST", b"/", [], b"", soon(0.05))
                elif how == "cancelled":
                    task = asyncio.create_task(one.send(origin, b"POST", b"/", [], b"", soon()))
                    await asyncio.sleep(0.05)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                elif how == "broken":
                    with pytest.raises(ReadError):
                        await one.send(origin, b"POST", b"/", [], b"", soon())
                else:
                    answer = await one.send(origin, b"POST", b"/", [], b"", soon())
                    if how == "read":
                        await answer.read(soon())
                    answer.close()
                    answer.close()
                assert await fetch(one, origin) == (200, b"hello")
            finally:
                await one.aclose()

    async def test_an_answer_that_is_closed_twice_makes_room_for_one(self) -> None:
        async with server(answering(CHUNKED)) as origin:
            one = HttpClient(rules={origin: ConnectionRules(max_connections=1)})
            first = await one.send(origin, b"POST", b"/", [], b"", soon())
            first.close()
            first.close()
            second = await one.send(origin, b"POST", b"/", [], b"", soon())
            with pytest.raises(PoolTimeout):
                await one.send(origin, b"POST", b"/", [], b"", soon(0.05))
            second.close()
            await one.aclose()

    async def test_no_room_in_time_is_an_error_that_was_not_billed(self) -> None:
        async with server(answering(CHUNKED)) as origin:
            one = HttpClient(rules={origin: ConnectionRules(max_connections=1)})
            answer = await one.send(origin, b"POST", b"/", [], b"", soon())
            with pytest.raises(PoolTimeout) as caught:
                await one.send(origin, b"POST", b"/", [], b"", soon(0.05))
            answer.close()
            await one.aclose()
        failure = failure_of(caught.value)
        assert (failure.kind, is_unbilled(failure.name)) == ("retryable", True)

    async def test_a_certificate_that_only_this_server_is_trusted_with(self, tmp_path: Path) -> None:
        certificate, key = self_signed(tmp_path)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)

        async with server(answering(OK), tls) as origin:
            trusting = HttpClient(rules={origin: ConnectionRules(tls=ssl.create_default_context(cafile=certificate))})
            other = HttpClient()
            try:
                assert await fetch(trusting, origin) == (200, b"hello")
                with pytest.raises(ConnectError):
                    await fetch(other, origin)
            finally:
                await trusting.aclose()
                await other.aclose()


PIECES = [b"%x\r\n%b\r\n" % (len(text), text) for text in (b"one", b"two", b"three")]


class Glass:
    """What is poured into it; it takes so many pieces."""

    def __init__(self, most: int = 100) -> None:
        self.most = most
        self.pieces: list[bytes] = []
        self.filling = asyncio.Event()

    def take(self, piece: bytes) -> bool:
        self.pieces.append(piece)
        self.filling.set()
        return len(self.pieces) < self.most


async def test_pieces_are_poured_until_the_last() -> None:
    async with server(answering(CHUNKED, *PIECES, b"0\r\n\r\n")) as origin, client() as one:
        for _ in range(2):  # the connection is kept
            answer = await one.send(origin, b"POST", b"/", [], b"{}", soon())
            glass = Glass()
            await answer.pour(glass.take, 5.0)
            assert b"".join(glass.pieces) == b"onetwothree"
            assert await answer.next(soon()) is None
            await answer.pour(glass.take, 5.0)  # there is nothing more
        assert one.connections == 1


async def test_what_is_taken_no_more_waits() -> None:
    async with server(answering(CHUNKED, *PIECES, b"0\r\n\r\n")) as origin, client() as one:
        answer = await one.send(origin, b"POST", b"/", [], b"{}", soon())
        glass = Glass(most=1)
        await answer.pour(glass.take, 5.0)
        assert glass.pieces == [b"one"]
        await asyncio.sleep(0.05)
        assert glass.pieces == [b"one"]
        await answer.pour(glass.take, 5.0)
        assert glass.pieces == [b"one", b"twothree"]
        assert await answer.next(soon()) is None


async def test_each_piece_gives_the_next_one_its_time() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(CHUNKED)
        for piece in PIECES:
            await asyncio.sleep(0.08)
            writer.write(piece)
        await asyncio.sleep(60)

    async with server(script) as origin, client() as one:
        answer = await one.send(origin, b"POST", b"/", [], b"{}", soon())
        glass = Glass()
        with pytest.raises(StalledError):
            await answer.pour(glass.take, 0.15)
        assert b"".join(glass.pieces) == b"onetwothree"
        answer.close()


@pytest.mark.parametrize(
    ("last", "error"), [(b"", TruncatedStreamError), (b"no size\r\n", RemoteProtocolError)], ids=["closed", "garbage"]
)
async def test_what_ends_the_pouring_is_told_next(last: bytes, error: type[Exception]) -> None:
    async with server(answering(CHUNKED, *PIECES, last, close=True)) as origin, client() as one:
        answer = await one.send(origin, b"POST", b"/", [], b"{}", soon())
        glass = Glass()
        await answer.pour(glass.take, 5.0)
        assert b"".join(glass.pieces) == b"onetwothree"
        with pytest.raises(error):
            await answer.next(soon())
        answer.close()


async def test_who_is_cancelled_gets_nothing_more() -> None:
    async with server(answering(CHUNKED, *PIECES, *PIECES)) as origin, client() as one:
        answer = await one.send(origin, b"POST", b"/", [], b"{}", soon())
        glass = Glass()
        task = asyncio.create_task(answer.pour(glass.take, 5.0))
        await glass.filling.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        count = len(glass.pieces)
        await asyncio.sleep(0.03)
        assert len(glass.pieces) == count
        answer.close()
