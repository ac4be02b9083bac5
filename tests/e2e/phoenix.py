"""Arize Phoenix as a process of its own: started on this machine, read by its own API, ended with the tests.

Its command is looked for by the variable ``PHOENIX``, then on ``PATH``: it brings 150 packages (855 MB), so it is in no
environment of this checkout.

Read 2026-11 beside Phoenix 20.26.1. Known limitation: its gRPC collector listens on all interfaces of the machine,
whatever ``PHOENIX_HOST`` says, for as long as the tests run; nothing here sends to it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

MISSING = "needs Arize Phoenix: pip install arize-phoenix in an environment of its own (855 MB), then make e2e-phoenix"

START_S = 120.0
"""Seconds for its start: 15 on two idle cores, most of them imports and migrations."""

_TAKE_IN_S = 60.0
_STOP_S = 15.0
_PAGE = 100
_Found = TypeVar("_Found")

_PROJECT = """
query Totals($name: String!) {
  getProjectByName(name: $name) {
    recordCount
    traceCount
    tokenCountPrompt
    tokenCountCompletion
    tokenCountTotal
    costSummary { prompt { tokens cost } completion { tokens cost } total { tokens cost } }
  }
}
"""

_TRACE = """
query Trace($id: String!) {
  getTraceByOtelId(traceId: $id) {
    numSpans
    costSummary { prompt { tokens cost } completion { tokens cost } total { tokens cost } }
  }
}
"""

_SPAN = """
query Span($id: String!) {
  getSpanByOtelId(spanId: $id) {
    spanKind
    tokenCountPrompt
    tokenCountCompletion
    tokenCountTotal
    tokenPromptDetails { cacheRead cacheWrite }
    costSummary { prompt { tokens cost } completion { tokens cost } total { tokens cost } }
    costDetailSummaryEntries { tokenType isPrompt value { tokens cost } }
  }
}
"""


class ReadSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A span as Phoenix gives it: what was sent, and what Phoenix made of that."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    status: str
    attributes: dict[str, Any]


class Phoenix:
    """A running server.

    Attributes:
        url: Its address, which takes OTLP over HTTP too.
        version: Its version.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=30.0, trust_env=False)
        self.version = ""

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def is_ready(self) -> bool:
        """Whether it answers by now."""
        try:
            ready = self._http.get("/readyz").is_success
        except httpx.TransportError:
            return False
        if ready:
            self.version = self._http.get("/arize_phoenix_version").text.strip()
        return ready

    def spans(self, project: str, *, at_least: int) -> list[ReadSpan]:
        """All spans of a project once there are so many, by ``GET /v1/projects/{project}/spans``."""
        return _awaited(lambda: self._spans(project), lambda found: len(found) >= at_least, f"{at_least} spans")

    def totals(self, project: str) -> dict[str, Any]:
        """What it shows for a project: traces, spans, tokens and costs by its own reckoning."""
        return dict(self._query(_PROJECT, name=project)["getProjectByName"])

    def trace(self, trace_id: str) -> dict[str, Any]:
        """What it shows for a trace."""
        return dict(self._query(_TRACE, id=trace_id)["getTraceByOtelId"])

    def span(self, span_id: str) -> dict[str, Any]:
        """What it shows for a span, with its tokens and costs by kind."""
        return dict(self._query(_SPAN, id=span_id)["getSpanByOtelId"])

    def _spans(self, project: str) -> list[ReadSpan]:
        found: list[ReadSpan] = []
        cursor: str | None = None
        while True:
            asked = {"limit": str(_PAGE)} | ({} if cursor is None else {"cursor": cursor})
            response = self._http.get(f"/v1/projects/{project}/spans", params=asked)
            if response.status_code == httpx.codes.NOT_FOUND:  # the project begins with its first span
                return []
            page = response.raise_for_status().json()
            found += [_read(span) for span in page["data"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def _query(self, query: str, **variables: str) -> dict[str, Any]:
        response = self._http.post("/graphql", json={"query": query, "variables": variables}).raise_for_status()
        answer = response.json()
        assert not answer.get("errors"), answer["errors"]
        return dict(answer["data"])


def command() -> Path | None:
    """The path of the ``phoenix`` command, or none.

    Raises:
        FileNotFoundError: The variable ``PHOENIX`` names something else than a command.
    """
    named = os.environ.get("PHOENIX")
    found = shutil.which(named or "phoenix")
    if named and found is None:
        raise FileNotFoundError(f"environment variable PHOENIX: {named} is no command")
    return None if found is None else Path(found).absolute()


@contextmanager
def running(executable: Path, directory: Path) -> Iterator[Phoenix]:
    """A server of our own with an empty database in ``directory``.

    Raises:
        RuntimeError: It did not start; with the end of its log.
    """
    port = _free_port()
    log = directory / "phoenix.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PHOENIX_", "OTEL_"))}
    environment |= {
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": "0",
        "PHOENIX_WORKING_DIR": str(directory),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
    }
    phoenix = Phoenix(f"http://127.0.0.1:{port}")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [executable, "serve"], cwd=directory, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        _started(process, phoenix, log)
        yield phoenix
    finally:
        phoenix.close()
        _end(process)


def _started(process: subprocess.Popen[bytes], phoenix: Phoenix, log: Path) -> None:
    until = time.monotonic() + START_S
    while not phoenix.is_ready():
        if process.poll() is not None or time.monotonic() > until:
            why = "did not start in time" if process.poll() is None else f"ended with exit code {process.returncode}"
            raise RuntimeError(f"phoenix {why}; its log ends with:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.2)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process that was started here, and no other."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _awaited(look: Callable[[], _Found], enough: Callable[[_Found], bool], what: str) -> _Found:
    """What a look gives once it is enough: Phoenix takes spans in first and shows them a little later."""
    until = time.monotonic() + _TAKE_IN_S
    while not enough(found := look()):
        if time.monotonic() > until:
            raise AssertionError(f"phoenix does not show {what} after {_TAKE_IN_S:g} seconds, but {found}")
        time.sleep(0.2)
    return found


def _read(span: dict[str, Any]) -> ReadSpan:
    return ReadSpan(
        name=span["name"],
        kind=span["span_kind"],
        trace_id=span["context"]["trace_id"],
        span_id=span["context"]["span_id"],
        parent_id=span["parent_id"] or "",
        status=span["status_code"],
        attributes=span["attributes"],
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
