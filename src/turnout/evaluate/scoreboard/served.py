"""A router behind HTTP: any server that answers ``POST /v1/route`` as Turnout's gateway does.

Each prompt is sent as the body of a Chat Completions request. Of the answer's members one is taken as the score, the
first that is there: ``score`` (a number, higher for more need of the capable model); the ``p`` of the candidate that is
the cheap model, its score being one less that; ``model``: 1 where it is the capable model, 0 where it is the cheap one.
A router that only says ``model`` has one operating point and no curve to speak of. Where the member ``verdict`` has
``"basis": "outcome"``, as Turnout's gateway says it of what was learned from graded answers, ``p`` is the probability
that the cheap model's answer suffices, and it is looked at how true it is.

A few requests are under way at once. Whoever serves sees the prompts: give addresses that you trust.
"""

from __future__ import annotations

import http.client
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import msgspec

from turnout.config.extras import require
from turnout.evaluate.outcomes.content import conversations
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.outcomes.table import Batch, OutcomesError
from turnout.evaluate.scoreboard.router import Meaning
from turnout.messages.conversation import Conversation

KEY_VARIABLE = "TURNOUT_ROUTER_KEY"
"""The environment variable whose value is sent as the bearer token."""

_AT_ONCE = 8
_TIMEOUT_S = 60.0
_MOST_BYTES = 4_000_000


class ServedRouter:
    """A router behind HTTP.

    Args:
        url: Where it listens; a URL without a path gets ``/v1/route``.
        cheap: The cheap model's name there.
        capable: The capable model's name there.
        name: The name in tables; default: the URL.
        asked_model: The model that requests name.

    Attributes:
        meaning: What scores say, once an answer said that its ``p`` is of outcomes.

    Raises:
        OutcomesError: The URL is none of HTTP.
    """

    def __init__(self, url: str, *, cheap: str, capable: str, name: str = "", asked_model: str = "turnout") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise OutcomesError(f"a router's URL must be http:// or https:// and a host, got {url!r}")
        self.name = name or url
        self._url = url
        self._host, self._port, self._tls = parts.hostname, parts.port, parts.scheme == "https"
        self._path = (parts.path if parts.path not in ("", "/") else "/v1/route") + (
            f"?{parts.query}" if parts.query else ""
        )
        self._cheap, self._capable, self._asked_model = cheap, capable, asked_model
        self.meaning: Meaning | None = None
        self._idle: SimpleQueue[http.client.HTTPConnection] = SimpleQueue()

    def scores(self, batch: Batch) -> Any:
        """What the server says of each prompt.

        Raises:
            OutcomesError: It cannot be reached, or its answer says nothing of what is needed.
        """
        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                found = list(pool.map(self._score, conversations(batch)))
        finally:
            while not self._idle.empty():
                self._idle.get().close()
        return require("numpy", extra=EXTRA).array(found)

    def _score(self, conversation: Conversation) -> float:
        body = msgspec.json.encode(chat_body(conversation, self._asked_model))
        answer = self._post(body)
        score = answer.get("score")
        if isinstance(score, (int, float)) and not isinstance(score, bool):
            return float(score)
        for candidate in answer.get("candidates") or ():
            if isinstance(candidate, dict) and candidate.get("model") == self._cheap:
                p = candidate.get("p")
                if isinstance(p, (int, float)):
                    verdict = answer.get("verdict")
                    if isinstance(verdict, dict) and verdict.get("basis") == "outcome":
                        self.meaning = "gains"
                    return 1.0 - float(p)
        model = answer.get("model")
        if model in (self._cheap, self._capable):
            return float(model == self._capable)
        raise OutcomesError(
            f"{self._url}: the answer has no 'score', no candidate {self._cheap!r} with 'p', and its model is "
            f"{model!r}, neither {self._cheap!r} nor {self._capable!r}; give the names that it uses by --served-pair"
        )

    def _post(self, body: bytes) -> dict[str, Any]:
        headers = {"content-type": "application/json"}
        if key := os.environ.get(KEY_VARIABLE):
            headers["authorization"] = f"Bearer {key}"
        # A connection that the server closed in the meantime is opened once more.
        for attempt in itertools.count():
            connection = self._connection(fresh=attempt > 0)
            try:
                connection.request("POST", self._path, body, headers)
                response = connection.getresponse()
                data = response.read(_MOST_BYTES)
                self._idle.put(connection)
                break
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if attempt:
                    raise OutcomesError(f"{self._url} does not answer: {error or type(error).__name__}") from error
        if response.status != 200:
            raise OutcomesError(f"{self._url} answers {response.status}: {data[:200].decode('utf-8', 'replace')}")
        try:
            return msgspec.json.decode(data, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise OutcomesError(f"{self._url}: the answer is no JSON object: {error}") from error

    def _connection(self, *, fresh: bool) -> http.client.HTTPConnection:
        if not fresh:
            with suppress(Empty):
                return self._idle.get_nowait()
        kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=_TIMEOUT_S)


def chat_body(conversation: Conversation, model: str) -> dict[str, Any]:
    """A conversation as the body of a Chat Completions request: its texts, and its tools where they are functions."""
    messages: list[dict[str, Any]] = []
    system = "\n".join(block["text"] for block in conversation.system if isinstance(block.get("text"), str))
    if system:
        messages.append({"role": "system", "content": system})
    messages += [{"role": role, "content": text} for role, text in conversation.turns()]
    body: dict[str, Any] = {"model": model, "messages": messages}
    tools = [found for tool in conversation.tools if (found := _function(tool)) is not None]
    if tools:
        body["tools"] = tools
    return body


def _function(tool: Any) -> dict[str, Any] | None:
    """A tool in the form of Chat Completions; it may be in that of Converse, or a bare function."""
    if tool.get("type") == "function" and isinstance(tool.get("function"), dict):
        return dict(tool)
    spec = tool.get("toolSpec", tool)
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        return None
    schema = spec.get("inputSchema", {}).get("json") if "inputSchema" in spec else spec.get("parameters")
    function: dict[str, Any] = {"name": spec["name"], "parameters": _schema(schema)}
    if isinstance(spec.get("description"), str):
        function["description"] = spec["description"]
    return {"type": "function", "function": function}


def _schema(schema: Any) -> dict[str, Any]:
    """A JSON schema of an object; some sets write ``dict`` for its type."""
    if not isinstance(schema, dict):
        return {"type": "object", "properties": {}}
    return {**schema, "type": "object"}
