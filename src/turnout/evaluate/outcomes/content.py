"""What a row's prompt, conversation and tools are: read, checked, named by their content, and made a `Conversation`.

Identity is a hash of the exact text: two prompts that differ in one blank are two prompts. `normalised` is for finding
those that a person would call the same.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec

from turnout.evaluate.outcomes.table import Batch
from turnout.messages.conversation import Conversation

_ANY = msgspec.json.Decoder()
_RAW_TOOLS = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, msgspec.Raw])
_SPACE = re.compile(r"\s+")
_NOT_WORD = re.compile(r"[^\w\s]+")


def conversation_problem(text: str) -> str | None:
    """What is wrong with the JSON of a conversation, or none."""
    try:
        _parts(text)
    except (ValueError, msgspec.MsgspecError) as error:
        return f"{error}"
    return None


def tools_problem(text: str) -> str | None:
    """What is wrong with the JSON of tools, or none."""
    try:
        _RAW_TOOLS.decode(text)
    except msgspec.MsgspecError as error:
        return f"must be a JSON list of tools, or one tool: {error}"
    return None


def canonical(text: str) -> str:
    """JSON without blanks between its parts: the same value has the same text and hash in every format."""
    return msgspec.json.encode(_ANY.decode(text)).decode()


def query_of(conversation: str) -> str:
    """The newest user turn of a conversation's JSON; its whole text where no user turn has text."""
    read = _conversation(conversation, None)
    return read.query or "\n".join(text for _, text in read.turns()) or conversation


def conversations(batch: Batch) -> list[Conversation]:
    """Each row as what a classifier reads.

    Raises:
        ValueError: A conversation or tools are not what `docs/outcomes.md` says.
    """
    return [
        _conversation(conversation, tools)
        if conversation is not None
        else Conversation(messages=[{"role": "user", "content": [{"text": prompt}]}], tools=_tools(tools))
        for prompt, conversation, tools in zip(batch.prompt, batch.conversation, batch.tools, strict=True)
    ]


def text_key(prompt: str, conversation: str | None) -> int:
    """A 64-bit hash of the exact prompt, or of the conversation where there is one."""
    return _hash(conversation if conversation is not None else prompt)


def name_key(*names: str) -> int:
    """A 64-bit hash of names or texts, such as dataset and prompt id."""
    return _hash(*names)


def group_key(group: str) -> int:
    """A 64-bit hash of a group's name, which no text has."""
    return _hash("group", group)


def row_keys(batch: Batch) -> list[int]:
    """For each row a 64-bit hash of dataset, prompt id, prompt or conversation, and tools.

    Answers of several models belong together where these are the same. That two of a million differ and share a hash
    has a probability of 3 in 100 million.
    """
    return [
        _hash(dataset, name, prompt if conversation is None else conversation, tools or "")
        for dataset, name, prompt, conversation, tools in zip(
            batch.dataset, batch.prompt_id, batch.prompt, batch.conversation, batch.tools, strict=True
        )
    ]


def group_keys(batch: Batch) -> list[int]:
    """For each row a 64-bit hash of its group, or where it has none of its exact prompt or conversation."""
    return [
        group_key(group) if group else text_key(prompt, conversation)
        for group, prompt, conversation in zip(batch.group, batch.prompt, batch.conversation, strict=True)
    ]


def normalised(text: str) -> str:
    """A text without case, punctuation, kinds of blanks and of letters: what hides that two prompts are the same."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _SPACE.sub(" ", _NOT_WORD.sub(" ", plain)).strip() or plain


def _hash(*parts: str) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return int.from_bytes(digest.digest(), "little")


def _parts(text: str) -> tuple[list[dict[str, Any]], Any, Any]:
    value: Any = _ANY.decode(text)
    system: Any = ()
    tools: Any = None
    if isinstance(value, dict):
        value, system, tools = value.get("messages"), value.get("system", ()), value.get("tools")
    if not isinstance(value, list) or not value:
        raise ValueError("must be a JSON list of messages, or an object with one under 'messages'")
    for index, message in enumerate(value):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise ValueError(f"message {index} has no role")
        if not isinstance(message.get("content"), (str, list)):
            raise ValueError(f"message {index} has no content: a text or a list of blocks")
    return value, system, tools


def _conversation(text: str, tools: str | None) -> Conversation:
    values, system, own_tools = _parts(text)
    before = [message for message in values if message["role"] in ("system", "developer")]
    messages = [
        {"role": message["role"], "content": _blocks(message["content"])}
        for message in values
        if message["role"] not in ("system", "developer")
    ]
    return Conversation(
        messages=messages,
        system=[*_blocks(system), *(block for message in before for block in _blocks(message["content"]))],
        tools=_tools(tools) if own_tools is None else _listed(own_tools),
    )


def _blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"text": content}]
    return [block if isinstance(block, dict) else {"text": str(block)} for block in content or ()]


def _tools(tools: str | None) -> Sequence[dict[str, Any]]:
    return () if tools is None else _listed(_ANY.decode(tools))


def _listed(tools: Any) -> Sequence[dict[str, Any]]:
    if isinstance(tools, dict):
        return [tools]
    return [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else ()
