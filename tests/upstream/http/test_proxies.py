"""The way through a proxy, over real sockets; the proxies are scripts that do what proxies do."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.upstream.http.scripted import OK, Script, answering, request, server, soon
from tests.upstream.http.support import self_signed
from turnout.upstream.errors import failure_of, is_unbilled
from turnout.upstream.http.client import ConnectionRules, HttpClient, Origin
from turnout.upstream.http.errors import ConnectError
from turnout.upstream.http.proxies import ProxyServer, check_environment, proxy_by_environment

SHOWN = b"proxy-authorization: Basic " + b64encode(b"me:s:ecret")


async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


def tunnelling(heads: list[bytes]) -> Script:
    """Connect whoever asks for it; ``heads`` gets what was asked."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head)
        host, port = head.split()[1].decode().rsplit(":", 1)
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n")
        await asyncio.sleep(0.01)  # the head comes in two pieces
        writer.write(b"via: some proxy\r\n\r\n")
        try:
            await asyncio.gather(copied(reader, back), copied(there, writer))
        finally:
            back.close()
            with suppress(ConnectionError):
                await back.wait_closed()

    return script


@asynccontextmanager
async def through(proxy: ProxyServer, origin: Origin, tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpClient]:
    one = HttpClient(rules={origin: ConnectionRules(tls=tls, proxy=proxy)}, connect_s=5)
    try:
        yield one
    finally:
        await one.aclose()


def at(origin: Origin) -> ProxyServer:
    return ProxyServer.of(f"http://me:s%3Aecret@{origin.host}:{origin.port}")


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a provider shows, and what its clients trust."""
    certificate, key = self_signed(tmp_path)
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(certificate, key)
    return shown, ssl.create_default_context(cafile=str(certificate))


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_tunnel_is_made_once_and_kept(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    run(asked_thrice(contexts))


async def asked_thrice(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    heads: list[bytes] = []
    shown, trusted = contexts
    async with (
        server(answering(OK), shown) as origin,
        server(tunnelling(heads)) as proxy,
        through(at(proxy), origin, trusted) as one,
    ):
        for _ in range(3):
            answer = await one.send(origin, b"POST", b"/v1", [], b"{}", soon())
            assert await answer.read(soon()) == b"hello"
        assert one.connections == 1
    [head] = heads
    assert head.startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n" % (origin.port, origin.port))
    assert SHOWN in head


async def test_the_certificate_is_the_providers(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    shown, _ = contexts
    async with (
        server(answering(OK), shown) as origin,
        server(tunnelling([])) as proxy,
        through(at(proxy), origin, ssl.create_default_context()) as one,
    ):
        with pytest.raises(ConnectError, match="SSLCertVerificationError"):
            await one.send(origin, b"POST", b"/", [], b"{}", soon())
        assert one.connections == 0


async def test_without_tls_the_whole_url_is_asked_for() -> None:
    asked: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked.append(await request(reader))
            writer.write(OK)

    origin = Origin(False, "models.example.com", 8080)
    async with server(script) as proxy, through(at(proxy), origin) as one:
        for _ in range(2):
            answer = await one.send(origin, b"POST", b"/v1/chat?x=1", [(b"a", b"b")], b"{}", soon())
            assert await answer.read(soon()) == b"hello"
    assert len(asked) == 2
    assert asked[0].startswith(
        b"POST http://models.example.com:8080/v1/chat?x=1 HTTP/1.1\r\nhost: models.example.com:8080\r\n"
    )
    assert SHOWN in asked[0]


def saying(text: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()

    return script


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "answered 407: it asks for a user and a password"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "answered 403$"),
        (b"what?\r\n\r\n", "is no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 9_000, "too long"),
        (b"", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\n\r\nno TLS", "Error"),
    ],
)
async def test_what_a_proxy_may_say_instead(said: bytes, error: str) -> None:
    async with server(saying(said)) as proxy, through(at(proxy), origin := Origin(True, "a.example", 443)) as one:
        with pytest.raises(ConnectError, match=error) as caught:
            await one.send(origin, b"POST", b"/", [], b"{}", soon())
        assert "ecret" not in str(caught.value)
        assert is_unbilled(failure_of(caught.value).name)
        assert one.connections == 0


async def test_a_proxy_that_says_nothing_is_not_waited_for() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with server(silent) as proxy, through(at(proxy), origin := Origin(True, "a.example", 443)) as one:
        with pytest.raises(ConnectError, match="in time"):
            await one.send(origin, b"POST", b"/", [], b"{}", soon(0.1))


async def test_the_environment_names_proxies() -> None:
    asked: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await request(reader))
        writer.write(OK)

    async with server(script) as proxy:
        one = HttpClient(environment={"http_proxy": f"http://127.0.0.1:{proxy.port}"})
        answer = await one.send(Origin(False, "a.example", 80), b"POST", b"/", [], b"{}", soon())
        assert await answer.read(soon()) == b"hello"
        await one.aclose()
        bad = HttpClient(environment={"HTTPS_PROXY": "socks5://me:secret@p"})
        with pytest.raises(ConnectError, match="HTTPS_PROXY must be a URL") as caught:
            await bad.send(Origin(True, "a.example", 443), b"POST", b"/", [], b"{}", soon())
        assert "secret" not in str(caught.value)
    assert asked[0].startswith(b"POST http://a.example/ HTTP/1.1\r\n")


PROXIES = {"https_proxy": "http://p:1", "HTTP_PROXY": "q:2"}
P, Q = ProxyServer("p", 1), ProxyServer("q", 2)


@pytest.mark.parametrize(
    ("url", "left_out", "found"),
    [
        ("https://api.openai.com", "", P),
        ("http://llama.lan:8080", "", Q),
        ("https://localhost", "", None),
        ("http://127.0.0.1:8000", "", None),
        ("http://[::1]:8000", "", None),
        ("https://api.openai.com", "*", None),
        ("https://api.openai.com", "openai.com", None),
        ("https://api.openai.com", ".openai.com", None),
        ("https://api.openai.com", "*.openai.com", None),
        ("https://openai.com", ".openai.com", None),
        ("https://api.openai.com", "anthropic.com, API.openai.com", None),
        ("https://api.openai.com", "api.openai.com:443", None),
        ("https://api.openai.com", "api.openai.com:8443", P),
        ("https://notopenai.com", "openai.com", P),
        ("https://api.openai.com", ",", P),
        ("http://10.1.2.3", "10.0.0.0/8", None),
        ("http://10.1.2.3", "10.1.2.3:80", None),
        ("http://10.1.2.3", "10.1.2", Q),
        ("http://[fd00::1]:80", "fd00::/8", None),
        ("http://[fd00::1]:80", "[fd00::1]:80", None),
        ("http://10.1.2.3", "*", None),
    ],
)
def test_which_proxy(url: str, left_out: str, found: ProxyServer | None) -> None:
    assert proxy_by_environment(Origin.of(url), {**PROXIES, "NO_PROXY": left_out}) == found


def test_one_for_all() -> None:
    assert proxy_by_environment(Origin.of("https://a.example"), {"all_proxy": "p:1"}) == P
    assert proxy_by_environment(Origin.of("https://a.example"), {}) is None
    assert proxy_by_environment(Origin.of("https://a.example"), {"https_proxy": "", "HTTPS_PROXY": "p:1"}) == P


@pytest.mark.parametrize(
    "url", ["https://p:1", "socks5://p", "http://", "http://p/path", "http://p:99999", "http://p?x"]
)
def test_what_is_no_proxy(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be a URL|[Pp]ort"):
        ProxyServer.of(url)
    with pytest.raises(ValueError, match="ALL_PROXY"):
        check_environment({"ALL_PROXY": url})


def test_a_password_is_not_shown() -> None:
    proxy = ProxyServer.of("http://me:s%3Aecret@p")
    assert proxy == ProxyServer("p", 3128, b"Basic " + b64encode(b"me:s:ecret"))
    assert repr(proxy) == "ProxyServer('p', 3128)"
    check_environment({"https_proxy": "http://me:s%3Aecret@p"})
