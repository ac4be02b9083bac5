"""The double itself: start it, point boto3 or Strands at its ``url``, script its faults, read its calls."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import boto3
from botocore.config import Config

from turnout.testing.bedrock.cache import PromptCaches
from turnout.testing.bedrock.engine import Call, Engine
from turnout.testing.bedrock.faults import FaultScript
from turnout.testing.bedrock.models import MODELS, ModelTable, SimulatedModel
from turnout.testing.bedrock.responder import Responder, RuleResponder
from turnout.testing.bedrock.server import BedrockServer
from turnout.testing.bedrock.shapes import service_model
from turnout.testing.clock import Clock
from turnout.testing.loopback import LoopbackDouble


class BedrockDouble(LoopbackDouble):
    """A simulated Bedrock Runtime on loopback, of one region.

    Use it as a context manager, or call `start` and `stop`::

        with BedrockDouble() as double:
            double.client().converse(modelId="global.anthropic.claude-sonnet-4-6", messages=[...])

    Attributes:
        simulated: Always true: label what you show from it.
        region: The region that its clients name.
        responder: What the simulated models say; may be replaced at any time.
    """

    service = "Bedrock"

    def __init__(
        self,
        responder: Responder | None = None,
        *,
        models: Iterable[SimulatedModel] = MODELS,
        clock: Clock = time.time,
        region: str = "us-east-1",
        port: int = 0,
        calls_kept: int = 1000,
        body_limit: int = 25_000_000,
    ) -> None:
        """A double that has not been started.

        Args:
            responder: What the models say; a `RuleResponder` without rules unless given.
            models: The models that it answers as.
            clock: Gives the present second, for the caches' expiry; a `ManualClock` expires without waiting.
            region: The region that its clients name.
            port: The port on 127.0.0.1; 0 for any free one.
            calls_kept: How many of the last calls are kept in `calls`.
            body_limit: The most bytes of a request's body.
        """
        service_model()  # read once, before there are threads
        super().__init__(port)
        self.region = region
        self._body_limit = body_limit
        self._engine = Engine(ModelTable(models), responder or RuleResponder(), clock, calls_kept)
        self._own_session: boto3.Session | None = None
        self._own_session_lock = threading.Lock()

    @property
    def responder(self) -> Responder:
        """What the simulated models say."""
        return self._engine.responder

    @responder.setter
    def responder(self, responder: Responder) -> None:
        self._engine.responder = responder

    @property
    def calls(self) -> deque[Call]:
        """The last calls, the newest last."""
        return self._engine.calls

    @property
    def left(self) -> int:
        """How many callers closed their connection before the end of their answer."""
        return self._engine.left

    @property
    def faults(self) -> FaultScript:
        """What is to go wrong on the next calls."""
        return self._engine.faults

    @property
    def caches(self) -> PromptCaches:
        """The prompt caches."""
        return self._engine.caches

    def session(self) -> boto3.Session:
        """A boto3 session of this region with dummy credentials, as Strands' ``BedrockModel`` takes it.

        Give ``BedrockModel`` its ``boto_session`` and the double's `url` as ``endpoint_url``.
        """
        return boto3.Session(aws_access_key_id="simulated", aws_secret_access_key="simulated", region_name=self.region)

    def client(self, config: Config | None = None) -> Any:
        """A boto3 ``bedrock-runtime`` client for this double: one attempt a call, no proxy, dummy credentials."""
        own = Config(retries={"total_max_attempts": 1}, signature_version="v4", proxies={})
        merged = own if config is None else own.merge(config)
        with self._own_session_lock:  # a session makes clients for one thread at a time
            self._own_session = self._own_session or self.session()
            return self._own_session.client("bedrock-runtime", endpoint_url=self.url, config=merged)

    def _listen(self, port: int) -> BedrockServer:
        return BedrockServer(port, self._engine, self._body_limit)
