"""What is asked and what is answered in the gateway's benchmarks."""

from __future__ import annotations

import json
from typing import Any

EVENTS = 51
"""Events with content in one streamed answer."""

VARIANTS = 64
"""So many different questions are asked in turns: a memory of the very text must not make a gateway look fast."""

ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-5","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"%b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":120,'
    b'"completion_tokens":20,"total_tokens":140}}' % (b"word " * 60)
)
CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":'
    b'[{"index":0,"delta":{"content":"word "},"finish_reason":null}],"usage":null}\n\n'
)
LAST = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":'
    b'[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n'
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":[],'
    b'"usage":{"prompt_tokens":120,"completion_tokens":51,"total_tokens":171}}\n\ndata: [DONE]\n\n'
)


def chat(variant: int = 0, *, model: str = "turnout", stream: bool = False, tools: int = 0, words: int = 60) -> bytes:
    """A chat completion: about 0.5 KB, or 3.5 KB with eight tools and 80 words.

    Args:
        variant: Which of the questions.
        model: The model's name.
        stream: Whether the answer is to be streamed, with its usage.
        tools: How many tools it brings.
        words: How many words of filling the question has.
    """
    question = f"What are your opening hours in week {variant}? " + "word " * words
    asked: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "system", "content": "You are of help."}, {"role": "user", "content": question}],
    }
    if tools:
        described = {"type": "object", "properties": {name: {"type": "string"} for name in ("place", "day", "unit")}}
        asked["tools"] = [
            {"type": "function", "function": {"name": f"tool_{one}", "description": "d" * 180, "parameters": described}}
            for one in range(tools)
        ]
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(asked, separators=(",", ":")).encode()
