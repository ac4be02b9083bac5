from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from examples.customer_support.models import PAIRS
from examples.customer_support.options import AgentOptions
from examples.customer_support.serving import opened_service
from turnout.cli.errors import UserError
from turnout.doors.agentcore import AgentService, Limits
from turnout.doors.agentcore.payload import Question
from turnout.testing.bedrock import BedrockDouble
from turnout.trace.store.ledger import Ledger

PAIR = PAIRS["4.5"]
SIMULATED = AgentOptions(pairs=("4.5",))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, with a ledger of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNOUT_LEDGER", str(tmp_path / "ledger.sqlite3"))
    return tmp_path


async def ask(service: AgentService, prompt: str, session_id: str = "s1") -> dict[str, Any]:
    question = Question(prompt=prompt, session_id=session_id, stream=False, headers={})
    found = await service.begin(question).next()
    assert found is not None
    return found


async def test_the_routed_version_says_which_model_and_that_it_is_simulated(folder: Path) -> None:
    with opened_service(SIMULATED, limits=Limits(most_sessions=3)) as service:
        assert (service.limits.most_sessions, service.limits.max_prompt_chars) == (3, 200_000)
        answer = await ask(service, "What is the return policy for laptops?")
        await service.aclose()
    assert answer["label"].startswith("simulated models: ")
    assert (answer["model_used"], answer["simulated"]) == (PAIR.cheap, True)
    with Ledger(folder / "ledger.sqlite3", read_only=True) as ledger:
        assert {event.turn_id for event in ledger.decisions(run="agentcore-v4-simulated")} == {answer["turn_id"]}


async def test_a_version_that_does_not_route_has_one_model() -> None:
    with opened_service(SIMULATED, 3) as service:
        assert service.name == "customer-support-v3-prompt-caching"
        answer = await ask(service, "What is the return policy for laptops?")
        await service.aclose()
    assert (answer["model_used"], answer["decision"]["reason"]) == (PAIR.capable, "verdict_not_needed")


async def test_live_models_are_those_of_the_settings_and_carry_no_label(
    double: BedrockDouble, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", double.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "simulated")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "simulated")
    newer = PAIRS["5.5"]
    (folder / "turnout.toml").write_text(
        'region = "us-east-1"\nmax_prompt_chars = 500\n[policy]\n'
        f'cheap = "{newer.cheap}"\ncapable = "{newer.capable}"\n'
    )
    options = AgentOptions(mode="live", pairs=("4.5",))
    with opened_service(options, configured=True) as service:
        assert (service.label, service.limits.max_prompt_chars) == ("", 500)
        answer = await ask(service, "What are your hours?")
        await service.aclose()
    assert answer["model_used"] == newer.cheap
    assert "label" not in answer
    assert [call.model for call in double.calls] == [newer.cheap.removeprefix("bedrock/")]


def test_models_that_are_not_on_bedrock_are_not_simulated(folder: Path) -> None:
    (folder / "turnout.toml").write_text('[policy]\ncheap = "openai/gpt-5-mini"\ncapable = "openai/gpt-5"\n')
    with pytest.raises(UserError, match="is not on Bedrock and cannot be simulated"), ExitStack() as stack:
        stack.enter_context(opened_service(SIMULATED, configured=True))
