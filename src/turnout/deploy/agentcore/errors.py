"""What goes wrong in a deployment, told in one line: what was asked, what refused it, what to do."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

THROTTLED = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
        "RequestThrottled",
    }
)
"""Error codes of a request that may be made again a little later."""

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException", "403"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_UNKNOWN_KEY = frozenset(
    {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
)
_QUOTA = frozenset({"ServiceQuotaExceededException", "LimitExceeded", "LimitExceededException", "AccountLimitExceeded"})
_QUOTA_NAMES = frozenset({"TooManyBuckets", "AccountLimitExceededException"})
_CONFLICT = frozenset({"ConflictException", "EntityAlreadyExists", "RetryableConflictException"})
_CONFLICT_NAMES = frozenset(
    {
        "BucketAlreadyOwnedByYou",
        "RepositoryAlreadyExistsException",
        "ResourceAlreadyExistsException",
        "OperationAborted",
        "ConcurrentModification",
    }
)
_MISSING = frozenset({"NoSuchEntity", "NoSuchBucket", "NoSuchKey", "404", "NotFound", "ResourceNotFoundException"})
_MISSING_NAMES = frozenset({"RepositoryNotFoundException", "ImageNotFoundException", "NoSuchTagSet"})

_ACTION = re.compile(r"not authorized to perform: (\S+?)(?: on resource: (\S+))?(?:\s|$)")
# What AgentCore and CodeBuild say of a role that IAM has not spread yet; the same is said of a wrong trust policy.
_ROLE = re.compile(
    r"role validation failed|cannot be assumed|not authorized to (?:perform: sts:AssumeRole|assume)|unable to assume"
    r"|trust (?:policy|relationship)",
    re.IGNORECASE,
)


class DeployError(Exception):
    """Something that a user can mend or wait for; the message is one line and holds no secret."""


class PackageError(DeployError):
    """The package cannot be built, or AgentCore would not run it."""


class CallError(DeployError):
    """AWS refused a call.

    Attributes:
        service: As boto3 names it.
        operation: As the service's model names it.
        code: The error code that AWS gave; empty where the call did not reach it.
        detail: What AWS said, masked.
    """

    def __init__(self, message: str, *, service: str, operation: str, code: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.service = service
        self.operation = operation
        self.code = code
        self.detail = detail

    @property
    def throttled(self) -> bool:
        """Whether the same request may pass later."""
        return self.code in THROTTLED

    @property
    def conflict(self) -> bool:
        """Whether the thing is there already, or is being changed."""
        return self.code in _CONFLICT | _CONFLICT_NAMES

    @property
    def missing(self) -> bool:
        """Whether the thing is not there."""
        return self.code in _MISSING | _MISSING_NAMES

    @property
    def role_not_ready(self) -> bool:
        """Whether a service cannot use the role that it was given, as happens for seconds after a role was made."""
        return self.code in {"ValidationException", "InvalidInputException"} and bool(_ROLE.search(self.detail))


def explained(error: Exception, service: str, operation: str, redact: tuple[str, ...] = ()) -> DeployError:
    """An error of boto3 in our words.

    Args:
        error: What boto3 raised.
        service: The service that was called, as boto3 names it.
        operation: The operation, as the service's model names it.
        redact: Values that must not be repeated: services quote what they did not like.
    """
    from botocore import exceptions as boto

    what = f"{service}:{operation}"

    def failed(message: str, code: str = "", detail: str = "") -> CallError:
        return CallError(message, service=service, operation=operation, code=code, detail=detail)

    if isinstance(error, boto.ClientError):
        return _answered(error.response, what, failed, redact)
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError):
        return failed("no AWS credentials were found: run `aws configure` or `aws sso login`, or set AWS_PROFILE")
    if isinstance(error, boto.UnauthorizedSSOTokenError | boto.TokenRetrievalError | boto.CredentialRetrievalError):
        return failed("the AWS credentials could not be renewed: run `aws sso login` again, or check AWS_PROFILE")
    if isinstance(error, boto.NoRegionError):
        return failed("no AWS region is set: give --region, or set AWS_REGION")
    if isinstance(error, boto.ParamValidationError):
        return failed(f"{what}: {_line(str(error), redact)}")
    if isinstance(error, boto.EndpointConnectionError):
        return failed(f"{what}: nothing answers at its address{_where(error)}")
    if isinstance(error, boto.BotoCoreError):
        return failed(f"{what}: {_line(str(error), redact)}")
    raise error


def _where(error: Any) -> str:
    """The address that nothing answers at, and what to do: a service on this machine has to be started."""
    address = urlsplit(str(error.kwargs.get("endpoint_url", "")))
    if address.hostname in ("localhost", "127.0.0.1", "::1"):
        return f", {address.scheme}://{address.netloc}: is the service running? `turnout agentcore app` starts it"
    return ": check --region and the network"


def _answered(response: Any, what: str, failed: Any, redact: tuple[str, ...]) -> CallError:
    """What an answer with an error says, by its code."""
    code = str(response.get("Error", {}).get("Code", ""))
    detail = _line(str(response.get("Error", {}).get("Message", "")), redact)
    if code in _DENIED:
        match = _ACTION.search(detail)
        # The service names the IAM action, which may be another than the one that was called, such as iam:PassRole.
        action = match[1] if match else what
        on = f" on {match[2]}" if match and match[2] else ""
        message = f"access denied: these credentials lack {action}{on}"
    elif code in _EXPIRED:
        message = "the AWS credentials have expired: log in again"
    elif code in _UNKNOWN_KEY:
        message = "AWS does not know these credentials: check AWS_PROFILE, the keys, and that the region is enabled"
    elif code in _QUOTA | _QUOTA_NAMES:
        message = (
            f"{what}: a quota of the account is used up ({detail}): remove something or ask for more in Service Quotas"
        )
    elif code in THROTTLED:
        message = f"{what}: AWS still throttles after several tries: wait a minute and run the command again"
    elif code in _CONFLICT | _CONFLICT_NAMES:
        message = f"{what}: conflict: {detail}"
    else:
        message = f"{what}: {code}: {detail}" if detail else f"{what}: {code}"
    return failed(message, code, detail)  # type: ignore[no-any-return]  # a closure that returns CallError


def _line(text: str, redact: tuple[str, ...]) -> str:
    """A text on one line, without the values that must not be repeated."""
    for value in redact:
        if value:
            text = text.replace(value, "***")
    return " ".join(text.split())
