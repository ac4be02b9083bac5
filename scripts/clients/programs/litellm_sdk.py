"""LiteLLM's SDK as a client: tools, their result, a stream, by its providers openai, anthropic and bedrock."""

import os
import sys

import litellm

URL = os.environ["GATEWAY"]
NAME = os.environ.get("MODEL", "turnout")
litellm.telemetry = False
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Looks up the weather.",
            "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
        },
    }
]


def options(kind: str) -> dict:
    if kind == "bedrock":
        return {
            "model": f"bedrock/converse/{NAME}",
            "allowed_openai_params": ["tools"],  # it knows of Bedrock's models by name which take tools
            "aws_bedrock_runtime_endpoint": URL,
            "aws_region_name": "eu-west-1",
            "aws_access_key_id": "client-id",
            "aws_secret_access_key": "client-secret",
        }
    if kind == "anthropic":
        return {"model": f"anthropic/{NAME}", "api_base": URL, "api_key": "client-key", "max_tokens": 200}
    return {"model": f"openai/{NAME}", "api_base": f"{URL}/v1", "api_key": "client-key"}


asked = [{"role": "user", "content": "How is the weather in Berlin?"}]
chosen = options(sys.argv[1])
said = litellm.completion(messages=asked, tools=TOOLS, **chosen).choices[0].message
print("called:", [(call.function.name, call.function.arguments) for call in said.tool_calls])
results = [{"role": "tool", "tool_call_id": call.id, "content": "fine"} for call in said.tool_calls]
answer = litellm.completion(messages=[*asked, said.model_dump(), *results], tools=TOOLS, **chosen)
print("answer:", answer.choices[0].message.content)
print("usage:", answer.usage.prompt_tokens, answer.usage.completion_tokens)
pieces = [chunk.choices[0].delta.content or "" for chunk in litellm.completion(messages=asked, stream=True, **chosen)]
print("streamed:", len(pieces), "pieces:", "".join(pieces))
