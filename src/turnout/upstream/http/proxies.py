"""Proxies on the way to a provider: which one is used, and the tunnel through it.

The variables are those that other clients read: ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``ALL_PROXY``, in capitals or not,
and ``NO_PROXY``. As in Go's client, a provider on this machine is never asked through a proxy of the environment.

Sources: RFC 9110, sections 9.3.6 (CONNECT) and 7.1 (a target in absolute form); Go's ``net/http``,
ProxyFromEnvironment, and its ``golang.org/x/net/http/httpproxy`` for what ``NO_PROXY`` may hold.

Known limitations: proxies are spoken to without TLS, and SOCKS is not spoken.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from turnout.upstream.http.errors import ConnectError

_MOST_HEAD_BYTES = 16 * 1024
_PORT = 3128
"""What a proxy listens on where its URL does not say: Squid's, as curl takes it to be for no scheme."""


class Place(Protocol):
    """Where a provider listens; see `turnout.upstream.http.client.Origin`."""

    @property
    def secure(self) -> bool:
        """Whether by TLS."""

    @property
    def host(self) -> str:
        """Its name."""

    @property
    def port(self) -> int:
        """Its port."""


class ProxyServer(NamedTuple):
    """A proxy.

    Attributes:
        host: Its name.
        port: Its port.
        authorization: The value of ``Proxy-Authorization``; none: it asks for none.
    """

    host: str
    port: int
    authorization: bytes | None = None

    def __repr__(self) -> str:
        """Without what it is asked with."""
        return f"ProxyServer({self.host!r}, {self.port})"

    @classmethod
    def of(cls, url: str) -> ProxyServer:
        """The proxy of a URL, whose user and password may be percent-encoded.

        Raises:
            ValueError: It is no ``http`` URL with a host; the message does not repeat it.
        """
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise ValueError("must be a URL such as http://proxy.example.com:3128: proxies are spoken to without TLS")
        authorization = None
        if parts.username is not None:
            shown = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = b"Basic " + b64encode(shown.encode())
        return cls(parts.hostname, parts.port or _PORT, authorization)


def proxy_by_environment(place: Place, environment: Mapping[str, str]) -> ProxyServer | None:
    """The proxy that the environment names for a provider; none: it is asked directly.

    Raises:
        ValueError: The variable does not hold the URL of a proxy; the message names the variable.
    """
    if _is_here(place.host):
        return None
    left_out = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if any(_covers(entry.strip().lower(), place) for entry in left_out.split(",")):
        return None
    scheme = "https" if place.secure else "http"
    for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"):
        if environment.get(name):
            return _named(name, environment)
    return None


def check_environment(environment: Mapping[str, str]) -> None:
    """Hold the proxies that the environment names against what they can be, before anybody needs one.

    Raises:
        ValueError: A variable does not hold the URL of a proxy; the message names the variable.
    """
    for name in ("https_proxy", "http_proxy", "all_proxy"):
        for one in (name, name.upper()):
            if environment.get(one):
                _named(one, environment)


def _named(name: str, environment: Mapping[str, str]) -> ProxyServer:
    try:
        return ProxyServer.of(environment[name])
    except ValueError as error:
        raise ValueError(f"the environment variable {name} {error}") from None


async def open_tunnel(
    proxy: ProxyServer, place: Place, protocol: asyncio.Protocol, tls: ssl.SSLContext
) -> asyncio.BaseTransport:
    """Connect to a provider through a proxy, and speak TLS with the provider.

    Args:
        proxy: The proxy.
        place: The provider.
        protocol: Is told of the connection once it stands.
        tls: What is trusted of the provider.

    Raises:
        ConnectError: The proxy does not let us through.
        OSError: The proxy, or the provider behind it, could not be reached, or shows no certificate that is trusted.
    """
    loop = asyncio.get_running_loop()
    tunnel = _Tunnel(loop)
    transport, _ = await loop.create_connection(lambda: tunnel, proxy.host, proxy.port)
    try:
        target = b"%b:%d" % (_bracketed(place.host).encode(), place.port)
        shown = b"" if proxy.authorization is None else b"proxy-authorization: %b\r\n" % proxy.authorization
        transport.write(b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (target, target, shown))
        status = await tunnel.status
        if not 200 <= status < 300:
            hint = ": it asks for a user and a password" if status == 407 else ""
            raise ConnectError(f"the proxy {proxy.host}:{proxy.port} answered {status}{hint}")
        secured = await loop.start_tls(transport, protocol, tls, server_hostname=place.host)
        if secured is None:
            raise ConnectError("the connection through the proxy broke")
        protocol.connection_made(secured)
        return secured
    except BaseException:
        transport.abort()
        raise


class _Tunnel(asyncio.Protocol):
    """Reads what a proxy answers to CONNECT."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.status: asyncio.Future[int] = loop.create_future()
        self._head = b""

    def data_received(self, data: bytes) -> None:
        """A part of the answer's head came; after it nothing comes before we have spoken."""
        if self.status.done():
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            words = self._head.split(b"\r\n", 1)[0].split()
            number = words[1] if len(words) > 1 and words[0].startswith(b"HTTP/1.") else b""
            if number.isdigit():
                self.status.set_result(int(number))
            else:
                self.status.set_exception(ConnectError("the proxy's answer is no HTTP"))
        elif len(self._head) > _MOST_HEAD_BYTES:
            self.status.set_exception(ConnectError("the proxy's answer is too long"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The proxy is gone."""
        if not self.status.done():
            self.status.set_exception(ConnectError("the proxy closed the connection"))
            self.status.exception()  # nobody may be waiting any more


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return False


def _covers(entry: str, place: Place) -> bool:
    """Whether an entry of ``NO_PROXY`` means a provider: ``*``, a name or its ending, an address, a network; a port."""
    name, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        if int(port) != place.port:
            return False
        entry = name
    entry, host = entry.strip("[]"), place.host.lower()
    if not entry:
        return False
    with suppress(ValueError):
        address = ip_address(host)
        with suppress(ValueError):
            return address in ip_network(entry, strict=False)
        return entry == "*"
    ending = entry.removeprefix("*") if entry.startswith("*.") else entry
    return entry == "*" or host == ending.removeprefix(".") or host.endswith("." + ending.removeprefix("."))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
