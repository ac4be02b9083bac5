"""The double itself: start it, point an SDK or an exporter at its ``url`` with its keys, look at what came."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections import deque
from typing import Any

from turnout.testing.clock import Clock
from turnout.testing.langfuse.api import Api, Generation, Request
from turnout.testing.langfuse.errors import ApiError
from turnout.testing.langfuse.exchanges import Exchange
from turnout.testing.langfuse.faults import FaultScript
from turnout.testing.langfuse.server import LangfuseServer
from turnout.testing.langfuse.store import Store, StoredScore, StoredSpan
from turnout.testing.loopback import ConnectionDropError, LoopbackDouble


class LangfuseDouble(LoopbackDouble):
    """A simulated Langfuse of one project on loopback.

    Use it as a context manager, or call `start` and `stop`::

        with LangfuseDouble() as double:
            Langfuse(public_key=double.public_key, secret_key=double.secret_key, base_url=double.url)

    Attributes:
        simulated: Always true: label what you show from it.
        public_key: The project's public key.
        secret_key: The project's secret key.
        exchanges: The last requests and answers, the newest last.
        faults: What is to go wrong on the next requests.
    """

    service = "Langfuse"

    def __init__(
        self,
        generation: Generation = "v4",
        *,
        batch_scores: bool | None = None,
        missing_status: int = 501,
        clock: Clock = time.monotonic,
        port: int = 0,
        exchanges_kept: int = 1000,
        body_limit: int = 25_000_000,
    ) -> None:
        """A double that has not been started.

        Args:
            generation: ``v4``: with the v2 read API. ``v3``: a self-hosted server that has only v1.
            batch_scores: Whether lists of scores are taken; default: by ``v4`` only.
            missing_status: What ``v3`` answers where v2 would be: 501 where it is turned off, 404 before there was one.
            clock: Gives the present second, for what is read only later; a clock that stands still lets a test decide.
                One that goes back, as a wall clock may, would hide what came before.
            port: The port on 127.0.0.1; 0 for any free one.
            exchanges_kept: How many exchanges are kept.
            body_limit: The most bytes of a request's body.
        """
        super().__init__(port)
        self.public_key = "pk-lf-simulated-0000"
        self.secret_key = "sk-lf-simulated-1111"
        self.exchanges: deque[Exchange] = deque(maxlen=exchanges_kept)
        self.faults = FaultScript()
        self._store = Store(clock)
        batches = generation == "v4" if batch_scores is None else batch_scores
        self._api = Api(self._store, generation, batch_scores=batches, missing_status=missing_status)
        self._body_limit = body_limit

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point an application at it."""
        return {
            "LANGFUSE_PUBLIC_KEY": self.public_key,
            "LANGFUSE_SECRET_KEY": self.secret_key,
            "LANGFUSE_BASE_URL": self.url,
        }

    @property
    def spans(self) -> list[StoredSpan]:
        """All observations that came, whether they can be read yet or not."""
        return self._store.spans

    @property
    def scores(self) -> list[StoredScore]:
        """All scores that were taken."""
        return self._store.scores

    def delay(self, *, seconds: float = 0.0, reads: int = 0) -> None:
        """Let what comes from now on be read only later.

        Args:
            seconds: So many seconds of the clock later.
            reads: Only after so many requests that read observations did not see it.

        Raises:
            ValueError: A number is negative.
        """
        if seconds < 0 or reads < 0:
            raise ValueError("a delay is not negative")
        self._store.delay_s, self._store.delay_reads = seconds, reads

    def clear(self) -> None:
        """Forget observations, scores, delays, faults and exchanges."""
        self._store.clear()
        self.faults.clear()
        self.exchanges.clear()

    def _listen(self, port: int) -> LangfuseServer:
        return LangfuseServer(port, self._serve, self._body_limit)

    def _serve(self, request: Request, authorization: str) -> tuple[int, Any]:
        try:
            status, answer = self._answer(request, authorization)
        except ApiError as error:
            self._keep(request, error.status, {"message": error.message})
            raise
        except ConnectionDropError:
            self._keep(request, 0, None)
            raise
        self._keep(request, status, answer)
        return status, answer

    def _answer(self, request: Request, authorization: str) -> tuple[int, Any]:
        fault = self.faults.take(request.path)
        if fault is not None:
            if self._server is not None:
                self._server.closing.wait(fault.delay_s)
            if fault.drop:
                raise ConnectionDropError
            if fault.status is not None:
                raise ApiError(fault.status, fault.message, retry_after_s=fault.retry_after_s)
        keys = base64.b64encode(f"{self.public_key}:{self.secret_key}".encode()).decode()
        if request.path != "/api/public/health" and not hmac.compare_digest(authorization, f"Basic {keys}"):
            raise ApiError(401, "Invalid credentials. Confirm that you've configured the correct host.")
        return self._api.answer(request)

    def _keep(self, request: Request, status: int, answer: Any) -> None:
        body = None
        if request.headers.get("content-type", "").startswith("application/json"):
            try:
                body = json.loads(request.raw)
            except ValueError:
                body = None
        self.exchanges.append(
            Exchange(
                method=request.method,
                path=request.path,
                query=request.query,
                headers=request.headers,
                body=body,
                status=status,
                answer=answer,
            )
        )
