"""Servers that are not Langfuse: each gives the same answer to whatever it is asked."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from turnout.trace.langfuse import LangfuseSettings


class Page:
    """A running server; entering it gives the settings that point at it."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str], v2_status: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(v2_status if "/v2/" in self.path else status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.do_GET()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> LangfuseSettings:
        self._thread.start()
        url = f"http://127.0.0.1:{self._server.server_port}"
        return LangfuseSettings(public_key="pk-lf-a", secret_key="sk-lf-b", base_url=url)

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def answering(status: int, body: bytes, headers: dict[str, str] | None = None, *, v2_status: int | None = None) -> Page:
    """A server that gives this answer, at the v2 paths with another status if one is given."""
    return Page(status, body, headers or {}, status if v2_status is None else v2_status)
