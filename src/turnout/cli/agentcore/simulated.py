"""Points an agent of one's own at the shipped Bedrock double, and makes sure that it got there."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from turnout.cli.errors import UserError

if TYPE_CHECKING:
    from strands import Agent

    from turnout.doors.agentcore import AgentSource

logger = logging.getLogger(__name__)

LABEL = "simulated models: the agent's calls to Amazon Bedrock are answered by rule; quality and latencies say nothing"


class Simulation:
    """Where the agent's models must be.

    Args:
        url: The double's address; none: anywhere, the models are real.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url
        self.label = LABEL if url is not None else ""

    def check(self, agent: Agent) -> None:
        """Refuse an agent whose models would be called for real: its answers would be called simulated and billed.

        Known limitation: agents and clients that its tools use are not looked at.

        Raises:
            UserError: One of its models is not on Bedrock, or names an endpoint of its own.
        """
        if self._url is None:
            return
        for model in _models(agent.model):
            endpoint = getattr(getattr(getattr(model, "client", None), "meta", None), "endpoint_url", None)
            if endpoint != self._url:
                logger.error("model=<%s> | it is not on Bedrock's configured endpoint", type(model).__name__)
                raise UserError(
                    f"--simulated stands in for Amazon Bedrock, and a {type(model).__name__} of agent {agent.name!r} "
                    "would call elsewhere: say --live"
                )

    def check_source(self, source: AgentSource) -> None:
        """Check an agent that is there already; one that a factory makes is checked when it is made."""
        agent = getattr(source, "agent", None)
        if agent is not None:
            self.check(agent)


def _models(model: Any) -> list[Any]:
    candidates = getattr(model, "candidates", None)
    if isinstance(candidates, Mapping):
        return list(candidates.values())
    return [getattr(model, "wrapped", model)]


@contextmanager
def simulated_bedrock(wanted: bool) -> Iterator[Simulation]:
    """The double, where it is wanted, as what this process's AWS configuration calls Bedrock.

    The environment is changed before the agent's module is imported, as many agents build their models there; a boto3
    client that exists already is not moved.
    """
    if not wanted:
        yield Simulation(None)
        return
    from turnout.testing.bedrock import BedrockDouble

    with BedrockDouble(calls_kept=1) as double:
        os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = double.url
        os.environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "false"
        # What a client needs to be built at all; the double looks at neither.
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            os.environ.setdefault(name, "simulated")
        os.environ.setdefault("AWS_REGION", double.region)
        yield Simulation(double.url)
