from typing import Any

import pytest

from tests.deploy.agentcore.support import ACCOUNT, NAMES, PLACE, SECRET_ARN, wanted
from turnout.deploy.agentcore.errors import DeployError
from turnout.deploy.agentcore.policies import build_policy, build_trust, run_policy, run_trust

HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"


def statements(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {one["Sid"]: one for one in document["Statement"]}
    assert len(found) == len(document["Statement"]), "two statements share a Sid"
    return found


def actions(document: dict[str, Any]) -> set[str]:
    return {action for one in document["Statement"] for action in one["Action"]}


def test_only_agentcore_may_take_the_role_for_this_account_and_region() -> None:
    [trust] = run_trust(PLACE)["Statement"]
    assert trust["Principal"] == {"Service": "bedrock-agentcore.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:bedrock-agentcore:us-west-2:{ACCOUNT}:*"},
    }


def test_models_may_be_called_through_their_profile_only() -> None:
    found = statements(run_policy(wanted(models=(f"global.{HAIKU}", "eu.anthropic.claude-sonnet-4-6"))))
    profile = f"arn:aws:bedrock:us-west-2:{ACCOUNT}:inference-profile/global.{HAIKU}"
    assert found["Profile1"]["Resource"] == [profile]
    # A request to a global profile is checked in the region that it came from, and without a region.
    assert found["Model1"]["Resource"] == [
        f"arn:aws:bedrock:us-west-2::foundation-model/{HAIKU}",
        f"arn:aws:bedrock:::foundation-model/{HAIKU}",
    ]
    assert found["Model1"]["Condition"] == {"StringEquals": {"bedrock:InferenceProfileArn": profile}}
    # A geographic profile chooses among its regions; the condition holds the right to them.
    assert found["Model2"]["Resource"] == ["arn:aws:bedrock:*::foundation-model/anthropic.claude-sonnet-4-6"]
    assert found["Model2"]["Condition"]["StringEquals"]["bedrock:InferenceProfileArn"].endswith(
        "inference-profile/eu.anthropic.claude-sonnet-4-6"
    )


def test_a_model_without_a_profile_is_refused() -> None:
    with pytest.raises(DeployError, match=f"such as global.{HAIKU}"):
        run_policy(wanted(models=(HAIKU,)))


def test_no_right_is_given_that_was_not_asked_for() -> None:
    plain = run_policy(wanted())
    assert {action.partition(":")[0] for action in actions(plain)} == {"bedrock", "logs", "xray", "cloudwatch"}
    assert not any("*" in action for action in actions(plain))
    everything = [one["Sid"] for one in plain["Statement"] if "*" in one["Resource"]]
    # What knows no resources; metrics are held to a namespace.
    assert everything == ["Traces", "Metrics"]
    assert statements(plain)["Metrics"]["Condition"] == {"StringEquals": {"cloudwatch:namespace": "bedrock-agentcore"}}


def test_secrets_are_read_one_by_one() -> None:
    given = wanted(secrets=(("A", f"{SECRET_ARN}#a"), ("B", f"{SECRET_ARN}#b")))
    assert statements(run_policy(given))["Secrets"]["Resource"] == [SECRET_ARN]
    assert statements(run_policy(given))["Secrets"]["Action"] == ["secretsmanager:GetSecretValue"]


def test_a_knowledge_base_may_be_asked() -> None:
    found = statements(run_policy(wanted(knowledge_base="ABCDEFGHIJ")))["KnowledgeBase"]
    assert found["Resource"] == [f"arn:aws:bedrock:us-west-2:{ACCOUNT}:knowledge-base/ABCDEFGHIJ"]


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        (None, NAMES.repository_arn),
        (
            "999999999999.dkr.ecr.eu-west-1.amazonaws.com/team/agent:1",
            "arn:aws:ecr:eu-west-1:999999999999:repository/team/agent",
        ),
        (
            "999999999999.dkr.ecr.eu-west-1.amazonaws.com/agent@sha256:" + "a" * 64,
            "arn:aws:ecr:eu-west-1:999999999999:repository/agent",
        ),
    ],
)
def test_one_repository_may_be_pulled_from(image: str | None, repository: str) -> None:
    found = statements(run_policy(wanted(kind="container", image=image)))
    assert found["EcrPull"]["Resource"] == [repository]


def test_a_public_image_needs_no_right() -> None:
    assert "EcrPull" not in statements(run_policy(wanted(kind="container", image="public.ecr.aws/x/agent:1")))


def test_the_build_reads_its_source_and_pushes_its_image() -> None:
    [trust] = build_trust(PLACE)["Statement"]
    assert trust["Principal"] == {"Service": "codebuild.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    found = statements(build_policy(wanted(), NAMES))
    assert found["Source"]["Resource"] == [f"arn:aws:s3:::{NAMES.bucket}/turnout-agentcore/support/*"]
    assert found["EcrPush"]["Resource"] == [NAMES.repository_arn]
    assert found["Log"]["Resource"][0].endswith(f"log-group:/aws/codebuild/{NAMES.project}")
    given = statements(build_policy(wanted(bucket="mine"), NAMES))
    assert given["Source"]["Resource"] == ["arn:aws:s3:::mine/turnout-agentcore/support/*"]
