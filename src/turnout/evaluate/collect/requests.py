"""Requests that were served, as a file has them: what was asked, and where it is known what was answered.

A row has ``prompt`` or ``conversation`` as the table of outcomes has them, and if wanted ``tools``, ``category``,
``group``, ``dataset`` and ``split``. Beside these:

- ``id``: the id of the call, of its turn, or the caller's query id; without it the request is named by its content.
- ``model``, ``answer``, ``input_tokens``, ``output_tokens``, ``cost_usd``: which model served it, what it said (a text,
  or Converse content blocks) and what that took. With an id that the ledger has, all but the answer come from there.
- ``expected``: the right answer, for judges that need one.
- ``p``: the verdict: the probability that the cheap model suffices.
- ``incomplete``: what the text lacks, such as ``image``: such a request cannot be asked again.

`turnout.trace.spans.texts` writes such files of one's own traffic.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from turnout.evaluate.collect.errors import CollectError
from turnout.evaluate.outcomes.convert.wide import wide_rows
from turnout.evaluate.outcomes.rows import checked_row
from turnout.evaluate.outcomes.table import NAMES, OutcomesError

_OWN = ("id", "answer", "expected", "p", "incomplete")
_PASSED_OVER = ("turn", "session", "run", "finish_reason", "query_id")
_ROW = tuple(name for name in NAMES if name not in ("score", "propensity", "prompt_id"))
KNOWN = (*_OWN, *_ROW)
"""The columns that are read."""

_ANY = msgspec.json.Decoder()
_NEAR = 0.8


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was served.

    Attributes:
        id: Its name, unique in a collection.
        prompt: The prompt, or the newest user turn of the conversation.
        conversation: The conversation's JSON, or none.
        tools: The tools' JSON, or none.
        category: As in the table of outcomes, like the next three.
        group: What is never split.
        dataset: Where it comes from.
        split: The name of a part.
        expected: The right answer; empty: it is not known.
        model: Which model served it; empty: none has, or nobody knows.
        answer: What that model said; none: it is not recorded.
        input_tokens: What that took, like the next two; none: it is not known.
        output_tokens: See above.
        cost_usd: See above.
        p: The verdict's probability that the cheap model suffices; none: there is none.
        incomplete: What its text lacks; empty: nothing.
    """

    id: str
    prompt: str
    conversation: str | None = None
    tools: str | None = None
    category: str = ""
    group: str = ""
    dataset: str = ""
    split: str = ""
    expected: str = ""
    model: str = ""
    answer: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    p: float | None = None
    incomplete: str = ""

    def conversation_parts(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
        """Messages, system and own tools, content as lists of Converse blocks."""
        if self.conversation is None:
            return [{"role": "user", "content": [{"text": self.prompt}]}], [], []
        value = _ANY.decode(self.conversation)
        system: list[dict[str, Any]] = []
        tools: Any = []
        if isinstance(value, dict):
            system, tools = blocks_of(value.get("system")), value.get("tools") or []
            value = value["messages"]
        messages = []
        for message in value:
            if message["role"] in ("system", "developer"):
                system.extend(blocks_of(message["content"]))
            else:
                messages.append({"role": message["role"], "content": blocks_of(message["content"])})
        return messages, system, [tools] if isinstance(tools, dict) else list(tools)

    @property
    def key(self) -> str:
        """Its name and a hash of what was asked: another text under the same id is another request."""
        text = msgspec.json.encode([self.conversation or self.prompt, self.tools])
        return f"{self.id}#{hashlib.blake2b(text, digest_size=6).hexdigest()}"

    @property
    def in_tool_loop(self) -> bool:
        """Whether it brings what a tool gave: there the model stays, so nothing is decided."""
        messages = self.conversation_parts()[0] if self.conversation is not None else []
        return bool(messages) and any("toolResult" in block for block in messages[-1]["content"])


def read_requests(path: Path, others: set[str] | None = None) -> Iterator[tuple[str, Request]]:
    """The requests of a file: JSONL, CSV or Parquet.

    Args:
        path: The file.
        others: Is given the names of columns that are read over.

    Yields:
        The place, file and line, and the request.

    Raises:
        CollectError: The file cannot be read, is empty, or a value is not what its column holds.
    """
    found = False
    checked: set[tuple[str, ...]] = set()
    try:
        for where, cells in wide_rows(path):
            found = True
            if (names := tuple(cells)) not in checked:
                checked.add(names)
                _check_names(names, where, set() if others is None else others)
            yield where, _request(cells, where)
    except OutcomesError as error:
        raise CollectError(str(error)) from error
    if not found:
        raise CollectError(f"{path}: there is no request in it")


def rendered(answer: Any) -> str:
    """An answer as one text: its text, then each call of a tool as ``name({...})`` on a line of its own."""
    if isinstance(answer, str):
        return answer
    lines = []
    for block in blocks_of(answer):
        if isinstance(block.get("text"), str):
            lines.append(block["text"])
        elif isinstance(block.get("toolUse"), dict):
            use = block["toolUse"]
            lines.append(f"{use.get('name', '')}({_canonical(use.get('input'))})")
    return "\n".join(lines)


def blocks_of(content: Any) -> list[dict[str, Any]]:
    """Content as Converse blocks: a text is one block."""
    if content is None:
        return []
    if isinstance(content, str):
        return [{"text": content}]
    if isinstance(content, dict):
        return [content]
    return [block if isinstance(block, dict) else {"text": str(block)} for block in content]


def _canonical(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()


def _check_names(names: tuple[str, ...], where: str, others: set[str]) -> None:
    for name in names:
        if name in KNOWN:
            continue
        absent = [known for known in KNOWN if known not in names]
        near = difflib.get_close_matches(name.strip().lower().replace(" ", "_"), absent, n=1, cutoff=_NEAR)
        if near and name not in _PASSED_OVER:
            raise CollectError(f"{where}: unknown column {name!r}; rename it to {near[0]!r} if that is what it holds")
        if name not in _PASSED_OVER:
            others.add(name)
    if "prompt" not in names and "conversation" not in names:
        raise CollectError(f"{where}: 'prompt' or 'conversation' is needed; there are {', '.join(names) or 'none'}")


def _request(cells: Mapping[str, Any], where: str) -> Request:
    row = checked_row({"model": "-", **{name: cells.get(name) for name in _ROW if cells.get(name)}, "score": 0}, where)
    p = _probability(cells.get("p"), where)
    named = _text(cells, "id", where) or _named_by_content(row)
    return Request(
        id=named,
        prompt=row["prompt"],
        conversation=row["conversation"],
        tools=row["tools"],
        category=row["category"],
        group=row["group"],
        dataset=row["dataset"],
        split=row["split"],
        expected=_text(cells, "expected", where),
        model=_text(cells, "model", where),
        answer=_answer(cells.get("answer"), where),
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cost_usd=row["cost_usd"],
        p=p,
        incomplete=_text(cells, "incomplete", where),
    )


def _text(cells: Mapping[str, Any], name: str, where: str) -> str:
    value = cells.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise CollectError(f"{where}, column {name}: must be a text, got {type(value).__name__}")
    return str(value)


def _answer(value: Any, where: str) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, dict) for one in value)):
        return rendered(value)
    raise CollectError(f"{where}, column answer: must be a text or a list of content blocks")


def _probability(value: Any, where: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        p = float(value)
    except (TypeError, ValueError):
        raise CollectError(f"{where}, column p: must be a number") from None
    if isinstance(value, bool) or not 0.0 <= p <= 1.0:
        raise CollectError(f"{where}, column p: must be between 0 and 1, got {value}")
    return p


def _named_by_content(row: Mapping[str, Any]) -> str:
    text = msgspec.json.encode([row["dataset"], row["conversation"] or row["prompt"], row["tools"]])
    return "content-" + hashlib.blake2b(text, digest_size=12).hexdigest()
