from botocore.model import StringShape

from tests.deploy.agentcore.schemas import model
from turnout.deploy.agentcore.found import CHANGING, NOTHING


def test_nothing_is_nothing() -> None:
    assert all(getattr(NOTHING, field) is None for field in NOTHING.__struct_fields__)


def test_the_statuses_that_pass_are_agentcores() -> None:
    shape = model("bedrock-agentcore-control").shape_for("AgentRuntimeStatus")
    assert isinstance(shape, StringShape)
    known = set(shape.enum)
    assert known == CHANGING | {"READY", "CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"}
