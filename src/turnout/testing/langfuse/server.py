"""The double's HTTP: any method and path, Langfuse's errors, and no keys in what is handed on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from turnout.testing.langfuse.api import Request
from turnout.testing.langfuse.errors import ApiError
from turnout.testing.loopback import BodyError, ConnectionDropError, LoopbackHandler, LoopbackServer

Serve = Callable[[Request, str], tuple[int, Any]]
"""Answers a request, given its ``authorization`` header too."""

_KEYS = ("authorization", "x-langfuse-public-key")


class LangfuseServer(LoopbackServer):
    """A server whose requests a function answers."""

    def __init__(self, port: int, serve: Serve, body_limit: int) -> None:
        self.serve_request = serve
        super().__init__(port, Handler, body_limit)


class Handler(LoopbackHandler):
    """Reads a request, lets the double answer it, writes the answer."""

    server: LangfuseServer
    server_version = "turnout-simulated-langfuse"

    def _handle(self) -> None:
        try:
            status, body = self.server.serve_request(self._request(), self.headers.get("authorization", ""))
        except ApiError as error:
            retry = {} if error.retry_after_s is None else {"Retry-After": f"{error.retry_after_s:g}"}
            self.write_json(error.status, {"message": error.message, "error": "ApiError"}, retry)
        except ConnectionDropError:
            self.drop()
        else:
            self.write_json(status, body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _handle

    def _request(self) -> Request:
        try:
            raw = self.read_body(self.headers.get("content-length", "0"))
        except BodyError as error:
            raise ApiError(error.status, error.message) from None
        address = urlsplit(self.path)
        return Request(
            method=self.command,
            path=address.path,
            query=parse_qs(address.query, keep_blank_values=True),
            headers={name.lower(): value for name, value in self.headers.items() if name.lower() not in _KEYS},
            raw=raw,
        )
