from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from strands import Agent

from tests.doors.gateway.support import OPENAI, served, settings_text, upstreams
from tests.doors.strands.support import Events, get_price, routed
from turnout.config import load_settings
from turnout.evaluate.collect.facts import facts_of
from turnout.evaluate.collect.requests import read_requests
from turnout.testing.bedrock import BedrockDouble, Rule, RuleResponder
from turnout.trace.spans.otlp import configure_tracing
from turnout.trace.spans.texts import TextFile
from turnout.trace.store.ledger import Ledger

RULES = RuleResponder([Rule(pattern="price of (?P<product>\\w+)", tool="get_price", input={"product": "{product}"})])


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.usefixtures("fresh")
def test_what_an_agent_was_asked_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "turnout.toml"
    path.write_text('record_text = true\ntexts = "kept/texts.jsonl"\n')
    settings = load_settings(path)
    assert settings.texts is not None
    tracing = configure_tracing(settings, redact=[lambda text: text.replace("Ada", "[name]")], set_global=False)
    assert tracing is not None
    events = Events()
    with BedrockDouble(RULES) as double:
        model = routed(double, events)
        agent = Agent(model=model, tools=[get_price], callback_handler=None, system_prompt="You answer for a shop.")
        agent("I am Ada. What is the price of tea?")
    tracing.close()
    assert stat.S_IMODE(settings.texts.stat().st_mode) == 0o600
    first, second = written(settings.texts)
    assert [line["id"] for line in (first, second)] == [call.event_id for call in events.calls]
    assert first["turn"] == second["turn"] == events.calls[0].turn_id
    assert first["group"] == events.calls[0].session_id
    assert first["model"] == events.calls[0].model
    assert first["conversation"] == {
        "system": [{"text": "You answer for a shop."}],
        "messages": [{"role": "user", "content": [{"text": "I am [name]. What is the price of tea?"}]}],
    }
    assert first["tools"][0]["name"] == "get_price"
    assert first["answer"][-1]["toolUse"]["name"] == "get_price"
    asked, loop = (request for _, request in read_requests(settings.texts))
    assert asked.answer is not None
    assert asked.answer.endswith('get_price({"product":"tea"})')
    assert (asked.in_tool_loop, loop.in_tool_loop) == (False, True)
    assert loop.answer
    assert "incomplete" not in first | second


@pytest.mark.usefixtures("fresh")
def test_what_is_missing_is_named(tmp_path: Path) -> None:
    def fails(text: str) -> str:
        if "secret" in text:
            raise ValueError
        return text

    file = TextFile(tmp_path / "texts.jsonl")
    tracing = configure_tracing(None, exporters=[file], set_global=False)
    assert tracing is not None
    tracing.close()
    path = tmp_path / "turnout.toml"
    path.write_text('record_text = true\ntexts = "texts.jsonl"\n')
    tracing = configure_tracing(load_settings(path), redact=[fails], set_global=False)
    assert tracing is not None
    image: Any = {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}}
    with BedrockDouble() as double:
        Agent(model=routed(double, Events()), callback_handler=None)([image, {"text": "a secret"}])
    tracing.close()
    [line] = written(file.path)
    assert line["incomplete"] == "a text whose redaction failed, image"


@pytest.mark.usefixtures("fresh")
def test_without_recording_there_is_no_file(tmp_path: Path) -> None:
    file = TextFile(tmp_path / "texts.jsonl")
    tracing = configure_tracing(None, exporters=[file], set_global=False)
    assert tracing is not None
    with BedrockDouble() as double:
        Agent(model=routed(double, Events()), callback_handler=None)("hello")
    tracing.close()
    assert not file.path.exists()
    assert file.force_flush()


@pytest.mark.usefixtures("fresh")
def test_a_file_alone_records_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "turnout.toml"
    path.write_text('texts = "texts.jsonl"\n')
    assert configure_tracing(load_settings(path), set_global=False) is None
    assert "record_text is off: no prompt and no answer is kept" in caplog.text


@pytest.mark.usefixtures("fresh")
def test_a_place_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "taken").touch()
    path = tmp_path / "turnout.toml"
    path.write_text('record_text = true\ntexts = "taken/texts.jsonl"\n')
    tracing = configure_tracing(load_settings(path), set_global=False)
    assert tracing is not None
    with BedrockDouble() as double:
        Agent(model=routed(double, Events()), callback_handler=None)("hello")
    tracing.close()
    assert "prompts and answers were not kept" in caplog.text


@pytest.mark.usefixtures("fresh")
def test_calls_of_the_gateway_are_kept(tmp_path: Path) -> None:
    tool: Any = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}
    path = tmp_path / "turnout.toml"
    path.write_text('record_text = true\ntexts = "texts.jsonl"\n')
    tracing = configure_tracing(load_settings(path), set_global=False)
    assert tracing is not None
    with upstreams() as doubles:
        text = settings_text(doubles, *OPENAI)
        with served(tmp_path, text) as gateway, gateway.openai() as client:
            messages: Any = [{"role": "user", "content": "Where is it?"}]
            raw = client.chat.completions.with_raw_response.create(model=OPENAI[0], messages=messages, tools=[tool])
            decision_id = raw.headers["x-turnout-request-id"]
            [call] = gateway.events.calls
            [decision] = gateway.events.decisions
    tracing.close()
    [line] = written(tmp_path / "texts.jsonl")
    assert line["id"] == call.event_id
    assert line["conversation"]["messages"] == [{"role": "user", "content": [{"text": "Where is it?"}]}]
    assert line["tools"] == [{"type": "function", "name": "find", "parameters": tool["function"]["parameters"]}]
    (use,) = line["answer"]
    assert use["toolUse"]["name"] == "find"
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        ledger.append([decision, call])
        [fact] = facts_of(ledger, {decision_id}, run=None, cheap=OPENAI[0]).values()
    assert fact.models == {OPENAI[0]}
