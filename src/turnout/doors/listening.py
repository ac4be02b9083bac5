"""A socket to listen at, or one line that says why not."""

from __future__ import annotations

import socket


class ListenError(OSError):
    """The address cannot be listened at; the message says why and what to do."""


def listen(host: str, port: int, *, backlog: int = 128) -> socket.socket:
    """A listening socket.

    Args:
        host: A name or address.
        port: 0 for any free one.
        backlog: How many connections may wait to be taken.

    Raises:
        ListenError: The name is not known, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        raise ListenError(f"--host {host}: there is no such address") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(backlog)
    except OSError as error:
        listening.close()
        reason = error.strerror or type(error).__name__
        raise ListenError(f"cannot listen on {host}, port {port}: {reason}; try another --port, or 0 for any") from None
    return listening
