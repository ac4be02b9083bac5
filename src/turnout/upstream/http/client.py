"""The HTTP client of the relay: connections that are kept, and answers that are read as they come.

Nothing is tried twice here: a call that failed is on record, and what follows it is decided elsewhere
(`turnout.upstream.retry`). Use a client from one event loop.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from turnout.upstream.http.connection import Connection
from turnout.upstream.http.errors import ConnectError, ConnectTimeout, PoolTimeout, RemoteProtocolError
from turnout.upstream.http.outbox import Outbox
from turnout.upstream.http.proxies import ProxyServer, open_tunnel, proxy_by_environment

Headers = Sequence[tuple[bytes, bytes]]

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""The most bytes of an answer that is read as a whole."""


class Origin(NamedTuple):
    """Where a provider listens."""

    secure: bool
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """The origin of a URL.

        Raises:
            ValueError: It is no ``http`` or ``https`` URL with a host, or holds a user.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError("must be a URL such as https://api.example.com/v1")
        secure = parts.scheme == "https"
        return cls(secure, parts.hostname, parts.port or (443 if secure else 80))

    @property
    def authority(self) -> str:
        """The value of the ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


class ConnectionRules(NamedTuple):
    """What holds for connections to one provider.

    Attributes:
        tls: What they trust; none: as for all.
        connect_s: Seconds that connecting may take; none: as for all.
        max_connections: How many requests are under way at once; others wait. None: as many as come.
        direct: Whether it is never asked through a proxy, whatever the environment says.
        proxy: The proxy that it is asked through; none: that of the environment, if there is one.
    """

    tls: ssl.SSLContext | None = None
    connect_s: float | None = None
    max_connections: int | None = None
    direct: bool = False
    proxy: ProxyServer | None = None


_NO_RULES = ConnectionRules()


@lru_cache(maxsize=512)
def _opening(origin: Origin, method: bytes, target: bytes, proxy: ProxyServer | None) -> bytes:
    """How a request begins; there are hardly more of them than models."""
    host = origin.authority.encode()
    if proxy is None or origin.secure:  # through a tunnel as without one
        return b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (method, target, host)
    shown = b"" if proxy.authorization is None else b"proxy-authorization: %b\r\n" % proxy.authorization
    return b"%b http://%b%b HTTP/1.1\r\nhost: %b\r\n%b" % (method, host, target, host, shown)


class Answer:
    """An answer whose status and headers have come.

    Attributes:
        status: The HTTP status.
        headers: As they came, names in small letters.
    """

    __slots__ = ("_client", "_connection", "_origin", "headers", "status")

    def __init__(self, client: HttpClient, origin: Origin, connection: Connection) -> None:
        self._client, self._origin = client, origin
        self._connection: Connection | None = connection
        self.status = connection.status
        self.headers = connection.headers

    @property
    def fields(self) -> Mapping[str, str]:
        """The headers as texts; of one that came twice the last."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}

    async def next(self, until: float) -> bytes | None:
        """What has come of the body, waiting if nothing has; none at its end.

        Args:
            until: The time of the event loop's clock to wait for at most.

        Raises:
            StalledError: Nothing came in time.
            ConnectionError: The connection broke; see `turnout.upstream.http.errors`.
        """
        if self._connection is None:
            return None
        chunk = await self._connection.next(until)
        if chunk is None:
            self._client.release(self._origin, self._connection)
            self._connection = None
        return chunk

    async def pour(self, take: Callable[[bytes], bool], stall_s: float) -> None:
        """Give each piece of the body to ``take`` as it comes, until it takes no more or the last has come.

        It is called from the event loop itself, so that no task wakes up for each piece. What follows, the end and
        errors included, `next` tells.

        Args:
            take: Takes a piece at once, and says whether it takes more. It must not raise.
            stall_s: Seconds that nothing may come.

        Raises:
            StalledError: Nothing came in time.
        """
        if self._connection is not None:
            await self._connection.pour(take, stall_s)

    async def read(self, until: float, limit: int = MAX_ANSWER_BYTES) -> bytes:
        """The whole body.

        Raises:
            RemoteProtocolError: It is longer than the limit.
            StalledError: It did not come in time.
            ConnectionError: The connection broke.
        """
        chunks, size = list[bytes](), 0
        while (chunk := await self.next(until)) is not None:
            size += len(chunk)
            if size > limit:
                self.close()
                raise RemoteProtocolError(f"the answer is longer than {limit} bytes")
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def close(self) -> None:
        """Be done with it: if it has not come whole, its connection closes at once."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
            self._client.free(self._origin)


class HttpClient:
    """Calls providers over connections that are kept for a while.

    Args:
        connect_s: Seconds that connecting may take.
        idle_s: Seconds that an unused connection is kept: less than any server that is known closes it after.
        max_idle: How many unused connections are kept for each provider.
        tls: What TLS connections trust; default: what the system trusts.
        rules: What holds for single providers instead.
        environment: Where proxies are looked for (`turnout.upstream.http.proxies`); none: there are none.

    Attributes:
        outbox: Where requests wait for the end of the event loop's turn.
    """

    def __init__(
        self,
        *,
        connect_s: float = 10.0,
        idle_s: float = 4.0,
        max_idle: int = 256,
        tls: ssl.SSLContext | None = None,
        rules: Mapping[Origin, ConnectionRules] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._connect_s = connect_s
        self._idle_s = idle_s
        self._max_idle = max_idle
        self._tls = tls
        self._rules = rules or {}
        self._environment = environment
        self._proxies: dict[Origin, ProxyServer | None] = {}
        self._places: dict[Origin, asyncio.Semaphore] = {}
        self._idle: dict[Origin, list[tuple[float, Connection]]] = {}
        self._open: set[Connection] = set()
        self.outbox = Outbox()
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        """How many connections are open, in use or not."""
        return len(self._open)

    async def send(
        self, origin: Origin, method: bytes, target: bytes, headers: Headers, body: bytes, until: float
    ) -> Answer:
        """Send a request and wait for status and headers of its answer.

        A caller that is cancelled leaves no connection open.

        Args:
            origin: Where to.
            method: Such as ``POST``.
            target: Path and query.
            headers: All but ``host`` and ``content-length``; without line ends.
            body: The body.
            until: The time of the event loop's clock to wait for at most.

        Raises:
            ConnectError: The provider or its proxy could not be reached, or it gets as many requests as it may.
            StalledError: No answer began in time.
            ConnectionError: The connection broke; see `turnout.upstream.http.errors`.
        """
        try:
            proxy = self._proxies[origin]
        except KeyError:
            proxy = self._proxies[origin] = self._proxy(origin)
        head = b"%b%bcontent-length: %d\r\n\r\n" % (
            _opening(origin, method, target, proxy),
            b"".join([b"%b: %b\r\n" % field for field in headers]),
            len(body),
        )
        rules = self._rules.get(origin)
        if rules is not None and rules.max_connections is not None:
            await self._take_place(origin, rules.max_connections, until)
        connection: Connection | None = None
        try:
            connection = self._kept(origin) or await self._connect(origin, until)
            connection.begin(head, body)
            await connection.head(until)
        except BaseException:
            if connection is not None:
                connection.abort()
            self.free(origin)
            raise
        return Answer(self, origin, connection)

    def release(self, origin: Origin, connection: Connection) -> None:
        """Take a connection back whose answer has come whole."""
        self.free(origin)
        connection.busy = False
        kept = self._idle.setdefault(origin, [])
        if not connection.keeps or connection.closed or len(kept) >= self._max_idle:
            connection.abort()
            return
        kept.append((time.monotonic(), connection))
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._idle_s, self._close_idle)

    def free(self, origin: Origin) -> None:
        """One request less that is under way."""
        if (places := self._places.get(origin)) is not None:
            places.release()

    async def _take_place(self, origin: Origin, most: int, until: float) -> None:
        """Wait until one of the requests that a provider gets at once has ended."""
        places = self._places.get(origin)
        if places is None:
            places = self._places[origin] = asyncio.Semaphore(most)
        try:
            async with asyncio.timeout_at(until):
                await places.acquire()
        except TimeoutError:
            raise PoolTimeout(f"{most} requests at once to {origin.authority}, and none ended in time") from None

    async def aclose(self) -> None:
        """Close all connections."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        self._idle.clear()
        for connection in list(self._open):
            connection.abort()
        await asyncio.sleep(0)  # the transports tell of it in the loop's next round

    def _kept(self, origin: Origin) -> Connection | None:
        """The unused connection that was used last."""
        kept = self._idle.get(origin)
        oldest = time.monotonic() - self._idle_s
        while kept:
            since, connection = kept.pop()
            if connection.closed:
                continue
            if since >= oldest:
                return connection
            connection.abort()
        return None

    async def _connect(self, origin: Origin, until: float) -> Connection:
        loop = asyncio.get_running_loop()
        rules, proxy = self._rules.get(origin) or _NO_RULES, self._proxies[origin]
        tls = None
        if origin.secure and rules.tls is not None:
            tls = rules.tls
        elif origin.secure:
            tls = self._tls = self._tls or ssl.create_default_context()
        connection = Connection(loop, self.outbox, self._open.discard)
        try:
            async with asyncio.timeout_at(min(until, loop.time() + (rules.connect_s or self._connect_s))):
                if proxy is not None and tls is not None:
                    await open_tunnel(proxy, origin, connection, tls)
                else:
                    await loop.create_connection(
                        lambda: connection,
                        origin.host if proxy is None else proxy.host,
                        origin.port if proxy is None else proxy.port,
                        ssl=tls,
                        server_hostname=origin.host if tls is not None else None,
                    )
        except ConnectError:
            raise  # the proxy's; it is an OSError too, and says more than its name
        except TimeoutError:
            raise ConnectTimeout(f"no connection to {origin.authority} in time") from None
        except OSError as error:
            raise ConnectError(f"no connection to {origin.authority}: {type(error).__name__}") from error
        self._open.add(connection)
        return connection

    def _proxy(self, origin: Origin) -> ProxyServer | None:
        """The proxy that a provider is asked through; none: directly."""
        rules = self._rules.get(origin) or _NO_RULES
        found = rules.proxy
        if found is None and not rules.direct and self._environment is not None:
            try:
                found = proxy_by_environment(origin, self._environment)
            except ValueError as error:
                raise ConnectError(str(error)) from None
        return found

    def _close_idle(self) -> None:
        self._sweep = None
        oldest = time.monotonic() - self._idle_s
        for origin, kept in list(self._idle.items()):
            for since, connection in kept:
                if since < oldest:
                    connection.abort()
            left = [one for one in kept if one[0] >= oldest and not one[1].closed]
            if left:
                self._idle[origin] = left
            else:
                del self._idle[origin]
        if self._idle:
            self._sweep = asyncio.get_running_loop().call_later(self._idle_s, self._close_idle)
