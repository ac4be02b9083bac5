"""The Agents SDK of OpenAI: an agent with a tool, plain and streamed, by Chat Completions or by Responses."""

import asyncio
import os
import sys

from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI


@function_tool
def weather(place: str) -> str:
    """Looks up the weather."""
    print(f"tool: weather in {place}")
    return "fine"


async def main() -> None:
    set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=os.environ["GATEWAY"] + "/v1", api_key="client-key")
    kind = OpenAIResponsesModel if sys.argv[1:] == ["responses"] else OpenAIChatCompletionsModel
    agent = Agent(
        name="weather",
        instructions="Be brief.",
        tools=[weather],
        model=kind(model=os.environ.get("MODEL", "turnout"), openai_client=client),
    )
    result = await Runner.run(agent, "How is the weather in Berlin?")
    print("answer:", result.final_output)
    streamed = Runner.run_streamed(agent, "And tomorrow?")
    events = [event.type async for event in streamed.stream_events()]
    print("streamed:", len(events), "events:", streamed.final_output)
    usage = result.context_wrapper.usage
    print("usage:", usage.requests, usage.input_tokens, usage.output_tokens)


asyncio.run(main())
