"""`safe_to_switch`: whether another model may go on with a history, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Literal

import msgspec

from turnout.core.catalog import Model
from turnout.messages.conversation import Conversation
from turnout.messages.portability.carrying import drafted
from turnout.messages.portability.draft import Draft
from turnout.messages.portability.protocols import Protocol, protocol_of
from turnout.messages.portability.thinking import is_foreign, kind_of_reasoning
from turnout.messages.portability.turns import open_turn


class SwitchReason(StrEnum):
    """Why a switch is safe or not; one meaning each."""

    SAME_MODEL = "same_model"
    """Safe: it is no switch."""
    NOTHING_BOUND = "nothing_bound"
    """Safe: the history holds no state that a model is bound to."""
    NOTHING_LOST = "nothing_lost"
    """Safe: it holds such state, and the target reads it, or its author no longer does."""
    THINKING_LEFT = "thinking_left"
    """Safe because the caller allowed it: thinking of finished turns is left behind, and read again on the way back."""
    TOOL_LOOP = "tool_loop"
    """Not to be chosen: the turn is in its tool loop. The history itself would survive a failover."""
    TOOL_LOOP_THINKING = "tool_loop_thinking"
    """Unsafe: the loop holds thinking that must come back unmodified, and the target cannot read it."""
    THINKING_LOST = "thinking_lost"
    """Unsafe: finished turns hold thinking that their author reads and the target cannot."""
    ENCRYPTED_REASONING = "encrypted_reasoning"
    """Unsafe: the history holds reasoning that only its author's provider can decrypt."""
    SERVER_STATE = "server_state"
    """Unsafe: a provider keeps part of the conversation, or ran tools for it, on its own side."""
    UNTRANSLATABLE = "untranslatable"
    """Unsafe: the target cannot be sent some block of the history at all."""


_SAFE = frozenset(
    {SwitchReason.SAME_MODEL, SwitchReason.NOTHING_BOUND, SwitchReason.NOTHING_LOST, SwitchReason.THINKING_LEFT}
)


_BOUND = frozenset({"signed", "redacted", "encrypted"})
"""The kinds of reasoning that a model is bound to."""


class SwitchSafety(msgspec.Struct, frozen=True):
    """The answer of `safe_to_switch`: the reason, and what it was found in (a path or a name; may be empty)."""

    reason: SwitchReason
    detail: str = ""

    @property
    def safe(self) -> bool:
        """Whether the switch may be chosen."""
        return self.reason in _SAFE

    @property
    def survives(self) -> bool:
        """Whether the history would reach the target whole: enough for a failover, not for a choice."""
        return self.safe or self.reason is SwitchReason.TOOL_LOOP

    @property
    def cause(self) -> Literal["tool_loop", "bound_state"] | None:
        """The cause of the hard stay that follows, or none: what one target alone cannot be sent binds nobody."""
        if self.safe or self.reason is SwitchReason.UNTRANSLATABLE:
            return None
        return "tool_loop" if self.reason is SwitchReason.TOOL_LOOP else "bound_state"


def safe_to_switch(
    history: Conversation,
    source: Model,
    target: Model,
    *,
    leave_thinking: bool = False,
    server_state: Sequence[str] = (),
) -> SwitchSafety:
    """Whether a conversation may go from the model that wrote it to another one, and why.

    Args:
        history: System, tools and messages.
        source: The model that wrote the newest answer.
        target: The model that would answer next.
        leave_thinking: Allow that thinking of finished turns is left behind where the target cannot read it. Claude's
            documentation allows it outside a tool loop; what was said, called and found stays whole, and the model
            that thought finds its thinking again when the conversation returns to it.
        server_state: As of `turnout.messages.portability.carry`.
    """
    return Switches(history, source, leave_thinking=leave_thinking, server_state=server_state).safety(target)


class Switches:
    """Where one history may go; what several targets or several questions share is found out once.

    Args:
        history: As of `safe_to_switch`. It must not change.
        source: As of `safe_to_switch`.
        leave_thinking: As of `safe_to_switch`.
        server_state: As of `safe_to_switch`.

    Attributes:
        history: See above.
        source: See above.
    """

    def __init__(
        self,
        history: Conversation,
        source: Model,
        *,
        leave_thinking: bool = False,
        server_state: Sequence[str] = (),
    ) -> None:
        self.history = history
        self.source = source
        self._leave_thinking = leave_thinking
        self._server_state = server_state
        self._safety: dict[str, SwitchSafety] = {}
        self._drafts: dict[str, Draft | None] = {}

    def safety(self, target: Model) -> SwitchSafety:
        """Whether the history may go to a model, and why; see `safe_to_switch`."""
        found = self._safety.get(target.id)
        if found is None:
            found = self._safety[target.id] = self._safety_of(target)
        return found

    def unchanged(self, target: Model) -> str | None:
        """Whether the history reaches a model as it is: none if it does, else what is in the way, ``name:detail``."""
        safety = self.safety(target)
        if not safety.survives:
            return f"bound:{safety.reason.value}"
        draft = self._drafted(target)
        if draft is None:
            return None
        if draft.refusals:
            return draft.refusals[0]
        return f"needs_edit:{draft.edits[0].partition(':')[0]}" if draft.edits else None

    def _drafted(self, target: Model) -> Draft | None:
        """The history as it is carried to a model, with the cache points of its user."""
        if target.id not in self._drafts:
            self._drafts[target.id] = drafted(self.history, self.source, target)
        return self._drafts[target.id]

    @cached_property
    def _held(self) -> str | None:
        return next(_server_state(self.history, self._server_state), None)

    @cached_property
    def _opened(self) -> int | None:
        return open_turn(self.history.messages)

    @cached_property
    def _bound(self) -> list[tuple[str, int, bool]]:
        return bound_reasoning(self.history, self.source)

    def _safety_of(self, target: Model) -> SwitchSafety:
        if self.source.id == target.id:
            return SwitchSafety(SwitchReason.SAME_MODEL)
        if self._held is not None:
            return SwitchSafety(SwitchReason.SERVER_STATE, self._held)
        opened, bound = self._opened, self._bound
        in_loop = dict.fromkeys(path for path, index, _ in bound if opened is not None and index >= opened)
        for path, _, foreign in bound:
            if foreign and (path in in_loop or not self._leave_thinking):
                return SwitchSafety(SwitchReason.ENCRYPTED_REASONING, path)
        draft = None if protocol_of(target) is Protocol.OTHER else self._drafted(target)
        if draft is None:
            lost = [path for path, _, _ in bound]
            refused = next(iter(in_loop), None)
        else:
            lost = draft.lost
            details = [refusal.partition(":")[2] for refusal in draft.refusals]
            refused = next((detail for detail in details if detail in in_loop), None)
            if refused is None and draft.refusals:
                return SwitchSafety(SwitchReason.UNTRANSLATABLE, draft.refusals[0])
        if refused is not None:
            return SwitchSafety(SwitchReason.TOOL_LOOP_THINKING, refused)
        if lost and not self._leave_thinking:
            return SwitchSafety(SwitchReason.THINKING_LOST, lost[0])
        if opened is not None:
            return SwitchSafety(SwitchReason.TOOL_LOOP, f"messages.{len(self.history.messages) - 1}")
        if lost:
            return SwitchSafety(SwitchReason.THINKING_LEFT, lost[0])
        return SwitchSafety(SwitchReason.NOTHING_LOST if bound else SwitchReason.NOTHING_BOUND)


def bound_reasoning(history: Conversation, source: Model | None = None) -> list[tuple[str, int, bool]]:
    """Signed and encrypted reasoning: its path, the message's number, and whether it is not Claude's."""
    found: list[tuple[str, int, bool]] = []
    for index, message in enumerate(history.messages):
        for part, block in enumerate(message["content"]):
            kind = kind_of_reasoning(block)
            if kind in _BOUND:
                found.append((f"messages.{index}.content.{part}", index, is_foreign(kind, source)))
    return found


def has_bound_reasoning(history: Conversation) -> bool:
    """Whether there is any `bound_reasoning`."""
    for message in history.messages:
        for block in message["content"]:
            if ("reasoningContent" in block or "toolUse" in block) and kind_of_reasoning(block) in _BOUND:
                return True
    return False


def _server_state(history: Conversation, named: Sequence[str]) -> Iterator[str]:
    """What a provider keeps: what the caller names, and tools that it ran itself."""
    yield from named
    for index, message in enumerate(history.messages):
        for part, block in enumerate(message["content"]):
            if any(block.get(kind, {}).get("type") for kind in ("toolUse", "toolResult")):
                yield f"messages.{index}.content.{part}"
