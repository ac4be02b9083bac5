"""Who may speak to a server that knows no keys: programs of this machine, and no page that a browser there shows.

Any page of the web can have a browser send requests to a loopback address. Such a request names the page in ``Origin``
or, where the page's own name was made to lead here (DNS rebinding), in ``Host``.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from turnout.config.settings import is_loopback
from turnout.doors.gateway.problems import RequestError
from turnout.messages.wire.errors import Problem


def check_sender(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse what a page of the web has sent.

    Raises:
        RequestError: ``Origin`` or ``Host`` is no name of this machine.
    """
    for name, value in headers:
        if name == b"host" and value not in _SEEN:
            _check(f"//{value.decode('latin-1')}", "Host")
            if len(_SEEN) < _MOST_SEEN:
                _SEEN.add(value)
        elif name == b"origin":
            _check(value.decode("latin-1"), "Origin")


_SEEN: set[bytes] = set()
_MOST_SEEN = 64


def _check(url: str, header: str) -> None:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    if not is_loopback(host):
        message = f"{header} is no name of this machine, such as localhost: pages of the web may not use the gateway"
        raise RequestError(Problem(status=403, code="foreign_" + header.lower(), message=message))
