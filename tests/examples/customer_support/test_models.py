from __future__ import annotations

from contextlib import closing

import msgspec
import pytest
from strands.models import BedrockModel
from strands.models.openai import OpenAIModel

from examples.customer_support.models import PAIRS, THINKING_TOKENS, Models, most_capable, policy_of
from tests.examples.customer_support.support import CATALOG, models_of
from turnout.core.catalog import Catalog, UnknownModelError
from turnout.testing.bedrock import BedrockDouble
from turnout.upstream.local.strands_model import DEFAULT_MAX_TOKENS, LocalModel


def test_the_pairs_are_in_the_catalog_and_the_capable_one_ranks_higher() -> None:
    for pair in PAIRS.values():
        assert CATALOG[pair.cheap].price.tiers[0].input_pico < CATALOG[pair.capable].price.tiers[0].input_pico
        assert most_capable(policy_of(pair)) == pair.capable


def test_a_model_that_takes_a_temperature_gets_it(double: BedrockDouble) -> None:
    with closing(models_of(double)) as models:
        config = models(PAIRS["4.5"].cheap, max_tokens=800, temperature=0.2).get_config()
    assert (config["max_tokens"], config["temperature"]) == (800, 0.2)


def test_a_model_that_rejects_a_temperature_and_thinks_first_gets_room_instead(double: BedrockDouble) -> None:
    with closing(models_of(double)) as models:
        config = models(PAIRS["5.5"].cheap, max_tokens=800, temperature=0.2).get_config()
    assert config["max_tokens"] == 800 + THINKING_TOKENS
    assert "temperature" not in config


def test_without_settings_nothing_is_set(models: Models) -> None:
    config = models(PAIRS["4.5"].capable).get_config()
    assert "max_tokens" not in config
    assert "temperature" not in config


def test_a_limit_stays_below_the_models_own(double: BedrockDouble) -> None:
    small = msgspec.structs.replace(CATALOG[PAIRS["4.5"].cheap], max_output_tokens=100)
    with closing(Models(Catalog.of([small]), endpoint_url=double.url, boto_session=double.session())) as models:
        assert models(small.id, max_tokens=800).get_config()["max_tokens"] == 100


def test_boto3_does_not_retry(models: Models) -> None:
    model = models(PAIRS["4.5"].cheap)
    assert isinstance(model, BedrockModel)
    assert model.client.meta.config.retries["total_max_attempts"] == 1


def test_a_region_goes_to_the_client() -> None:
    with closing(Models(CATALOG, region="eu-central-1")) as models:
        model = models(PAIRS["4.5"].cheap)
        assert isinstance(model, BedrockModel)
        assert model.client.meta.region_name == "eu-central-1"


def test_an_openai_compatible_model_is_asked_at_its_address() -> None:
    served = msgspec.structs.replace(CATALOG[PAIRS["4.5"].cheap], id="openai/mine", provider="openai", model_id="mine")
    models = Models(Catalog.of([served]), openai_base_url="http://127.0.0.1:9/v1")
    model = models("openai/mine", max_tokens=50, temperature=0.5)
    assert isinstance(model, OpenAIModel)
    assert model.client_args == {"base_url": "http://127.0.0.1:9/v1", "api_key": "none", "max_retries": 0}
    assert model.get_config()["params"] == {"max_tokens": 50, "temperature": 0.5}


def test_the_local_model_answers_briefly() -> None:
    local = next(model for model in CATALOG.models if model.provider == "local")
    model = Models(CATALOG)(local.id, max_tokens=800, temperature=0.2)
    assert isinstance(model, LocalModel)
    assert model.get_config()["max_tokens"] == DEFAULT_MAX_TOKENS


def test_an_unknown_model_or_provider_is_named() -> None:
    with pytest.raises(UnknownModelError, match="nearest known one"):
        Models(CATALOG)("bedrock/global.anthropic.claude-haiku-9")
    strange = msgspec.structs.replace(CATALOG[PAIRS["4.5"].cheap], id="carrier/pigeon", provider="carrier")
    with pytest.raises(ValueError, match="unknown provider 'carrier'"):
        Models(Catalog.of([strange]))("carrier/pigeon")
