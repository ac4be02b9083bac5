from __future__ import annotations

import os

import boto3
import pytest
from botocore.config import Config
from strands import Agent
from strands.models import BedrockModel

from turnout.cli.agentcore.simulated import LABEL, simulated_bedrock
from turnout.cli.errors import UserError
from turnout.doors.agentcore import FromFactory, SharedAgent
from turnout.upstream.local.strands_model import LocalModel

NAMES = (
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
)


def test_bedrock_is_simulated_for_what_is_built_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    with simulated_bedrock(True) as simulation:
        assert simulation.label == LABEL
        inside = BedrockModel(model_id="global.anthropic.claude-sonnet-4-6")
        elsewhere = BedrockModel(
            model_id="global.anthropic.claude-sonnet-4-6",
            endpoint_url="http://127.0.0.1:9",
            boto_session=boto3.Session(region_name="us-east-1"),
            boto_client_config=Config(),
        )
        agent = Agent(model=inside, callback_handler=None)
        simulation.check(agent)
        simulation.check_source(SharedAgent(agent))
        simulation.check_source(FromFactory(lambda session_id: agent))
        result = agent("hello")
        assert result.stop_reason == "end_turn"
        for model in (elsewhere, LocalModel()):
            with pytest.raises(UserError, match="would call elsewhere: say --live"):
                simulation.check(Agent(model=model, name="mine", callback_handler=None))
        inside.client.close()
        elsewhere.client.close()
    for name in NAMES:
        monkeypatch.setenv(name, "x")


def test_real_models_are_left_where_they_are() -> None:
    before = dict(os.environ)
    with simulated_bedrock(False) as simulation:
        simulation.check(Agent(model=LocalModel(), callback_handler=None))
        assert simulation.label == ""
    assert dict(os.environ) == before
