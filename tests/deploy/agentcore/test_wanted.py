from typing import Any

import pytest

from tests.deploy.agentcore.support import ACCOUNT, SECRET_ARN, VALUE, wanted
from turnout.deploy.agentcore.errors import DeployError
from turnout.deploy.agentcore.wanted import check, check_name


def test_what_can_be_deployed_is_passed_on() -> None:
    given = wanted(
        app="shop.agents:agent",
        environment=(("LANGFUSE_PUBLIC_KEY", VALUE),),
        secrets=(("LANGFUSE_SECRET_KEY", f"{SECRET_ARN}#secret"), ("OTHER", SECRET_ARN)),
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/path/agent",
        bucket="my-bucket",
        subnets=("subnet-0123456789abcdef0",),
        security_groups=("sg-0123456789abcdef0",),
        knowledge_base="ABCDEFGHIJ",
        idle_seconds=60,
        lifetime_seconds=60,
    )
    assert check(given) is given


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"app": "v5"}, "a version from v1 to v4, or MODULE:NAME"),
        ({"app": "agent; rm -r"}, "MODULE:NAME"),
        ({"python": "3.10"}, "run on 3.11, 3.12, 3.13"),
        ({"models": ()}, "name those that the role may call with --model"),
        ({"image": "public.ecr.aws/x/y:1"}, "--image goes with --container"),
        ({"image": "docker.io/x", "kind": "container"}, "an image in Amazon ECR"),
        ({"subnets": ("subnet-12345678",)}, "--subnet and --security-group go together"),
        ({"subnets": ("vpc-1",), "security_groups": ("sg-12345678",)}, "--subnet must be an id"),
        ({"role_arn": "agent"}, "--role must be an ARN"),
        ({"bucket": "Bucket"}, "--bucket must be the name"),
        ({"knowledge_base": "kb"}, "--knowledge-base"),
        ({"environment": (("A-B", "x"),)}, "letters, digits and underscores"),
        ({"environment": (("A", "x"), ("A", "y"))}, "the variable A is given twice"),
        ({"environment": (("A", "x"),), "secrets": (("A", SECRET_ARN),)}, "the variable A is given twice"),
        ({"environment": (("A", "x" * 5001),)}, "5,001 characters, AgentCore takes 5,000"),
        ({"environment": (("AGENTCORE_SECRETS", "{}"),)}, "is written by --secret"),
        ({"environment": tuple((f"A{number}", "x") for number in range(46))}, "takes 50 variables"),
        ({"secrets": (("A", "the-secret-itself"),)}, "must be the ARN of a secret"),
        ({"secrets": (("A", SECRET_ARN + "#"),)}, "with #KEY behind it"),
        ({"secrets": (("A", SECRET_ARN.replace(ACCOUNT, "999999999999")),)}, "belongs to another account"),
        ({"idle_seconds": 59}, "60 to 1,209,600 seconds, got 59"),
        ({"idle_seconds": 100, "lifetime_seconds": 99}, "--idle must not be above"),
    ],
)
def test_what_cannot_is_refused_with_the_option(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DeployError) as caught:
        check(wanted(**changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "mended"),
    [("customer-support", "customer_support"), ("4you", "you"), ("a" * 49, "a" * 48), ("", "agent"), ("ä", "agent")],
)
def test_a_bad_name_is_told_with_a_good_one(name: str, mended: str) -> None:
    with pytest.raises(DeployError, match=f"such as '{mended}'$"):
        check_name(name)
    assert check_name(mended) == mended


def test_values_of_variables_are_secret_longest_first() -> None:
    assert wanted(environment=(("A", "abc"), ("B", "abcd"), ("C", "abcdef"))).secret_values == ("abcdef", "abcd")
