"""pydantic-ai: an agent with a tool, plain and streamed, by each of its three providers."""

import asyncio
import os
import sys

import boto3
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.bedrock import BedrockProvider
from pydantic_ai.providers.openai import OpenAIProvider

URL = os.environ["GATEWAY"]
NAME = os.environ.get("MODEL", "turnout")


def model(kind: str):
    if kind == "anthropic":
        return AnthropicModel(NAME, provider=AnthropicProvider(api_key="client-key", base_url=URL))
    if kind == "bedrock":
        client = boto3.client(
            "bedrock-runtime",
            endpoint_url=URL,
            region_name="eu-west-1",
            aws_access_key_id="client-id",
            aws_secret_access_key="client-secret",
        )
        return BedrockConverseModel(NAME, provider=BedrockProvider(bedrock_client=client))
    openai = OpenAIProvider(base_url=f"{URL}/v1", api_key="client-key")
    return (OpenAIResponsesModel if kind == "responses" else OpenAIChatModel)(NAME, provider=openai)


async def main(kind: str) -> None:
    agent = Agent(model(kind), instructions="Be brief.")

    @agent.tool_plain
    def weather(place: str) -> str:
        """Looks up the weather."""
        print(f"tool: weather in {place}")
        return "fine"

    result = await agent.run("How is the weather in Berlin?")
    print("answer:", result.output)
    async with agent.run_stream("And tomorrow?") as streamed:
        pieces = [piece async for piece in streamed.stream_text(delta=True)]
    print("streamed:", len(pieces), "pieces:", "".join(pieces))
    usage = result.usage if not callable(result.usage) else result.usage()
    print("usage:", usage.requests, usage.input_tokens, usage.output_tokens)


asyncio.run(main(sys.argv[1]))
