"""The cache point that a decision places, in bodies that are relayed and in those that are translated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doors.gateway.support import ANTHROPIC, BEDROCK, OPENAI, Served, Upstreams, served, settings_text

LONG = "A rule of the shop that is longer than any floor of a cache, in many words. " * 600
ASKED: list[Any] = [{"role": "user", "content": "How is the weather?"}]
SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}}
TOOLS: list[Any] = [{"name": name, "description": LONG, "input_schema": SCHEMA} for name in ("weather", "time")]
POINT = re.compile(
    rb',?\{"cachePoint":\{"type":"default"(,"ttl":"1h")?\}\}|,"cache_control":\{"type":"ephemeral"(,"ttl":"1h")?\}'
)


@pytest.fixture(scope="module")
def filling(doubles: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    extra = '[policy]\nmarkers = "fill"\n'
    candidates = settings_text(doubles, OPENAI[0], ANTHROPIC[1], BEDROCK[1])
    with served(tmp_path_factory.mktemp("filling"), extra + candidates) as found:
        yield found


@pytest.fixture
def gateway(filling: Served, doubles: Upstreams) -> Served:
    doubles.clear()
    filling.events.events.clear()
    return filling


def claude(gateway: Served, doubles: Upstreams, **body: Any) -> dict[str, Any]:
    """What Anthropic's double was sent."""
    with gateway.anthropic() as client:
        client.messages.create(**{"model": ANTHROPIC[1], "max_tokens": 50, "messages": ASKED, **body})
    (call,) = doubles.anthropic.calls
    return dict(json.loads(call.body))


def test_after_a_system_of_one_text(gateway: Served, doubles: Upstreams) -> None:
    sent = claude(gateway, doubles, system=LONG, tools=TOOLS)
    assert sent["system"] == [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
    assert sent["tools"] == TOOLS
    (decision,) = gateway.events.decisions
    assert decision.decision.cache_plan.origin == "fill"
    (call,) = gateway.events.calls
    assert call.usage.cache_read_tokens + call.usage.cache_write_5m_tokens > 10_000


def test_nothing_else_of_the_body_changes(gateway: Served, doubles: Upstreams) -> None:
    text = json.dumps(LONG)
    data = (
        f'{{ "model":"{ANTHROPIC[1]}" , "system" : [ {{"text": {text} ,"type":"text" }} ] ,'
        f'"max_tokens":50,"temperature":5e-1, "messages":[{{"content":"H\\u0069","role":"user"}}]}}'
    ).encode()
    answer = httpx.post(
        f"{gateway.url}/v1/messages", content=data, headers={"anthropic-version": "2023-06-01"}, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    (call,) = doubles.anthropic.calls
    assert POINT.search(call.body)
    wanted = data.replace(ANTHROPIC[1].encode(), b"claude-sonnet-4-6")
    assert POINT.sub(b"", call.body) == wanted


def test_after_the_last_tool_without_a_system(gateway: Served, doubles: Upstreams) -> None:
    sent = claude(gateway, doubles, tools=TOOLS)
    assert sent["tools"] == [TOOLS[0], {**TOOLS[1], "cache_control": {"type": "ephemeral"}}]


@pytest.mark.parametrize(
    "body",
    [
        {"system": [{"type": "text", "text": LONG}, {"type": "text", "text": " "}]},
        {"tools": [TOOLS[0], {**TOOLS[1], "defer_loading": True}]},
        {"system": LONG, "cache_control": {"type": "ephemeral"}},
        {"system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
        {"messages": [{"role": "user", "content": "No head at all."}]},
    ],
)
def test_where_none_may_stand_the_body_is_the_clients(
    gateway: Served, doubles: Upstreams, body: dict[str, Any]
) -> None:
    sent = claude(gateway, doubles, **body)
    assert {name: sent[name] for name in body} == body


@pytest.mark.parametrize("with_system", [True, False])
def test_bedrock(gateway: Served, doubles: Upstreams, with_system: bool) -> None:
    spec = {"toolSpec": {"name": "weather", "description": LONG, "inputSchema": {"json": SCHEMA}}}
    system = {"system": [{"text": LONG}]} if with_system else {}
    with gateway.bedrock() as client:
        client.converse(
            modelId=BEDROCK[1],
            messages=[{"role": "user", "content": [{"text": "How is the weather?"}]}],
            toolConfig={"tools": [spec]},
            **system,
        )
    (call,) = doubles.bedrock.calls
    point = {"cachePoint": {"type": "default"}}
    if with_system:
        assert call.request["system"] == [{"text": LONG}, point]
        assert call.request["toolConfig"]["tools"] == [spec]
    else:
        assert call.request["toolConfig"]["tools"] == [spec, point]
    usage = gateway.events.calls[0].usage
    assert usage.cache_read_tokens + usage.cache_write_5m_tokens > 10_000


def test_in_a_body_that_is_translated(gateway: Served, doubles: Upstreams) -> None:
    asked: list[Any] = [{"role": "system", "content": LONG}, {"role": "user", "content": "Hello."}]
    with gateway.openai() as client:
        for model in (ANTHROPIC[1], BEDROCK[1], OPENAI[0]):
            client.chat.completions.create(model=model, messages=asked)
    assert b'"cache_control"' in doubles.anthropic.calls[0].body
    assert doubles.bedrock.calls[0].request["system"][-1] == {"cachePoint": {"type": "default"}}
    assert not POINT.search(doubles.openai.calls[0].body)
    assert [one.decision.cache_plan.origin for one in gateway.events.decisions] == ["fill", "fill", "none"]


def test_an_hour_is_said(doubles: Upstreams, tmp_path: Path) -> None:
    doubles.clear()
    extra = '[policy]\nmarkers = "fill"\nfill_ttl = "1h"\n'
    with served(tmp_path, extra + settings_text(doubles, ANTHROPIC[1])) as found:
        sent = claude(found, doubles, system=LONG)
    assert sent["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
