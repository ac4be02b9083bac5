"""Calls a deployed agent, or one that is served here, through boto3's data client."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec

from turnout.deploy.agentcore.errors import CallError, DeployError, explained

LOCAL_ARN = "arn:aws:bedrock-agentcore:us-east-1:000000000000:runtime/local-0000000000"
"""Stands for the runtime where a local service is called: it is part of the path, and such a service ignores it."""

MIN_SESSION_CHARS = 33
MAX_SESSION_CHARS = 256
"""How long a session id may be. Source: botocore's model of ``InvokeAgentRuntime``."""

_LONGEST_S = 900
"""AgentCore ends a request that does not stream after 15 minutes. Source: "Quotas for Amazon Bedrock AgentCore"."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, or with streaming one event of it.

    Attributes:
        session_id: The session that it belongs to.
        data: What the agent sent: mostly an object.
        streamed: Whether it is one event of a stream.
    """

    session_id: str
    data: Any
    streamed: bool = False


def new_session_id() -> str:
    """An id that AgentCore takes: 36 characters."""
    return str(uuid.uuid4())


def check_session_id(session_id: str) -> str:
    """The id, if AgentCore takes it.

    Raises:
        DeployError: It is too short or too long.
    """
    if not MIN_SESSION_CHARS <= len(session_id) <= MAX_SESSION_CHARS:
        raise DeployError(
            f"--session must have {MIN_SESSION_CHARS} to {MAX_SESSION_CHARS} characters, got {len(session_id)}; "
            f"such as {new_session_id()}"
        )
    return session_id


def data_client(session: Any, *, local: str | None = None) -> Any:
    """boto3's client for calling agents.

    Args:
        session: boto3's session.
        local: The address of a service on this machine; no credentials are needed there and none are sent.
    """
    from botocore import UNSIGNED
    from botocore.config import Config

    # A question that was asked twice is answered and billed twice: nothing is tried again.
    settings: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "read_timeout": _LONGEST_S, "connect_timeout": 10}
    if local is not None:
        settings["signature_version"] = UNSIGNED
        return session.client(
            "bedrock-agentcore", region_name="us-east-1", endpoint_url=local.rstrip("/"), config=Config(**settings)
        )
    return session.client("bedrock-agentcore", config=Config(**settings))


def invoke(client: Any, arn: str, prompt: str, session_id: str, *, stream: bool = False) -> Iterator[Answer]:
    """Ask once.

    Args:
        client: See `data_client`.
        arn: The runtime.
        prompt: The question.
        session_id: The session; see `check_session_id`.
        stream: Whether the answer is wanted piece by piece.

    Yields:
        The answer; with streaming each event as it comes.

    Raises:
        DeployError: The agent or AgentCore refused or could not be reached, or the answer is no JSON.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    payload: dict[str, Any] = {"prompt": prompt}
    if stream:
        payload["stream"] = True
    try:
        answer = client.invoke_agent_runtime(
            agentRuntimeArn=arn,
            runtimeSessionId=session_id,
            payload=json.dumps(payload).encode(),
            contentType="application/json",
            accept="text/event-stream" if stream else "application/json",
        )
        kept = answer.get("runtimeSessionId") or session_id
        if "text/event-stream" in answer.get("contentType", ""):
            for data in events(answer["response"].iter_lines()):
                yield Answer(session_id=kept, data=data, streamed=True)
            return
        body = answer["response"].read()
    except (ClientError, BotoCoreError) as error:
        told = explained(error, "bedrock-agentcore", "InvokeAgentRuntime")
        if isinstance(told, CallError) and (told.code.isdigit() or told.code == "RuntimeClientError"):
            # boto3 keeps nothing of an answer in a form that is not AWS's own; the agent's log has it.
            raise DeployError(
                f"the agent answered with an error ({told.code}): {told.detail or 'look at its log'}"
            ) from None
        raise told from None
    try:
        yield Answer(session_id=kept, data=json.loads(body))
    except ValueError:
        raise DeployError(f"the agent's answer is no JSON: {body[:200].decode(errors='replace')!r}") from None


def events(lines: Iterator[bytes]) -> Iterator[Any]:
    """The data of server-sent events: JSON where it is, else text."""
    data: list[str] = []
    for raw in lines:
        line = raw.decode(errors="replace").rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield _json("\n".join(data))
            data = []
    if data:
        yield _json("\n".join(data))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
