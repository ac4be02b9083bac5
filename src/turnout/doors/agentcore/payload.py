"""What a caller sends: bytes and headers in, a checked question out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import msgspec

SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
"""The header that the runtime names a session in."""

_SESSION = re.compile(r"[!-~]{1,256}")
"""What a session id may be: AWS takes 33 to 256 characters; here shorter ones serve too."""

_ENCODED_CHARACTER = 12
"""The most bytes that a character of a prompt takes in JSON: two escapes of six."""

_AROUND = 65_536
"""Bytes that a payload may hold beside its prompt."""


class PayloadError(ValueError):
    """A request that cannot be served as it is; the message is for the caller.

    Attributes:
        code: What the caller's program can tell it by.
    """

    def __init__(self, message: str, code: str = "invalid_payload") -> None:
        super().__init__(message)
        self.code = code


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One checked request.

    Attributes:
        prompt: What is asked.
        session_id: The session, or none where the request names none.
        stream: Whether the answer is wanted as server-sent events.
        headers: The request's headers, names in lower case.
    """

    prompt: str
    session_id: str | None
    stream: bool
    headers: Mapping[str, str]


def most_bytes(max_prompt_chars: int) -> int:
    """The longest body that can hold a prompt of so many characters."""
    return _ENCODED_CHARACTER * max_prompt_chars + _AROUND


def read_question(body: bytes, headers: Mapping[str, str], max_prompt_chars: int) -> Question:
    """Check a request.

    Args:
        body: JSON: an object with ``prompt`` and, where it likes, ``stream``; other keys are left alone.
        headers: Names in lower case. ``Accept: text/event-stream`` asks for streaming where the body does not say.
        max_prompt_chars: The longest prompt.

    Raises:
        PayloadError: The body is no JSON, has no prompt that can be asked, or the session id cannot be one.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise PayloadError("the body is not JSON", "invalid_json") from None
    prompt = read_prompt(payload, max_prompt_chars)
    stream = payload.get("stream")
    if stream is None:
        stream = accepts_events(headers.get("accept", ""))
    if not isinstance(stream, bool):
        raise PayloadError(f'"stream" must be true or false, got {type(stream).__name__}')
    session_id = headers.get(SESSION_HEADER.lower())
    if session_id is not None and not _SESSION.fullmatch(session_id):
        raise PayloadError(
            f"{SESSION_HEADER} must have 1 to 256 ASCII characters without blanks, got {len(session_id)} characters",
            "invalid_session",
        )
    return Question(prompt=prompt, session_id=session_id, stream=stream, headers=headers)


def read_prompt(payload: object, max_chars: int) -> str:
    """The prompt of a payload ``{"prompt": "..."}``; other keys are left alone.

    Raises:
        PayloadError: There is no prompt, or it is empty, too long or not text.
    """
    if not isinstance(payload, dict):
        raise PayloadError('the payload must be an object like {"prompt": "..."}')
    prompt = payload.get("prompt")
    if prompt is None:
        raise PayloadError('the payload has no "prompt"')
    if not isinstance(prompt, str):
        raise PayloadError(f'"prompt" must be text, got {type(prompt).__name__}')
    if not prompt.strip():
        raise PayloadError('"prompt" is empty')
    if len(prompt) > max_chars:
        raise PayloadError(f'"prompt" has {len(prompt):,} characters, at most {max_chars:,} are taken', "too_large")
    if "\0" in prompt or any("\ud800" <= character <= "\udfff" for character in prompt):
        raise PayloadError('"prompt" holds characters that are not text')
    return prompt


def accepts_events(accept: str) -> bool:
    """Whether an ``Accept`` header would rather have server-sent events than JSON; a wildcard asks for JSON."""
    qualities: dict[str, float] = {}
    for part in accept.lower().split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        qualities.setdefault(media, quality)
    events, plain = qualities.get("text/event-stream", 0.0), qualities.get("application/json", 0.0)
    if events == plain:
        names = list(qualities)
        return events > 0 and names.index("text/event-stream") < names.index("application/json")
    return events > plain
