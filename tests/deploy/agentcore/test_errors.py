import pytest
from botocore import exceptions as boto

from tests.deploy.agentcore.support import VALUE
from turnout.deploy.agentcore.errors import CallError, explained


def answered(code: str, message: str = "") -> CallError:
    error = boto.ClientError({"Error": {"Code": code, "Message": message}}, "CreateAgentRuntime")
    found = explained(error, "bedrock-agentcore-control", "CreateAgentRuntime", (VALUE,))
    assert isinstance(found, CallError)
    assert "\n" not in str(found)
    return found


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        (
            "AccessDeniedException",
            "User: me is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/r "
            "because no identity-based policy allows the iam:PassRole action",
            "access denied: these credentials lack iam:PassRole on arn:aws:iam::1:role/r",
        ),
        ("AccessDenied", "", "access denied: these credentials lack bedrock-agentcore-control:CreateAgentRuntime"),
        ("ExpiredTokenException", "x", "the AWS credentials have expired: log in again"),
        (
            "UnrecognizedClientException",
            "x",
            "AWS does not know these credentials: check AWS_PROFILE, the keys, and that the region is enabled",
        ),
        ("ServiceQuotaExceededException", "Agents: 1000", "a quota of the account is used up (Agents: 1000)"),
        ("TooManyBuckets", "x", "a quota of the account is used up"),
        ("ThrottlingException", "Rate exceeded", "AWS still throttles after several tries"),
        ("ConflictException", "support exists", "conflict: support exists"),
        ("ValidationException", "bad\n  value", "ValidationException: bad value"),
    ],
)
def test_what_aws_says_in_one_line(code: str, message: str, told: str) -> None:
    assert told in str(answered(code, message))


def test_a_value_that_aws_quotes_back_is_masked() -> None:
    error = answered("ValidationException", f"Value '{{A={VALUE}}}' at 'environmentVariables' failed")
    assert VALUE not in str(error)
    assert VALUE not in error.detail
    assert "{A=***}" in str(error)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (boto.NoCredentialsError(), "no AWS credentials were found: run `aws configure`"),
        (boto.PartialCredentialsError(provider="env", cred_var="x"), "no AWS credentials were found"),
        (boto.UnauthorizedSSOTokenError(), "run `aws sso login` again"),
        (boto.NoRegionError(), "give --region"),
        (boto.EndpointConnectionError(endpoint_url="https://x"), "check --region and the network"),
        (boto.ParamValidationError(report=f"bad {VALUE}"), "iam:GetRole: Parameter validation failed: bad ***"),
        (boto.ReadTimeoutError(endpoint_url="https://x"), "iam:GetRole: Read timeout"),
    ],
)
def test_what_never_reached_aws(error: Exception, told: str) -> None:
    assert told in str(explained(error, "iam", "GetRole", (VALUE,)))


def test_other_errors_are_not_ours() -> None:
    with pytest.raises(KeyError):
        explained(KeyError("x"), "iam", "GetRole")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("SlowDown", "throttled"),
        ("TooManyRequestsException", "throttled"),
        ("EntityAlreadyExists", "conflict"),
        ("RepositoryAlreadyExistsException", "conflict"),
        ("NoSuchEntity", "missing"),
        ("404", "missing"),
        ("ImageNotFoundException", "missing"),
    ],
)
def test_kinds_of_errors(code: str, kind: str) -> None:
    found = answered(code)
    assert [name for name in ("throttled", "conflict", "missing", "role_not_ready") if getattr(found, name)] == [kind]


@pytest.mark.parametrize(
    ("code", "message", "ready"),
    [
        (
            "ValidationException",
            "Role validation failed for 'arn:aws:iam::1:role/r'. Please verify that the role",
            False,
        ),
        (
            "InvalidInputException",
            "CodeBuild is not authorized to perform: sts:AssumeRole on arn:aws:iam::1:role/r",
            False,
        ),
        ("ValidationException", "The provided role cannot be assumed", False),
        ("ValidationException", "agentRuntimeName is not valid", True),
        ("AccessDeniedException", "Role validation failed", True),
    ],
)
def test_a_role_that_is_not_known_everywhere(code: str, message: str, ready: bool) -> None:
    assert answered(code, message).role_not_ready is not ready
