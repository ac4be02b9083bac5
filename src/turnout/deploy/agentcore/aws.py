"""Calls to AWS: errors in one line, throttling and new roles waited for, nothing secret in messages."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from turnout.deploy.agentcore.calls import FileBody
from turnout.deploy.agentcore.errors import CallError, DeployError, explained
from turnout.deploy.agentcore.wanted import Place

if TYPE_CHECKING:
    import boto3

CONTROL = "bedrock-agentcore-control"
DATA = "bedrock-agentcore"

_TRIES = 8
_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 20.0
_ROLE_DELAY_S = 5.0
ROLE_READY_S = 90.0
"""How long a new role is waited for; IAM spreads changes within seconds, at times within a minute."""


class Patience:
    """Waiting, so that tests need not.

    Attributes:
        sleep: Waits that many seconds.
        now: Seconds of a clock that never goes back.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep, now: Callable[[], float] = time.monotonic) -> None:
        self.sleep = sleep
        self.now = now


class Aws:
    """One account in one region.

    Args:
        session: boto3's session: credentials and region.
        endpoint_url: Where every service is; none: as AWS is configured. For tests and local stand-ins.
        redact: Values that must not show in messages.
        patience: How waiting is done.
        tell: Takes a line about waiting.
    """

    def __init__(
        self,
        session: boto3.Session,
        *,
        endpoint_url: str | None = None,
        redact: tuple[str, ...] = (),
        patience: Patience | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._session: Any = session  # its stubs have an overload for each service; ours is named by a value
        self._endpoint_url = endpoint_url
        self._clients: dict[str, Any] = {}
        self.redact = redact
        self.patience = patience or Patience()
        self.tell = tell

    def place(self) -> Place:
        """The account and region that the session stands for.

        Raises:
            DeployError: There are no credentials or no region, the region has no AgentCore, or AWS refuses.
        """
        region = self._session.region_name
        if region is None:
            raise DeployError("no AWS region is set: give --region, or set AWS_DEFAULT_REGION")
        check_region(self._session, region)
        account = self.call("sts", "GetCallerIdentity")["Account"]
        return Place(account=account, region=region, partition=self._session.get_partition_for_region(region))

    def client(self, service: str) -> Any:
        """The client of a service, made once."""
        if service not in self._clients:
            from botocore.config import Config

            # Throttling is waited for here, where it can be told; botocore's own tries are for broken connections.
            config = Config(retries={"total_max_attempts": 2, "mode": "standard"}, connect_timeout=10, read_timeout=60)
            try:
                self._clients[service] = self._session.client(service, endpoint_url=self._endpoint_url, config=config)
            except Exception as error:
                raise explained(error, service, "client") from None
        return self._clients[service]

    def call(self, service: str, operation: str, *, new_role: bool = False, **parameters: Any) -> dict[str, Any]:
        """Make a call, again and again where AWS throttles or a new role is not known everywhere yet.

        Args:
            service: As boto3 names it.
            operation: As the service's model names it.
            new_role: Whether a role that cannot be used yet is waited for.
            **parameters: What is sent.

        Raises:
            CallError: AWS refused it.
        """
        start, tried = self.patience.now(), 0
        while True:
            try:
                return self._once(service, operation, parameters)
            except CallError as error:
                tried += 1
                if error.throttled and tried < _TRIES:
                    most = min(_FIRST_DELAY_S * 2**tried, _LONGEST_DELAY_S)
                    delay = random.uniform(most / 2, most)
                    self.tell(f"{service} throttles, trying again in {delay:.0f} s")
                elif new_role and error.role_not_ready and self.patience.now() - start < ROLE_READY_S:
                    delay = _ROLE_DELAY_S
                    self.tell("the new role is not known everywhere yet, trying again in 5 s")
                else:
                    raise
                self.patience.sleep(delay)

    def find(self, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
        """As `call`; none where the thing is not there."""
        try:
            return self.call(service, operation, **parameters)
        except CallError as error:
            if error.missing:
                return None
            raise

    def _once(self, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        method = getattr(self.client(service), xform_name(operation))
        sent = dict(parameters)
        body = sent.get("Body")
        try:
            if isinstance(body, FileBody):
                with body.path.open("rb") as file:
                    sent["Body"] = file
                    answer: dict[str, Any] = method(**sent)
            else:
                answer = method(**sent)
        except (ClientError, BotoCoreError) as error:
            raise explained(error, service, operation, self.redact) from None
        return answer


def new_session(region: str | None, profile: str | None) -> boto3.Session:
    """A session of boto3; the region is the given one, AWS's configuration's, or ``AWS_REGION``.

    Raises:
        DeployError: There is no such profile.
        MissingExtraError: boto3 is not installed.
    """
    import os

    from turnout.config.extras import require

    require("boto3", extra="deploy")
    import boto3
    from botocore.exceptions import ProfileNotFound

    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        # boto3 does not read AWS_REGION, which AWS's own environments set.
        if not session.region_name and os.environ.get("AWS_REGION"):
            session = boto3.Session(profile_name=profile, region_name=os.environ["AWS_REGION"])
    except ProfileNotFound as error:
        raise DeployError(f"{error}; known profiles stand in ~/.aws/config") from None
    return session


def check_region(session: boto3.Session, region: str) -> None:
    """Whether AgentCore can be in that region, as far as botocore knows.

    Raises:
        DeployError: botocore knows no such region; the nearest one is named.
    """
    from turnout.core.catalog import unknown

    known = {
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("s3", partition_name=partition)
    }
    if region not in known:
        raise DeployError(f"{unknown('region', region, known)} (a newer boto3 may know more)")
