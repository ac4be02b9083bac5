import re

from hypothesis import given
from hypothesis import strategies as st

from tests.deploy.agentcore.schemas import model
from tests.deploy.agentcore.support import ACCOUNT
from turnout.deploy.agentcore.names import Names, log_group
from turnout.deploy.agentcore.wanted import Place

AGENTS = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,47}", fullmatch=True)
REGIONS = st.sampled_from(["us-east-1", "ap-northeast-1", "us-gov-west-1", "ap-southeast-5"])


@given(AGENTS, REGIONS)
def test_every_name_is_one_that_its_service_takes(agent: str, region: str) -> None:
    names = Names(agent, Place(account=ACCOUNT, region=region))
    for role in (names.role, names.build_role):
        assert len(role) <= 64
        assert re.fullmatch(r"[\w+=,.@-]+", role)
    bucket = names.bucket
    assert len(bucket) <= 63
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket)
    project = model("codebuild").shape_for("ProjectName").metadata
    assert re.fullmatch(project["pattern"], names.project)
    repository = model("ecr").shape_for("RepositoryName").metadata
    assert re.fullmatch(repository["pattern"], names.repository)
    assert len(names.repository) <= repository["max"]
    container = model("bedrock-agentcore-control").shape_for("RuntimeContainerUri").metadata
    assert re.fullmatch(container["pattern"], names.image("ab" * 32))


@given(AGENTS, AGENTS)
def test_two_agents_share_no_name(one: str, other: str) -> None:
    place = Place(account=ACCOUNT, region="us-east-1")
    first, second = Names(one, place), Names(other, place)
    for part in ("role", "build_role", "bucket", "repository", "project", "key_prefix"):
        assert (getattr(first, part) == getattr(second, part)) == (one == other)


def test_case_alone_keeps_agents_apart() -> None:
    place = Place(account=ACCOUNT, region="us-east-1")
    assert Names("Agent", place).repository != Names("agent", place).repository


def test_tags_tell_what_is_ours() -> None:
    names = Names("agent", Place(account=ACCOUNT, region="us-east-1"))
    assert names.ours({**names.tags, "more": "x"})
    assert not names.ours({})
    assert not names.ours({**names.tags, "turnout:agent": "another"})


def test_the_image_and_the_logs_are_where_aws_puts_them() -> None:
    names = Names("agent", Place(account=ACCOUNT, region="cn-north-1", partition="aws-cn"))
    assert names.image("ab" * 32).startswith(f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn/turnout-agentcore/agent-")
    assert names.image("ab" * 32).endswith(":" + "ab" * 8)
    assert log_group("x-1") == "/aws/bedrock-agentcore/runtimes/x-1-DEFAULT"
