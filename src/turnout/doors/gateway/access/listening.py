"""Where the gateway may listen, and what it then asks of its clients.

On an address that only this machine reaches, it works without keys, for everybody on the machine. Everywhere else it
needs them.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from turnout.config.errors import ConfigError
from turnout.doors.gateway.access.denial import Denial

Tls = Literal["none", "own", "proxy"]
"""Who ends TLS: nobody, the gateway, or a proxy in front of it."""


NO_PASSWORD = "-"
"""Tried where a private key asks for one: without it OpenSSL would ask at the terminal."""


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway asks of clients where it listens.

    Attributes:
        open: Whether a request needs no key, as long as none was made.
        bedrock_bearer: Whether the Bedrock door takes a key as a bearer token.
        unsigned_payload: Whether a signature may leave out the body.
        warnings: What the operator should know, each one sentence.
    """

    open: bool
    bedrock_bearer: bool
    unsigned_payload: bool
    warnings: tuple[str, ...] = ()


def listening(host: str, *, tls: Tls, issued: int, active: int) -> Listening:
    """What is allowed on an address.

    Args:
        host: The address to listen on, or a name.
        tls: Who ends TLS.
        issued: How many keys were ever made, revoked ones too: with a revoked one alone nobody gets in.
        active: How many of them work.

    Raises:
        ConfigError: The gateway must not listen there; the message says what to do.
    """
    local = is_loopback(host)
    if not local and active == 0:
        why = "all keys are revoked" if issued else "there are no keys"
        raise ConfigError(
            f"{host or 'all addresses'}: others than this machine could reach the gateway there, and {why}: "
            "make one with `turnout keys create NAME`, or listen on 127.0.0.1"
        )
    warnings = []
    if local and issued == 0:
        warnings.append("no keys: every program on this machine may use the gateway; `turnout keys create` ends that")
    elif active == 0:
        warnings.append("all keys are revoked: nobody gets in")
    if not local and tls == "none":
        warnings.append(
            "no TLS: keys, prompts and answers can be read on the way; give --tls-cert, or end TLS in a proxy in front"
        )
    return Listening(
        open=local and issued == 0,
        bedrock_bearer=tls != "none",
        unsigned_payload=local or tls != "none",
        warnings=tuple(warnings),
    )


def check_certificate(cert: Path, key: Path | None) -> None:
    """Whether the files of a certificate, and of its key without a password, can be used for TLS.

    Raises:
        ConfigError: They cannot.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=NO_PASSWORD)
    except OSError as error:  # ssl's own errors are among them
        raise unusable_certificate(cert, key, error) from None


def unusable_certificate(cert: Path, key: Path | None, error: OSError) -> ConfigError:
    """What to say of files that cannot be used for TLS."""
    files = ", ".join(str(file) for file in (cert, key) if file is not None)
    return ConfigError(f"{files}: cannot be used for TLS: {error.strerror or error}")


def is_loopback(host: str) -> bool:
    """Whether an address, or the name ``localhost``, reaches this machine only."""
    text = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if text.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


_PAGE = Denial(
    status=403,
    code="foreign_page",
    message="without keys the gateway answers programs of this machine only, and this request comes from a page or a "
    "name of elsewhere: make a key with `turnout keys create NAME`",
)


def check_local(headers: Iterable[tuple[bytes, bytes]]) -> Denial | None:
    """Whether a request without a key comes from this machine; a browser on it may be led by a page of elsewhere.

    A page can have its reader's browser send requests to 127.0.0.1, and a name that it owns can be made to lead there.
    Both show: in ``Origin`` or ``Sec-Fetch-Site``, and in ``Host``.
    """
    for name, value in headers:
        text = value.decode("latin-1")
        if name == b"host":
            away = not _is_here(f"//{text}")
        elif name == b"origin":
            away = not _is_here(text)
        elif name == b"sec-fetch-site":
            away = text == "cross-site"
        else:
            continue
        if away:
            return _PAGE
    return None


@lru_cache(maxsize=256)
def _is_here(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
