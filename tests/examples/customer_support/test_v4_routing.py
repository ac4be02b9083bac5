"""The routed agent: what v4 adds to v3, and that its file is an entry point."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from examples.customer_support import v4_routing as v4
from examples.customer_support.models import PAIRS, Models, policy_of
from examples.customer_support.tools import SupportTools
from examples.customer_support.v3_prompt_caching import cached_prompt
from tests.examples.customer_support.support import ByWord, Events

CHEAP, CAPABLE = PAIRS["4.5"].cheap, PAIRS["4.5"].capable


async def test_each_question_goes_where_the_classifier_says(models: Models, tools: SupportTools) -> None:
    events = Events()
    model = v4.build_model(models, policy_of(PAIRS["4.5"]), ByWord(), recorder=events, simulated=True)
    simple = v4.new_agent(model, tools).invoke_async("What are your hours?")
    hard = v4.new_agent(model, tools).invoke_async("My printer is stuck, and I want to return it")
    await asyncio.gather(simple, hard)
    opened = {event.given.verdict.label: event.decision.model for event in events.decisions if event.given.verdict}
    assert opened == {"simple": CHEAP, "complex": CAPABLE}
    assert {call.status for call in events.calls} == {"ok"}


def test_the_agent_is_v3s_by_another_name(models: Models, tools: SupportTools) -> None:
    agent = v4.new_agent(v4.build_model(models, policy_of(PAIRS["4.5"]), None), tools)
    assert agent.name == v4.NAME
    assert agent.system_prompt == "".join(block.get("text", "") for block in cached_prompt())
    assert sorted(agent.tool_names) == ["get_product_info", "get_return_policy", "get_technical_support", "web_search"]


def test_the_file_is_an_entry_point_for_agentcore() -> None:
    # An address that it must not listen at: the command is reached, and says so in its one line.
    done = subprocess.run(
        [sys.executable, "-m", "examples.customer_support.v4_routing", "--host", "192.0.2.1"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        env=dict(os.environ),
    )
    assert done.returncode == 2
    assert done.stderr.startswith("turnout: --host 192.0.2.1 lets other machines ask the agent")
