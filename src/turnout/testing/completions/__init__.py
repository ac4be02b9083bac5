"""Doubles of OpenAI (Chat Completions, Responses) and Anthropic (Messages): simulated models, scripted faults.

They listen on loopback and import nothing of Turnout. `OpenAIDouble` and `AnthropicDouble` answer the providers' own
SDKs, plain and streamed, with tools and images, and keep each call as it came in, byte by byte. Known limitations:
there is no prompt cache; the cached tokens of a usage report are what a test says they are (`Tokens`).
"""

from turnout.testing.completions.anthropic_messages import AnthropicDouble
from turnout.testing.completions.base import Call
from turnout.testing.completions.faults import Fault
from turnout.testing.completions.openai_chat import OpenAIDouble
from turnout.testing.completions.saying import Said, Tokens, ToolCall

__all__ = ["AnthropicDouble", "Call", "Fault", "OpenAIDouble", "Said", "Tokens", "ToolCall"]
