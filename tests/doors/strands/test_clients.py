from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from botocore.config import Config
from strands.models import BedrockModel
from strands.models.openai import OpenAIModel

from tests.doors.strands.support import CAPABLE, CATALOG, CHEAP, Events, bedrock, pair, routed
from turnout.core.catalog import Capabilities, Model
from turnout.doors.strands.clients import continues, own_retries, prepare, region_of, streams
from turnout.testing.bedrock import BedrockDouble


def with_retries(double: BedrockDouble, retries: dict[str, Any] | None) -> BedrockModel:
    config = None if retries is None else Config(retries=retries)  # type: ignore[arg-type]  # whatever a user writes
    return BedrockModel(model_id="m", boto_session=double.session(), endpoint_url=double.url, boto_client_config=config)


@pytest.mark.parametrize(
    ("retries", "says"),
    [
        ({"total_max_attempts": 1}, ""),
        # boto3 counts retries here, not calls.
        ({"max_attempts": 0}, ""),
        ({"max_attempts": 1}, "boto3 total_max_attempts=2"),
        ({"mode": "adaptive"}, "boto3 total_max_attempts=default"),
        (None, "boto3 total_max_attempts=default"),
    ],
)
def test_boto3s_own_retries_are_seen(double: BedrockDouble, retries: dict[str, Any] | None, says: str) -> None:
    model = with_retries(double, retries)
    assert own_retries(model) == says
    model.client.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [({"max_retries": 0}, ""), ({}, "max_retries=default"), ({"max_retries": 4}, "max_retries=4")],
)
def test_retries_of_an_sdk_are_seen_where_it_is_told_of_them(arguments: dict[str, Any], says: str) -> None:
    assert own_retries(OpenAIModel(client_args={"api_key": "none", **arguments}, model_id="m")) == says


def test_a_model_whose_client_retries_is_warned_of(double: BedrockDouble, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        prepare("p/quiet", bedrock(double, CHEAP))
        assert not caplog.text
        model = with_retries(double, None)
        prepare("p/loud", model)
    assert "model=<p/loud>, retries=<boto3 total_max_attempts=default>" in caplog.text
    model.client.close()


def test_what_cannot_be_seen_is_not_guessed() -> None:
    unknown: Any = SimpleNamespace(get_config=dict)
    prepare("p/m", unknown)
    assert (own_retries(unknown), region_of(unknown), streams(unknown)) == ("", "", True)


def test_caches_and_breakers_are_kept_by_region(double: BedrockDouble, events: Events) -> None:
    router = routed(double, events).routing.router
    assert region_of(bedrock(double, CHEAP)) == "us-east-1"
    assert router.scope_of(CHEAP).region == router.breaker_of(CHEAP).region == "us-east-1"
    assert (router.breaker_of(CAPABLE).model, len({router.breaker_of(one) for one in pair(double)})) == (CAPABLE, 2)


def capable_of(**capabilities: bool) -> Model:
    return msgspec.structs.replace(CATALOG[CHEAP], capabilities=Capabilities(**capabilities))


def test_a_model_continues_where_it_takes_prefill_and_does_not_think(double: BedrockDouble) -> None:
    plain = bedrock(double, CHEAP)
    thinking = bedrock(
        double, CHEAP, additional_request_fields={"thinking": {"type": "enabled", "budget_tokens": 1024}}
    )
    quiet = bedrock(double, CHEAP, additional_request_fields={"thinking": {"type": "disabled"}})
    assert continues(plain, capable_of(prefill=True))
    assert not continues(plain, capable_of(prefill=False))
    assert not continues(plain, capable_of(prefill=True, thinks_first=True))
    assert not continues(thinking, capable_of(prefill=True))
    assert continues(quiet, capable_of(prefill=True, thinks_first=True))
