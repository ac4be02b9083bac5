"""The doubles, answered to by the providers' own clients."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

import turnout.testing.completions as room
from turnout.testing.completions import AnthropicDouble, Fault, OpenAIDouble, Said, Tokens

ASKED: list[Any] = [{"role": "user", "content": "hi"}]


def test_openai_plain_and_streamed() -> None:
    tokens = Tokens(fresh=10, read=7, output=3)
    with (
        OpenAIDouble(lambda request: Said(text="One two."), counter=lambda request, said: tokens) as double,
        openai.OpenAI(base_url=f"{double.url}/v1", api_key="k", max_retries=0) as client,
    ):
        answer = client.chat.completions.create(model="m", messages=ASKED)
        assert answer.choices[0].message.content == "One two."
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (17, 3)
        chunks = list(client.chat.completions.create(model="m", messages=ASKED, stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "One two."
        assert [call.tokens for call in double.calls] == [tokens, tokens]
        double.faults.add(Fault(status=429, retry_after_s=3))
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="m", messages=ASKED)
        double.faults.add(Fault(status=500, after_events=2))
        with pytest.raises(openai.APIError):
            list(client.chat.completions.create(model="m", messages=ASKED, stream=True))
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model="m", input="x")


def test_anthropic_plain_and_streamed() -> None:
    tokens = Tokens(fresh=10, read=7, write_5m=5, write_1h=4, output=3)
    with (
        AnthropicDouble(lambda request: Said(text="One two."), counter=lambda request, said: tokens) as double,
        anthropic.Anthropic(base_url=double.url, api_key="k", max_retries=0) as client,
    ):
        answer = client.messages.create(model="m", max_tokens=9, messages=ASKED)
        assert answer.usage.cache_creation is not None
        assert answer.usage.cache_creation.ephemeral_1h_input_tokens == 4
        assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (10, 7)
        with client.messages.stream(model="m", max_tokens=9, messages=ASKED) as got:
            assert got.get_final_text() == "One two."
        double.faults.add(Fault(status=529, after_events=3))
        with (
            pytest.raises(anthropic.APIStatusError),
            client.messages.stream(model="m", max_tokens=9, messages=ASKED) as got,
        ):
            got.get_final_text()
        double.faults.add(Fault(drop=True))
        with pytest.raises(anthropic.APIConnectionError):
            client.messages.create(model="m", max_tokens=9, messages=ASKED)


def test_faults_that_no_provider_has() -> None:
    with pytest.raises(ValueError, match="either an error, a dropped connection or damage"):
        Fault(status=500, drop=True)
    with pytest.raises(ValueError, match="not negative"):
        Fault(delay_s=-1)


def test_nothing_of_turnout_is_imported() -> None:
    assert room.__file__ is not None
    for file in Path(room.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert all(not name.startswith("turnout") or name.startswith("turnout.testing") for name in names)


def test_a_caller_that_leaves_a_slow_stream_is_noticed() -> None:
    with OpenAIDouble() as double, openai.OpenAI(base_url=f"{double.url}/v1", api_key="any", max_retries=0) as client:
        double.faults.add(Fault(delay_s=0.05, after_events=2, slow=True))
        with client.chat.completions.create(
            model="gpt-5", messages=[{"role": "user", "content": "Hello"}], stream=True
        ) as got:
            next(iter(got))
        (call,) = double.calls
        assert call.ended.wait(5)
        assert call.left
        assert 1 <= call.events < 14  # the second may be on its way when the caller is gone
