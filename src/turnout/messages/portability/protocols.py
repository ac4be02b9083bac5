"""What each way of asking a model accepts in a history: the rules that carrying is done by.

Sources, read 2026-11-23:

- Bedrock Converse: the service model of ``bedrock-runtime`` in botocore 1.44.5 (ids ``[a-zA-Z0-9_.:-]{1,64}``, names
  of documents and tools, formats); its API reference (a document's name holds letters, digits, hyphens, brackets,
  parentheses and single blanks; a message with a document also has a text). Claude behind it is narrower: ids match
  ``^[a-zA-Z0-9_-]+$``.
- Anthropic Messages: the API reference (that pattern; ids of tool calls are unique in a request; results stand first
  in the one user message after the calls; consecutive messages of one role count as one).
- OpenAI Chat Completions: ids of tool calls have at most 40 characters (vercel/ai issue 5171 and others; Responses
  allows 64); a tool's message holds text, and Strands puts its images into a user message beside it.
- What Strands 1.62 can send: ``strands/models/{bedrock,anthropic,openai}.py``.

Known limitation: servers that speak OpenAI's protocol may ask for more than OpenAI does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from turnout.core.catalog import Model


class Protocol(StrEnum):
    """How a model is asked."""

    BEDROCK_CLAUDE = "bedrock_claude"
    ANTHROPIC_CLAUDE = "anthropic_claude"
    OPENAI = "openai"
    OTHER = "other"
    """Anything else: nothing is known of what it accepts, so nothing is changed for it."""

    @property
    def claude(self) -> bool:
        """Whether a Claude model is asked."""
        return self in (Protocol.BEDROCK_CLAUDE, Protocol.ANTHROPIC_CLAUDE)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a protocol accepts.

    Attributes:
        tool_id: What an id of a tool call must match as a whole.
        unique_ids: Whether two tool calls of one request must not share an id.
        merged: Whether neighbours of one role must be, or had better be, one message.
        user_first: Whether the first message must be the user's.
        blank_text: Whether a text block may be empty or blank.
        locations: Whether media may be named by a place in S3 instead of given as bytes.
        image_urls: Whether an image may be named by a URL, which the provider then fetches.
        image_formats: Formats of images; ``jpg`` is Strands' other name of ``jpeg``.
        document_formats: Formats of documents.
        plain_document_names: Whether a document's name may hold a few kinds of characters only.
        document_with_text: Whether a message with a document needs a text beside it.
        citations: Whether cited answers and a document's citation settings can be sent.
        guard_content: Whether content marked for a guardrail can be sent.
        result_media: Kinds of media that a tool's result may hold.
        result_status: How the status of a tool's result is sent: ``optional``, ``required``, or ``none`` at all.
        json_results: Whether JSON in a tool's result must be an object.
    """

    tool_id: re.Pattern[str]
    unique_ids: bool = True
    merged: bool = True
    user_first: bool = True
    blank_text: bool = False
    locations: bool = False
    image_urls: bool = False
    image_formats: frozenset[str] = frozenset({"png", "jpeg", "jpg", "gif", "webp"})
    document_formats: frozenset[str]
    plain_document_names: bool = False
    document_with_text: bool = False
    citations: bool = False
    guard_content: bool = False
    result_media: frozenset[str] = frozenset({"image", "document"})
    result_status: str = "optional"
    json_results: bool = False


TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""A tool's name, on every protocol here."""

RULES: dict[Protocol, Rules] = {
    Protocol.BEDROCK_CLAUDE: Rules(
        tool_id=re.compile(r"[a-zA-Z0-9_-]{1,64}"),
        locations=True,
        image_formats=frozenset({"png", "jpeg", "gif", "webp"}),
        document_formats=frozenset({"pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"}),
        plain_document_names=True,
        document_with_text=True,
        citations=True,
        guard_content=True,
        json_results=True,
    ),
    Protocol.ANTHROPIC_CLAUDE: Rules(
        tool_id=re.compile(r"[a-zA-Z0-9_-]+"),
        image_urls=True,
        document_formats=frozenset({"pdf", "csv", "html", "txt", "md"}),
        result_status="required",
    ),
    Protocol.OPENAI: Rules(
        tool_id=re.compile(r".{1,40}", re.DOTALL),
        unique_ids=False,
        merged=False,
        user_first=False,
        blank_text=True,
        image_urls=True,
        document_formats=frozenset({"pdf"}),
        result_media=frozenset({"image"}),
        result_status="none",
    ),
}
"""The rules of each protocol that has any."""


def protocol_of(model: Model) -> Protocol:
    """How a catalog entry is asked, by its provider and, on Bedrock, its id."""
    if model.provider == "bedrock":
        return Protocol.BEDROCK_CLAUDE if "claude" in model.model_id else Protocol.OTHER
    if model.provider == "anthropic":
        return Protocol.ANTHROPIC_CLAUDE
    return Protocol.OPENAI if model.provider == "openai" else Protocol.OTHER
