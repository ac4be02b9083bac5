"""Proves to a provider who calls: a key in a header, or AWS' signature. No key is ever shown or logged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from turnout.config.errors import ConfigError
from turnout.config.extras import require

if TYPE_CHECKING:
    from botocore.credentials import Credentials

Fields = list[tuple[bytes, bytes]]


class Auth(Protocol):
    """Gives a request the headers that prove who calls."""

    async def fields(self, method: str, url: str, body: bytes) -> Fields:
        """The headers for that request."""


class NoAuth:
    """Nothing is proved: a server on one's own machine."""

    async def fields(self, method: str, url: str, body: bytes) -> Fields:
        """No header."""
        return []


class KeyAuth:
    """A key in a header.

    Args:
        header: The header's name: ``authorization`` or ``x-api-key``.
        key: The key.

    Raises:
        ValueError: The key holds blanks or what no header may hold; the message does not repeat it.
    """

    def __init__(self, header: str, key: str) -> None:
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("the key holds characters that a header may not hold")
        value = f"Bearer {key}" if header == "authorization" else key
        self._fields = [(header.encode(), value.encode())]

    def __repr__(self) -> str:
        """Without the key."""
        return f"KeyAuth({self._fields[0][0].decode()!r})"

    async def fields(self, method: str, url: str, body: bytes) -> Fields:
        """The header."""
        return list(self._fields)


class SigV4Auth:
    """AWS' signature, by botocore's signer; host, date and the body's hash are signed.

    Credentials are those that boto3 finds, and are renewed as boto3 does.

    Args:
        region: The AWS region.
        credentials: The credentials; none: those of a botocore session.

    Raises:
        ConfigError: There are none.
    """

    def __init__(self, region: str, credentials: Credentials | None = None) -> None:
        require("botocore", extra="gateway")
        from botocore.auth import SigV4Auth as Signer
        from botocore.awsrequest import AWSRequest

        if credentials is None:
            from botocore.session import Session

            credentials = Session().get_credentials()
        if credentials is None:
            raise ConfigError("no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret")
        self._region = region
        self._credentials = credentials
        self._signer: type[Any] = Signer
        self._request: type[Any] = AWSRequest

    def __repr__(self) -> str:
        """Without the credentials."""
        return f"SigV4Auth({self._region!r})"

    async def fields(self, method: str, url: str, body: bytes) -> Fields:
        """The signature's headers."""
        needed = getattr(self._credentials, "refresh_needed", None)
        if needed is not None and needed():
            # It may ask a server for new ones.
            frozen = await asyncio.to_thread(self._credentials.get_frozen_credentials)
        else:
            frozen = self._credentials.get_frozen_credentials()
        request = self._request(method=method, url=url, data=body)
        self._signer(frozen, "bedrock", self._region).add_auth(request)
        return [(name.lower().encode(), str(value).encode()) for name, value in request.headers.items()]
