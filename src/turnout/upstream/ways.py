"""What a way out is to the gateway: somewhere that a body is sent to, and an answer that comes from there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from turnout.core.catalog import Model
from turnout.messages.wire.asked import WireProtocol
from turnout.upstream.http.client import HttpClient
from turnout.upstream.http.endpoint import Operation


class Answering(Protocol):
    """An answer whose status and headers have come; see `turnout.upstream.http.client.Answer`."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """As they came, names in small letters."""

    @property
    def fields(self) -> Mapping[str, str]:
        """The same as texts."""

    async def next(self, until: float) -> bytes | None:
        """What has come of the body; none at its end."""

    async def pour(self, take: Callable[[bytes], bool], stall_s: float) -> None:
        """Give what comes to ``take`` until it takes no more, or until `next` has to say what came; maybe at once."""

    async def read(self, until: float, limit: int = ...) -> bytes:
        """The whole body."""

    def close(self) -> None:
        """Be done with it."""


class Way(Protocol):
    """Where a candidate is called; see `turnout.upstream.http.endpoint.Endpoint`."""

    @property
    def name(self) -> str:
        """Its name in the settings."""

    @property
    def protocol(self) -> WireProtocol:
        """What is spoken there."""

    @property
    def provider(self) -> str:
        """Whose models it serves."""

    @property
    def stall_s(self) -> float | None:
        """Seconds that it may send nothing; none: as the rules for calls have it."""

    def called(self, model: Model) -> str:
        """What it calls a model."""

    async def call(
        self,
        client: HttpClient,
        model: Model,
        operation: Operation,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
        until: float,
        *,
        query: bytes = ...,
    ) -> Answering:
        """Send a body and wait for status and headers of the answer."""
