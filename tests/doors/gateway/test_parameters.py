"""Requests as Claude Code writes them: they go to the models that take them, and to others only where they may change.

The doubles refuse what the real models refuse, so that a wrong decision is a 400 here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import AnthropicBedrock

from tests.doors.gateway.support import ANTHROPIC, BEDROCK, Served, Upstreams, served, settings_text
from turnout.classify.keyword import KeywordClassifier

ASKED: list[Any] = [{"role": "user", "content": "Hello."}]
BETA = "context-management-2025-06-27"
CLEARING = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
CLAUDE_CODE: dict[str, Any] = {
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "high"},
    "context_management": CLEARING,
}
CANDIDATES = (ANTHROPIC[0], BEDROCK[0], ANTHROPIC[1], BEDROCK[1])


@pytest.fixture(scope="module", params=[False, True], ids=["as it is", "adapted"])
def adapts(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def gateway(adapts: bool, doubles: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    # A bar that every candidate clears: the cheapest one serves, if it takes the request.
    text = f"[policy]\nadapt = {str(adapts).lower()}\nsimple_bar = 0.0\n" + settings_text(doubles, *CANDIDATES)
    with served(tmp_path_factory.mktemp("parameters"), text, classifier=KeywordClassifier()) as found:
        yield found


def by_anthropic(gateway: Served, model: str, **body: Any) -> str:
    with gateway.anthropic(default_headers={"anthropic-beta": BETA}) as client:
        raw = client.messages.with_raw_response.create(model=model, max_tokens=2_000, messages=ASKED, extra_body=body)
    return str(raw.headers["x-turnout-model"])


def by_bedrock(gateway: Served, model: str, **body: Any) -> str:
    with AnthropicBedrock(
        base_url=gateway.url, aws_region="eu-west-1", max_retries=0, aws_access_key="id", aws_secret_key="secret"
    ) as client:
        raw = client.messages.with_raw_response.create(
            model=model, max_tokens=2_000, messages=ASKED, extra_body={"anthropic_beta": [BETA]} | body
        )
    return str(raw.headers["x-turnout-model"])


def by_converse(gateway: Served, model: str, **body: Any) -> str:
    with gateway.bedrock() as client:
        answer = client.converse(
            modelId=model,
            messages=[{"role": "user", "content": [{"text": "Hello."}]}],
            inferenceConfig={"maxTokens": 2_000},
            additionalModelRequestFields={"anthropic_beta": [BETA]} | body,
        )
    return str(answer["ResponseMetadata"]["HTTPHeaders"]["x-turnout-model"])


DOORS = pytest.mark.parametrize(
    ("ask", "haiku", "sonnet"),
    [(by_anthropic, *ANTHROPIC), (by_bedrock, *BEDROCK), (by_converse, *BEDROCK)],
    ids=["anthropic", "invoke", "converse"],
)


@DOORS
def test_what_claude_code_sends_is_no_400(
    gateway: Served, adapts: bool, doubles: Upstreams, ask: Any, haiku: str, sonnet: str
) -> None:
    doubles.clear()
    assert ask(gateway, "turnout") in (ANTHROPIC[0], BEDROCK[0])  # the bar lets Haiku serve
    doubles.clear()
    served_by = ask(gateway, haiku if adapts else "turnout", **CLAUDE_CODE)
    double: Any = doubles.anthropic if haiku == ANTHROPIC[0] else doubles.bedrock
    (call,) = double.calls
    sent = call.request.get("additionalModelRequestFields") or call.request
    if adapts:
        assert served_by == haiku
        assert not CLAUDE_CODE.keys() & sent.keys()
    else:
        assert served_by == sonnet
        assert {name: sent[name] for name in CLAUDE_CODE} == CLAUDE_CODE


@DOORS
def test_a_budget_of_thinking_goes_to_either_and_is_never_dropped(
    gateway: Served, adapts: bool, doubles: Upstreams, ask: Any, haiku: str, sonnet: str
) -> None:
    thinking = {"type": "enabled", "budget_tokens": 1_024}
    for model in (haiku, sonnet):
        doubles.clear()
        assert ask(gateway, model, thinking=thinking) == model
        double: Any = doubles.anthropic if haiku == ANTHROPIC[0] else doubles.bedrock
        sent = double.calls[0].request
        assert (sent.get("additionalModelRequestFields") or sent)["thinking"] == thinking


def test_who_insists_on_a_model_that_refuses_is_told_in_words(gateway: Served, adapts: bool) -> None:
    with gateway.anthropic() as client, pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(
            model=ANTHROPIC[0], max_tokens=2_000, messages=ASKED, extra_body={"thinking": {"type": "between_tools"}}
        )
    assert "it rejects the parameter thinking.between_tools" in str(caught.value)
    (decision,) = [one for one in gateway.events.decisions if one.decision.model is None][-1:]
    assert caught.value.response.headers["x-turnout-request-id"] == decision.event_id
    assert caught.value.response.headers["x-turnout-reason"] == "pin_ineligible"
