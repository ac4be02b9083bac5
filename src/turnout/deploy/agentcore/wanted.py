"""What a deployment is to be: frozen values, checked before anything is built or called."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from turnout.deploy.agentcore.errors import DeployError

Kind = Literal["code", "container"]
"""``code``: a zip that AgentCore runs on its own Python; ``container``: an image."""

PYTHONS = ("3.11", "3.12", "3.13")
"""The Pythons that both AgentCore (``PYTHON_3_11``, ...) and Turnout run on."""

MAX_VARIABLES = 50
MAX_VALUE_CHARS = 5000
"""Limits of ``environmentVariables`` in botocore's model of ``CreateAgentRuntime``."""

_OWN_VARIABLES = 5

SECRETS_VARIABLE = "AGENTCORE_SECRETS"
"""Tells the process which secrets to read when it starts: JSON, variable to reference; see `secrets`."""

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,47}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_APP = re.compile(r"v[1-4]|[\w.]{1,200}:[\w.]{1,200}")
"""A version of the reference agent, or an agent as ``module:name``."""
_ROLE_ARN = re.compile(r"arn:aws(-[^:]+)?:iam::[0-9]{12}:role/.+")
_SECRET_ARN = re.compile(r"arn:aws(-[^:]+)?:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^#*\s]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_IMAGE = re.compile(
    r"(([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?|public\.ecr\.aws)/"
    r"((?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*)(?::([^:@]{1,300}))?(?:@(.+))?"
)
_SUBNET = re.compile(r"subnet-[0-9a-zA-Z]{8,17}")
_GROUP = re.compile(r"sg-[0-9a-zA-Z]{8,17}")
_KNOWLEDGE_BASE = re.compile(r"[0-9a-zA-Z]{10}")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where it goes: account, region, and the partition of ARNs that the region belongs to."""

    account: str
    region: str
    partition: str = "aws"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment as it is wanted.

    Attributes:
        name: The name of the AgentCore Runtime.
        place: Where it goes.
        app: What serves: a version of the reference agent, or an agent as ``module:name``.
        models: The models that may be called: ids on Bedrock, inference profile included.
        kind: How the code gets there.
        python: The Python that it runs on.
        environment: Variables of the process, by name. Values may be secret.
        secrets: Variables whose value the process reads from Secrets Manager: name to ``arn`` or ``arn#key``.
        role_arn: The execution role; none: one is made.
        bucket: The S3 bucket for the package; none: one is made.
        image: An image that is there already; none: the package, or an image built from it.
        subnets: With ``security_groups``: the process runs in this VPC; none: in the public network mode.
        security_groups: See ``subnets``.
        knowledge_base: The Bedrock Knowledge Base that the agent may retrieve from.
        idle_seconds: When an idle session ends; none: as the service chooses (900 s).
        lifetime_seconds: When any session ends; none: as the service chooses (8 h).
    """

    name: str
    place: Place
    app: str
    models: tuple[str, ...]
    kind: Kind = "code"
    python: str = "3.12"
    environment: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    role_arn: str | None = None
    bucket: str | None = None
    image: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    knowledge_base: str | None = None
    idle_seconds: int | None = None
    lifetime_seconds: int | None = None

    @property
    def packs(self) -> bool:
        """Whether a package is built: not where an image is there already."""
        return self.image is None

    @property
    def builds_image(self) -> bool:
        """Whether CodeBuild builds an image of the package."""
        return self.kind == "container" and self.image is None

    @property
    def secret_values(self) -> tuple[str, ...]:
        """What may appear nowhere, longest first. Very short values would blank out half of every message."""
        return tuple(sorted((value for _, value in self.environment if len(value) > 3), key=len, reverse=True))


def check_name(name: str) -> str:
    """The name of a runtime, if AgentCore takes it.

    Raises:
        DeployError: It does not.
    """
    if _NAME.fullmatch(name):
        return name
    mended = re.sub(r"[^a-zA-Z0-9_]+", "_", name).lstrip("_0123456789")[:48] or "agent"
    raise DeployError(
        f"--name {name!r}: AgentCore takes a letter and then up to 47 letters, digits and underscores, "
        f"such as {mended!r}"
    )


def check(wanted: Wanted) -> Wanted:
    """The same value, if it can be deployed.

    Raises:
        DeployError: Something in it cannot be; the message names the option.
    """
    check_name(wanted.name)
    _must(_APP, wanted.app, "the agent", "a version from v1 to v4, or MODULE:NAME")
    if wanted.python not in PYTHONS:
        raise DeployError(f"--python {wanted.python!r}: AgentCore and Turnout both run on {', '.join(PYTHONS)}")
    if not wanted.models and wanted.role_arn is None:
        raise DeployError(
            "no model on Bedrock is wanted: name those that the role may call with --model, or give --role"
        )
    if wanted.image is not None and wanted.kind != "container":
        raise DeployError("--image goes with --container")
    if bool(wanted.subnets) != bool(wanted.security_groups):
        raise DeployError("--subnet and --security-group go together")
    _check_given(wanted)
    _check_environment(wanted)
    for option, seconds in (("--idle", wanted.idle_seconds), ("--lifetime", wanted.lifetime_seconds)):
        if seconds is not None and not 60 <= seconds <= 1_209_600:
            raise DeployError(f"{option} must be 60 to 1,209,600 seconds, got {seconds:,}")
    if wanted.idle_seconds and wanted.lifetime_seconds and wanted.idle_seconds > wanted.lifetime_seconds:
        raise DeployError("--idle must not be above --lifetime")
    return wanted


def _check_given(wanted: Wanted) -> None:
    _must(_ROLE_ARN, wanted.role_arn, "--role", "an ARN such as arn:aws:iam::111122223333:role/agent")
    _must(_BUCKET, wanted.bucket, "--bucket", "the name of an S3 bucket")
    _must(
        _IMAGE, wanted.image, "--image", "an image in Amazon ECR such as ACCOUNT.dkr.ecr.REGION.amazonaws.com/agent:1"
    )
    _must(_KNOWLEDGE_BASE, wanted.knowledge_base, "--knowledge-base", "an id of ten letters and digits")
    for subnet in wanted.subnets:
        _must(_SUBNET, subnet, "--subnet", "an id such as subnet-0123456789abcdef0")
    for group in wanted.security_groups:
        _must(_GROUP, group, "--security-group", "an id such as sg-0123456789abcdef0")


def _check_environment(wanted: Wanted) -> None:
    names = [name for name, _ in wanted.environment + wanted.secrets]
    if len(wanted.environment) > MAX_VARIABLES - _OWN_VARIABLES:
        raise DeployError(
            f"AgentCore takes {MAX_VARIABLES} variables, of which Turnout sets up to {_OWN_VARIABLES}: "
            f"{len(wanted.environment)} are too many"
        )
    for name in names:
        _must(_VARIABLE, name, "a variable's name", "letters, digits and underscores")
        if name == SECRETS_VARIABLE:
            raise DeployError(f"{SECRETS_VARIABLE} is written by --secret: do not set it")
    for name in names:
        if names.count(name) > 1:
            raise DeployError(f"the variable {name} is given twice")
    for name, value in wanted.environment:
        if len(value) > MAX_VALUE_CHARS:
            raise DeployError(f"the variable {name} has {len(value):,} characters, AgentCore takes {MAX_VALUE_CHARS:,}")
    for name, reference in wanted.secrets:
        arn, _, key = reference.partition("#")
        if not _SECRET_ARN.fullmatch(arn) or ("#" in reference and not key):
            raise DeployError(
                f"--secret {name}: must be the ARN of a secret in Secrets Manager, with #KEY behind it for one key of "
                "a JSON secret"
            )
        if arn.split(":")[4] != wanted.place.account:
            raise DeployError(f"--secret {name}: the secret belongs to another account than {wanted.place.account}")


def _must(pattern: re.Pattern[str], value: str | None, what: str, wanted: str) -> None:
    if value is not None and not pattern.fullmatch(value):
        raise DeployError(f"{what} must be {wanted}, got {value!r}")
