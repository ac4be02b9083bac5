from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from turnout.testing.bedrock import MODELS, BedrockDouble, SimulatedModel
from turnout.testing.bedrock.errors import BedrockError
from turnout.testing.bedrock.models import ModelTable

HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]
SONNET = "anthropic.claude-sonnet-4-6"


def test_the_facts() -> None:
    floors = {model.id: (model.floor_tokens, model.token_ratio) for model in MODELS}
    assert floors == {
        "anthropic.claude-haiku-4-5-20251001-v1:0": (4096, 1.0),
        "anthropic.claude-sonnet-4-5-20250929-v1:0": (1024, 1.0),
        "anthropic.claude-sonnet-4-6": (1024, 1.0),
        "anthropic.claude-haiku-5-5": (512, 1.3),
        "anthropic.claude-sonnet-5-5": (512, 1.3),
        "anthropic.claude-opus-5-5": (512, 1.3),
    }


@pytest.mark.parametrize(
    ("model_id", "key"),
    [
        (f"global.{SONNET}", f"global.{SONNET}"),
        (f"us-gov.{SONNET}", f"us-gov.{SONNET}"),
        (f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{SONNET}", f"us.{SONNET}"),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}", SONNET),
        (SONNET, SONNET),
    ],
)
def test_ids_profiles_and_arns(model_id: str, key: str) -> None:
    found = ModelTable().find(model_id)
    assert (found.model.id, found.key) == (SONNET, key)


@pytest.mark.parametrize(
    "model_id",
    [f"global.{SONNET}", f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{SONNET}"],
)
def test_boto3_reaches_a_model_by_profile_and_by_arn(client: Any, double: BedrockDouble, model_id: str) -> None:
    assert client.converse(modelId=model_id, messages=HELLO)["stopReason"] == "end_turn"
    assert double.calls[-1].model == model_id


@pytest.mark.parametrize("model_id", [SONNET, f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}"])
def test_a_bare_id_needs_a_profile(client: Any, model_id: str) -> None:
    with pytest.raises(client.exceptions.ValidationException, match=f"on-demand throughput.*such as global.{SONNET}"):
        client.converse(modelId=model_id, messages=HELLO)


def test_an_unknown_model_names_the_known_ones_nearest_first(client: Any) -> None:
    with pytest.raises(client.exceptions.ValidationException) as caught:
        client.converse(modelId="us.anthropic.claude-haiku-5", messages=HELLO)
    message = caught.value.response["Error"]["Message"]
    assert message.startswith("The provided model identifier is invalid. The simulated models are, nearest first: ")
    assert message.split("first: ")[1].startswith("anthropic.claude-haiku-5-5, ")
    assert all(model.id in message for model in MODELS)


def test_an_unknown_profile_is_no_model(client: Any) -> None:
    with pytest.raises(client.exceptions.ValidationException, match="model identifier is invalid"):
        client.converse(modelId=f"mars.{SONNET}", messages=HELLO)


def test_an_unknown_arn_is_not_found(client: Any) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="does not exist") as caught:
        client.converse(modelId=arn, messages=HELLO)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_own_models_replace_the_table() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
    own = [SimulatedModel(id=arn), SimulatedModel(id="acme.tiny-v1:0", on_demand=True)]
    with BedrockDouble(models=own) as double:
        client = double.client()
        for model in own:
            assert client.converse(modelId=model.id, messages=HELLO)["stopReason"] == "end_turn"
        with pytest.raises(ClientError, match="nearest first"):
            client.converse(modelId=f"global.{SONNET}", messages=HELLO)
        client.close()


def test_a_double_without_models_says_so() -> None:
    with pytest.raises(BedrockError, match="nearest first: none"):
        ModelTable([]).find("anything")
