"""Messages and tool calls: who speaks in turn, every call with its result, every id as the target takes it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from turnout.messages.conversation import Message
from turnout.messages.portability.draft import Draft, DraftMessage, Item
from turnout.messages.portability.protocols import Rules
from turnout.messages.prefix import is_human


def open_turn(messages: Sequence[Message]) -> int | None:
    """Where the turn that is in its tool loop begins: the message after a person's last one; none outside a loop.

    A turn is in its tool loop while the newest message brings results of tools.
    """
    if not messages or not any("toolResult" in block for block in messages[-1]["content"]):
        return None
    for index in range(len(messages) - 1, -1, -1):
        if is_human(messages[index]["role"], messages[index]["content"]):
            return index + 1
    return 0


def settle_messages(draft: Draft, rules: Rules) -> None:
    """Leave out messages without blocks, and make one message of neighbours of one role where the target needs it."""
    settled: list[DraftMessage] = []
    for message in draft.messages:
        before = settled[-1] if settled else None
        if message.is_empty:
            draft.edit("drop_message", f"messages.{message.index}")
            if before is not None:
                # Its cache points still end a prefix; `place_points` finds them a block to follow.
                before.items = [*before.items, *message.items]
            continue
        if before is not None and before.role == message.role and _belong_together(rules, before, message):
            before.items = [*before.items, *message.items]
            draft.edit("merge_messages", f"messages.{message.index}")
            continue
        settled.append(message)
    draft.messages = settled


def put_results_first(draft: Draft) -> None:
    """In a user's message results of tools come before all else; cache points stay at their place in the prompt."""
    for message in draft.messages:
        if message.role != "user" or len(message.items) < 2:
            continue
        results = [item for item in message.items if _is_result(item)]
        ordered = [*results, *(item for item in message.items if not _is_result(item))]
        if ordered == message.items:
            continue
        points = [(position, item.points) for position, item in enumerate(message.items) if item.points]
        for item in message.items:
            item.points = []
        for position, kept in points:
            ordered[position].points = kept
        message.items = ordered
        draft.edit("tool_results_first", f"messages.{message.index}")


class ToolCalls:
    """Pairs calls with results and gives both the id that the target takes.

    An id that fits stays. One that does not, or that an earlier call of this history has, becomes a hash of it and of
    how often it came before: the same each time that the history is carried, however long it has grown.
    """

    def __init__(self, draft: Draft, rules: Rules) -> None:
        self._draft = draft
        self._rules = rules
        self._seen: Counter[str] = Counter()
        self._given: set[str] = set()
        self._originals = {
            block["toolUse"]["toolUseId"]
            for message in draft.messages
            for _, block in message.left()
            if "toolUse" in block
        }
        self._waiting: dict[str, list[tuple[str, Item]]] = {}

    def settle(self) -> None:
        """Pair and rename all calls; refused is a call without a result in the next user message, and the reverse."""
        for message in self._draft.messages:
            if message.role == "assistant":
                self._refuse_unanswered()
            for item, block in message.left():
                if "toolUse" in block:
                    old = block["toolUse"]["toolUseId"]
                    new = self._id_for(old)
                    self._waiting.setdefault(old, []).append((new, item))
                    self._rename(item, "toolUse", new)
                elif "toolResult" in block:
                    waiting = self._waiting.get(block["toolResult"]["toolUseId"])
                    if waiting:
                        self._rename(item, "toolResult", waiting.pop(0)[0])
                    else:
                        self._draft.refuse(item.path, "orphan_result")
        self._refuse_unanswered()

    def _refuse_unanswered(self) -> None:
        for waiting in self._waiting.values():
            for _, item in waiting:
                self._draft.refuse(item.path, "unanswered_call")
        self._waiting = {}

    def _id_for(self, old: str) -> str:
        self._seen[old] += 1
        count = self._seen[old]
        taken = self._rules.unique_ids and old in self._given
        new = old
        attempt = 0
        while not self._rules.tool_id.fullmatch(new) or taken:
            new = _hashed(old, count, attempt)
            taken = new in self._given or new in self._originals
            attempt += 1
        self._given.add(new)
        return new

    def _rename(self, item: Item, kind: str, new: str) -> None:
        value: dict[str, Any] = (item.block or {})[kind]
        if value["toolUseId"] != new:
            item.block = {kind: {**value, "toolUseId": new}}
            self._draft.edit("tool_id", item.path)


def _hashed(old: str, count: int, attempt: int) -> str:
    digest = hashlib.blake2b(f"{count}/{attempt}/{old}".encode(), digest_size=12).hexdigest()
    return f"call_{digest}"


def _belong_together(rules: Rules, before: DraftMessage, message: DraftMessage) -> bool:
    return rules.merged or any(_is_result(item) for item in (*before.items, *message.items))


def _is_result(item: Item) -> bool:
    return item.block is not None and "toolResult" in item.block
