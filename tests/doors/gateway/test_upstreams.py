"""Upstreams beside the three providers: Azure, servers of one's own, resellers with members of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.doors.gateway.support import Served, served
from turnout.testing.completions import Fault, OpenAIDouble

ASKED: list[Any] = [{"role": "user", "content": "hi"}]
PAIR = '[policy]\ncheap = "openai/gpt-5-mini"\ncapable = "openai/gpt-5"\n'
QUICK = "[calls]\nstall_seconds = 5\ndeadline_seconds = 10\nbase_backoff_seconds = 0.001\nmax_backoff_seconds = 0.002\n"


@pytest.fixture
def double() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as found:
        yield found


@contextmanager
def gateway(folder: Path, double: OpenAIDouble, upstream: str) -> Iterator[Served]:
    with served(folder, PAIR + QUICK + upstream.replace("URL", double.url)) as found:
        yield found


AZURE = """
[upstreams.azure]
provider = "openai"
protocol = "openai"
base_url = "URL/openai/v1/"
auth = "api_key"
key_env = "MY_OPENAI_KEY"
[upstreams.azure.models]
gpt-5 = "our-five"
"""


def test_azure(tmp_path: Path, double: OpenAIDouble) -> None:
    with gateway(tmp_path, double, AZURE) as found, found.openai() as client:
        raw = client.chat.completions.with_raw_response.create(model="turnout", messages=ASKED)
        with client.responses.stream(model="turnout", input="hi") as got:
            assert got.get_final_response().output_text
        client.responses.create(model="gpt-5-mini", input="hi")
    assert raw.headers["x-turnout-model"] == "openai/gpt-5"
    assert [(call.path, call.model) for call in double.calls] == [
        ("/openai/v1/chat/completions", "our-five"),
        ("/openai/v1/responses", "our-five"),
        ("/openai/v1/responses", "gpt-5-mini"),
    ]
    assert {call.headers["api-key"] for call in double.calls} == {"sk-up-openai"}
    assert not any("authorization" in call.headers for call in double.calls)


def test_azure_with_deployments_in_its_paths(tmp_path: Path, double: OpenAIDouble) -> None:
    older = AZURE.replace("/openai/v1/", "").replace("auth =", 'api_version = "2026-01-01"\nauth =')
    with gateway(tmp_path, double, older) as found, found.openai() as client:
        client.chat.completions.create(model="turnout", messages=ASKED, extra_query={"a": "b"})
        with pytest.raises(openai.BadRequestError, match="untranslatable:protocol"):
            client.responses.create(model="turnout", input="hi")
    (call,) = double.calls
    assert call.path == "/openai/deployments/our-five/chat/completions?api-version=2026-01-01&a=b"


@pytest.mark.parametrize("speaks", ["", 'speaks = ["chat", "responses"]'])
def test_a_server_of_ones_own_needs_no_key(tmp_path: Path, double: OpenAIDouble, speaks: str) -> None:
    double.needs_key = False
    text = f'[upstreams.vllm]\nprovider = "openai"\nprotocol = "openai"\nbase_url = "URL/v1"\n{speaks}'
    with gateway(tmp_path, double, text) as found, found.openai() as client:
        client.chat.completions.create(model="turnout", messages=ASKED)
        client.responses.create(model="turnout", input="hi")
    assert not any("authorization" in call.headers for call in double.calls)


def test_members_and_headers_of_a_reseller(tmp_path: Path, double: OpenAIDouble) -> None:
    text = """
    [upstreams.openai]
    base_url = "URL/v1"
    key_env = "MY_OPENAI_KEY"
    [upstreams.openai.headers]
    HTTP-Referer = "https://example.com"
    """
    extra = {"provider": {"order": ["a", "b"], "allow_fallbacks": False}, "transforms": ["middle-out"]}
    with gateway(tmp_path, double, text) as found, found.openai() as client:
        client.chat.completions.create(model="turnout", messages=ASKED, extra_body=extra)
    (call,) = double.calls
    assert {name: call.request[name] for name in extra} == extra
    assert call.headers["http-referer"] == "https://example.com"


def test_one_that_may_be_silent_for_longer_or_less_long(tmp_path: Path, double: OpenAIDouble) -> None:
    text = '[upstreams.openai]\nbase_url = "URL/v1"\nkey_env = "MY_OPENAI_KEY"\nstall_seconds = 0.7\n'
    double.faults.add(Fault(delay_s=30, after_events=0))
    with gateway(tmp_path, double, text) as found, found.openai() as client:
        chunks = list(client.chat.completions.create(model="turnout", messages=ASKED, stream=True))
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert [call.error for call in found.events.calls] == ["StalledError", ""]


def test_no_more_requests_at_once_than_it_takes(tmp_path: Path, double: OpenAIDouble) -> None:
    text = '[upstreams.openai]\nbase_url = "URL/v1"\nkey_env = "MY_OPENAI_KEY"\nmax_connections = 1\n'
    with gateway(tmp_path, double, text) as found, found.openai() as client:
        with client.chat.completions.create(model="turnout", messages=ASKED, stream=True) as first:
            next(iter(first))
        for _ in range(3):
            client.chat.completions.create(model="turnout", messages=ASKED)
    assert len(double.calls) == 4


@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        ("openai_responses", {"model": "turnout", "input": "hi"}),
        ("openai_chat", {"model": "turnout", "messages": ASKED}),
        ("invoke", {"anthropic_version": "v", "max_tokens": 9, "messages": ASKED}),
    ],
)
def test_what_would_be_decided_of_a_body_of_any_door(
    tmp_path: Path, double: OpenAIDouble, protocol: str, body: dict[str, Any]
) -> None:
    text = '[upstreams.openai]\nbase_url = "URL/v1"\nkey_env = "MY_OPENAI_KEY"\n'
    with gateway(tmp_path, double, text) as found, found.http() as client:
        answer = client.post(f"/v1/route?protocol={protocol}", content=json.dumps(body))
    assert answer.json()["model"] == "openai/gpt-5"
    assert not double.calls
