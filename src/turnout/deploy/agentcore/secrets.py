"""Reads the process's secrets when it starts, so that no value of a secret stands in AgentCore's configuration.

``turnout agentcore deploy --secret NAME=ARN`` writes only references, as JSON in one variable: name to ``ARN`` or to
``ARN#KEY`` for one key of a JSON secret. The process reads them with the execution role, which may read these and no
others. A variable that is set already wins, as on a developer's machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, MutableMapping
from typing import Any

from turnout.deploy.agentcore.errors import DeployError, explained
from turnout.deploy.agentcore.wanted import SECRETS_VARIABLE


class SecretError(DeployError):
    """A secret could not be read; the message names the variable and the reason, never a value."""


def load_secrets(environ: MutableMapping[str, str], *, client: Callable[[str], Any] | None = None) -> tuple[str, ...]:
    """Put the secrets that the environment refers to into it.

    Args:
        environ: The environment; ``AGENTCORE_SECRETS`` names what to read.
        client: Gives a boto3 client of Secrets Manager for a region; by default with the process's own credentials.

    Returns:
        The variables that were set.

    Raises:
        SecretError: The references cannot be used, or a secret cannot be read.
    """
    text = environ.get(SECRETS_VARIABLE, "")
    if not text:
        return ()
    wanted = {name: reference for name, reference in _references(text).items() if name not in environ}
    client = client or _client
    read: dict[str, str] = {}
    for name, reference in wanted.items():
        arn, _, key = reference.partition("#")
        if arn not in read:
            read[arn] = _read(name, arn, client)
        environ[name] = _key_of(name, read[arn], key) if key else read[arn]
    return tuple(wanted)


def _references(text: str) -> dict[str, str]:
    try:
        references = json.loads(text)
    except ValueError:
        references = None
    if not isinstance(references, dict) or not all(isinstance(value, str) for value in references.values()):
        raise SecretError(f"{SECRETS_VARIABLE} must be a JSON object of variables and ARNs")
    return references


def _read(name: str, arn: str, client: Callable[[str], Any]) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = client(arn.split(":")[3]).get_secret_value(SecretId=arn)
    except (BotoCoreError, ClientError) as error:
        raise SecretError(
            f"the secret for {name} cannot be read: {explained(error, 'secretsmanager', 'GetSecretValue')}"
        ) from None
    except IndexError:
        raise SecretError(f"the secret for {name} is not named by an ARN") from None
    value = answer.get("SecretString")
    if not isinstance(value, str):
        raise SecretError(f"the secret for {name} is binary: only text can become a variable")
    return value


def _key_of(name: str, text: str, key: str) -> str:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict) or key not in values:
        raise SecretError(f"the secret for {name} is no JSON object with the key {key!r}")
    value = values[key]
    return value if isinstance(value, str) else json.dumps(value)


def _client(region: str) -> Any:
    import boto3

    return boto3.client("secretsmanager", region_name=region)
