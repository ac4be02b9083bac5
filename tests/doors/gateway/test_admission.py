"""Keys and limits at a real server, with the providers' own clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import boto3
import openai
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.doors.gateway.access.support import key
from tests.doors.gateway.support import (
    ANTHROPIC,
    BEDROCK,
    OPENAI,
    Served,
    Upstreams,
    admission_of,
    served,
    settings_text,
)
from turnout.classify.keyword import KeywordClassifier
from turnout.doors.gateway.access.keys import NewKey
from turnout.testing.completions import Fault

ALL = (OPENAI[0], ANTHROPIC[0], BEDROCK[0], OPENAI[1], ANTHROPIC[1], BEDROCK[1])
ASKED: list[Any] = [{"role": "user", "content": "What are your opening hours?"}]
CHAT = {"model": "turnout", "messages": ASKED, "max_tokens": 100}

FREE = key("free", signing=True)
NARROW = key("narrow", models=("openai/gpt-5",), route="economy")
ONCE = key("once", requests_per_minute=1)
TOKENS = key("tokens", tokens_per_minute=40)
ONE = key("one", concurrent_requests=1)
POOR = key("poor", budget_day_usd=Decimal("0.02"))
POORER = key("poorer", budget_day_usd=Decimal("0.000001"))


@pytest.fixture(scope="module")
def running(doubles: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    admission = admission_of(FREE, NARROW, ONCE, TOKENS, ONE, POOR, POORER)
    text = settings_text(doubles, *ALL)
    with served(tmp_path_factory.mktemp("gateway"), text, admission=admission, classifier=KeywordClassifier()) as found:
        yield found


def bearer(made: NewKey) -> dict[str, str]:
    return {"authorization": f"Bearer {made.token}"}


def chat(gateway: Served, made: NewKey, **changed: Any) -> Any:
    with gateway.http() as client:
        return client.post("/v1/chat/completions", json={**CHAT, **changed}, headers=bearer(made))


def test_no_key_gets_nowhere_but_to_health(gateway: Served, doubles: Upstreams) -> None:
    with gateway.http() as client:
        for path in ("/v1/chat/completions", "/v1/messages", "/model/turnout/converse", "/v1/route", "/nowhere"):
            answer = client.post(path, content=b"{")
            assert answer.status_code == (403 if path.startswith("/model") else 401), path
        for path in ("/v1/models", "/metrics"):
            assert client.get(path).status_code == 401
        assert client.get("/v1/models", headers={"x-api-key": "tk-00000000-" + "x" * 43}).status_code == 401
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    assert gateway.events.events == []
    assert not doubles.openai.calls


def test_the_providers_clients_show_keys(gateway: Served) -> None:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=FREE.token, max_retries=0) as client:
        assert client.chat.completions.create(model="turnout", messages=ASKED).choices[0].message.content
    with anthropic.Anthropic(base_url=gateway.url, api_key=FREE.token, max_retries=0) as other:
        assert other.messages.create(model="turnout", max_tokens=9, messages=ASKED).content
    with anthropic.Anthropic(base_url=gateway.url, auth_token=FREE.token, max_retries=0) as other:
        assert other.messages.create(model="turnout", max_tokens=9, messages=ASKED).content
    assert {call.key_id for call in gateway.events.calls} == {FREE.stored.id}
    assert {call.session_id.partition(":")[0] for call in gateway.events.calls} == {FREE.stored.id}


def test_wrong_keys_are_the_clients_own_errors(gateway: Served) -> None:
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-x", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key="sk-x", max_retries=0) as other,
        pytest.raises(anthropic.AuthenticationError),
    ):
        other.messages.create(model="turnout", max_tokens=9, messages=ASKED)


def bedrock(url: str, **options: Any) -> Any:
    config = Config(retries={"total_max_attempts": 1}, proxies={})
    return boto3.Session(region_name="eu-west-1", **options.pop("credentials", {})).client(
        "bedrock-runtime", endpoint_url=url, config=config, **options
    )


def pair(made: NewKey) -> dict[str, str]:
    assert made.stored.signing is not None
    return {
        "aws_access_key_id": made.stored.signing.access_key_id,
        "aws_secret_access_key": made.stored.signing.secret,
    }


def test_boto3_signs(gateway: Served) -> None:
    content = [{"role": "user", "content": [{"text": "Grüße"}]}]
    client = bedrock(gateway.url, credentials=pair(FREE))
    try:
        assert client.converse(modelId="turnout/quality", messages=content)["output"]
        stream = client.converse_stream(modelId="turnout", messages=content)["stream"]
        assert any("contentBlockDelta" in event for event in stream)
    finally:
        client.close()
    client = bedrock(gateway.url, credentials={**pair(FREE), "aws_secret_access_key": "another"})
    try:
        with pytest.raises(ClientError, match="AccessDenied"):
            client.converse(modelId="turnout", messages=content)
    finally:
        client.close()
    assert {call.key_id for call in gateway.events.calls} == {FREE.stored.id}


def test_boto3_shows_a_bearer_key_over_tls(
    doubles: Upstreams, tmp_path: Path, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", FREE.token)
    content = [{"role": "user", "content": [{"text": "hi"}]}]
    admission = admission_of(FREE, tls="own")
    with served(tmp_path, settings_text(doubles, *BEDROCK), admission=admission, tls=certificate) as gateway:
        client = bedrock(gateway.url, verify=str(certificate[0]))
        try:
            assert client.converse(modelId="turnout", messages=content)["output"]
            stream = client.converse_stream(modelId="turnout", messages=content)["stream"]
            assert any("metadata" in event for event in stream)
        finally:
            client.close()
        assert {call.key_id for call in gateway.events.calls} == {FREE.stored.id}


class TestWhatAKeyMayDo:
    def test_models(self, gateway: Served) -> None:
        assert chat(gateway, NARROW).headers["x-turnout-model"] == "openai/gpt-5"
        assert chat(gateway, FREE).headers["x-turnout-model"] == "openai/gpt-5-mini"
        for changed in ({"model": "openai/gpt-5-mini"}, {"metadata": {"turnout_pin": "gpt-5-mini"}}):
            refused = chat(gateway, NARROW, **changed)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_allowed")
        with gateway.http() as client:
            shown = client.get("/v1/models", headers=bearer(NARROW)).json()["data"]
            assert [one["id"] for one in shown if "/" in one["id"] and not one["id"].startswith("turnout")] == [
                "openai/gpt-5"
            ]
            route = client.post("/v1/route", json=CHAT, headers=bearer(NARROW)).json()
            assert [one["model"] for one in route["candidates"]] == ["openai/gpt-5"]
            asked = {"model": "turnout", "max_tokens": 1, "messages": ASKED}
            served = client.post("/v1/messages", json=asked, headers=bearer(NARROW))
            assert served.headers["x-turnout-model"] == "openai/gpt-5"
            refused = client.post(
                "/v1/messages/count_tokens", json={"model": "turnout", "messages": ASKED}, headers=bearer(NARROW)
            )
            assert refused.json()["error"]["details"]["error_code"] == "no_candidate"

    def test_the_route(self, gateway: Served) -> None:
        chat(gateway, NARROW)
        chat(gateway, FREE)
        bars = {
            (decision.given.policy.simple_bar, decision.given.policy.quality_bar)
            for decision in gateway.events.decisions
        }
        assert len(bars) == 2

    def test_requests_a_minute(self, gateway: Served) -> None:
        assert chat(gateway, ONCE).status_code == 200
        refused = chat(gateway, ONCE)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "requests_per_minute")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert len(gateway.events.decisions) == 1

    def test_tokens_a_minute(self, gateway: Served) -> None:
        assert chat(gateway, TOKENS).status_code == 200
        refused = chat(gateway, TOKENS)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "tokens_per_minute")
        assert int(refused.headers["retry-after"]) >= 1

    def test_requests_at_once(self, gateway: Served, doubles: Upstreams) -> None:
        doubles.openai.faults.add(Fault(delay_s=1, after_events=2))
        stream = {**CHAT, "stream": True}
        with (
            gateway.http() as client,
            client.stream("POST", "/v1/chat/completions", json=stream, headers=bearer(ONE)),
        ):
            assert chat(gateway, ONE).json()["error"]["code"] == "concurrent_requests"
        assert chat(gateway, ONE).status_code in (200, 429)

    def test_a_budget_is_kept_before_money_is_spent(self, gateway: Served) -> None:
        answer = chat(gateway, POOR)
        assert answer.status_code == 200
        # The whole output limit of ten answers at once does not fit, though they would be short.
        refused = chat(gateway, POOR, n=10, max_tokens=4_000)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "over_budget")
        assert chat(gateway, POOR).status_code == 200
        refused = chat(gateway, POORER)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "over_budget")
        spent = gateway.gateway.admission.limits.spent(POOR.stored.id, gateway.gateway.admission.now_ms())
        calls = [call for call in gateway.events.calls if call.key_id == POOR.stored.id]
        assert spent.day_pico == sum(max(call.cost_high_pico, call.cost.total_pico) for call in calls) > 0

    def test_a_retry_that_does_not_fit_is_not_made(self, gateway: Served, doubles: Upstreams) -> None:
        doubles.openai.faults.add(Fault(drop=True), times=9)
        answer = chat(gateway, POOR, max_tokens=1_500, model="openai/gpt-5")
        assert answer.status_code in (502, 504, 429)
        # What came of the first call is not known, so it counts with the most that it can have cost.
        assert len(doubles.openai.calls) == 1

    def test_limits_of_other_doors_have_their_shape(self, gateway: Served) -> None:
        messages = {"model": "turnout", "max_tokens": 10, "messages": ASKED}
        with gateway.http() as client:
            refused = client.post("/v1/messages", json=messages, headers=bearer(POORER))
        assert refused.json()["error"]["type"] == "permission_error"
        assert json.loads(refused.content)["error"]["details"]["error_code"] == "over_budget"


def test_sessions_of_one_key_are_not_another_ones(gateway: Served) -> None:
    for made in (FREE, NARROW):
        chat(gateway, made, metadata={"turnout_session": "s"})
    assert [call.session_id for call in gateway.events.calls] == [f"{made.stored.id}:s" for made in (FREE, NARROW)]
