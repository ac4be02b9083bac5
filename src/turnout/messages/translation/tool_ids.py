"""Ids of tool calls that every protocol takes back, in a history of any length."""

from __future__ import annotations

import re
from hashlib import blake2b

_GOOD = re.compile(r"(?:call|toolu|tooluse)_[A-Za-z0-9_-]{16,32}")


def tool_id(given: str, answer_id: str, index: int) -> str:
    """The id that a client is given.

    Anthropic and Bedrock take back letters, digits, ``_`` and ``-`` only, OpenAI 40 characters at most, and Anthropic
    no id twice in a request. What the providers draw fits; servers of one's own may number their calls from 0 in every
    answer.

    Args:
        given: As the provider calls it; may be empty.
        answer_id: What tells the answer from all others.
        index: The block's number in the answer.
    """
    if _GOOD.fullmatch(given) and len(given) <= 40:
        return given
    return "call_" + blake2b(f"{answer_id}/{index}/{given}".encode(), digest_size=12).hexdigest()
