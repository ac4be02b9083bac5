"""LangChain's chat models: tools bound, a result brought, and a stream, by each of its three packages."""

import os
import sys

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool

URL = os.environ["GATEWAY"]
NAME = os.environ.get("MODEL", "turnout")


@tool
def weather(place: str) -> str:
    """Looks up the weather."""
    return "fine"


def model(kind: str):
    if kind == "anthropic":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(model_name=NAME, base_url=URL, api_key="client-key", max_tokens=200)
    if kind == "bedrock":
        from langchain_aws import ChatBedrockConverse

        return ChatBedrockConverse(
            model=NAME,
            provider="anthropic",
            endpoint_url=URL,
            region_name="eu-west-1",
            aws_access_key_id="client-id",
            aws_secret_access_key="client-secret",
        )
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=NAME, base_url=f"{URL}/v1", api_key="client-key", use_responses_api=kind == "responses")


chat = model(sys.argv[1]).bind_tools([weather])
asked = [HumanMessage("How is the weather in Berlin?")]
said = chat.invoke(asked)
print("called:", [(call["name"], call["args"]) for call in said.tool_calls])
results = [ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in said.tool_calls]
answer = chat.invoke([*asked, said, *results])
print("answer:", answer.text if isinstance(answer.text, str) else answer.text())
print("usage:", answer.usage_metadata)
pieces = list(model(sys.argv[1]).stream("And tomorrow?"))
print("streamed:", len(pieces), "pieces")
