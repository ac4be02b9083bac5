"""What the tests of deployment share: a wanted deployment, a package, an account with stubbed answers, a fast clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import msgspec
from botocore.stub import Stubber

from turnout.deploy.agentcore.aws import Aws, Patience
from turnout.deploy.agentcore.calls import Call
from turnout.deploy.agentcore.names import Names
from turnout.deploy.agentcore.package.value import Package
from turnout.deploy.agentcore.wanted import Place, Wanted

ACCOUNT = "123456789012"
PLACE = Place(account=ACCOUNT, region="us-west-2")
SHA = "ab" * 32
RUNTIME_ID = "support-0123456789"
RUNTIME_ARN = f"arn:aws:bedrock-agentcore:us-west-2:{ACCOUNT}:runtime/{RUNTIME_ID}"
SECRET_ARN = f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:langfuse-AbCdEf"
VALUE = "a-value-that-must-not-show"

WANTED = Wanted(
    name="support",
    place=PLACE,
    app="v4",
    models=("global.anthropic.claude-haiku-4-5-20251001-v1:0", "us.anthropic.claude-sonnet-4-6"),
)
NAMES = Names("support", PLACE)


def wanted(**changes: Any) -> Wanted:
    return msgspec.structs.replace(WANTED, **changes)


def package(folder: Path, sha256: str = SHA) -> Package:
    path = folder / "package.zip"
    path.write_bytes(b"PK a zip")
    return Package(path=path, sha256=sha256, size=8, unpacked=20)


class Clock(Patience):
    """Goes forward only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []
        super().__init__(self._sleep, lambda: self.seconds)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


class Told:
    """Keeps what a reporter is told."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.waits: list[str] = []
        self.notes: list[str] = []

    def call(self, call: Call, number: int, total: int) -> None:
        assert 1 <= number <= total
        self.calls.append(call)

    def progress(self, text: str) -> None:
        self.waits.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.calls]


@cache
def session() -> boto3.Session:
    """One for all: reading the service models takes longer than most tests."""
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=PLACE.region)


def account(**options: Any) -> Aws:
    return Aws(session(), **{"patience": Clock(), **options})


class Stubs:
    """Scripts the answers of real boto3 clients, in order; what is sent is checked against the service's model."""

    def __init__(self, aws: Aws, stack: ExitStack) -> None:
        self._aws = aws
        self._stack = stack
        self._stubbers: dict[str, Stubber] = {}

    def answer(self, service: str, method: str, response: dict[str, Any], sent: dict[str, Any] | None = None) -> None:
        self._of(service).add_response(method, response, sent)

    def fail(self, service: str, method: str, code: str, message: str = "", status: int = 400) -> None:
        self._of(service).add_client_error(method, code, message, http_status_code=status)

    def done(self) -> None:
        for stubber in self._stubbers.values():
            stubber.assert_no_pending_responses()

    def _of(self, service: str) -> Stubber:
        if service not in self._stubbers:
            self._stubbers[service] = self._stack.enter_context(Stubber(self._aws.client(service)))
        return self._stubbers[service]


@contextmanager
def stubbed(aws: Aws) -> Iterator[Stubs]:
    """Nothing is sent; every scripted answer must be used up."""
    with ExitStack() as stack:
        stubs = Stubs(aws, stack)
        yield stubs
        stubs.done()
