"""A history while it is being carried: its blocks with their places and cache points, and what was done to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from turnout.messages.conversation import Block, Conversation, Message


@dataclass(eq=False, slots=True)
class Point:
    """A cache point, and where it stood; none where it was added."""

    path: str | None
    block: Block


@dataclass(eq=False, slots=True)
class Item:
    """One block: where it stood, what becomes of it (none: left out), and the cache points that follow it."""

    path: str
    original: Block
    block: Block | None
    points: list[Point] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class DraftMessage:
    """One message: its number in the history, its role, its blocks, and what it was made from."""

    index: int
    role: str
    items: list[Item]
    original: Message

    @property
    def is_empty(self) -> bool:
        """Whether no block is left."""
        return all(item.block is None for item in self.items)

    def left(self) -> Iterator[tuple[Item, Block]]:
        """The items that are still there, each with its block."""
        for item in self.items:
            if item.block is not None:
                yield item, item.block


@dataclass(eq=False, slots=True)
class Draft:
    """A conversation under way to a target, with what was done and what cannot be done.

    Attributes:
        tools: Blocks of the tools, cache points attached to the block that they follow.
        system: The same of the system.
        messages: The same of the messages.
        order: Every block as the history had it, in the order that caches see.
        edits: What was changed, ``name:path``.
        refusals: What cannot be represented, ``name:detail``.
        lost: Paths of thinking that the source reads and the target will not.
    """

    source: Conversation
    tools: list[Item]
    system: list[Item]
    messages: list[DraftMessage]
    order: list[Item] = field(default_factory=list)
    edits: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, conversation: Conversation) -> Draft:
        """A draft in which nothing has changed yet."""
        draft = cls(conversation, [], [], [])
        draft.tools = draft._items("tools", conversation.tools)
        draft.system = draft._items("system", conversation.system)
        for index, message in enumerate(conversation.messages):
            items = draft._items(f"messages.{index}.content", message["content"])
            draft.messages.append(DraftMessage(index, message["role"], items, message))
        return draft

    def items(self) -> Iterator[Item]:
        """Every item in the order that caches see, those that were left out too."""
        yield from self.tools
        yield from self.system
        for message in self.messages:
            yield from message.items

    def edit(self, name: str, path: str) -> None:
        """Note a change."""
        self.edits.append(f"{name}:{path}")

    def refuse(self, path: str, name: str = "untranslatable") -> None:
        """Note what cannot be represented."""
        self.refusals.append(f"{name}:{path}")

    def leave_out(self, item: Item, name: str) -> None:
        """Leave a block out, by that name."""
        item.block = None
        self.edit(name, item.path)

    def build(self) -> Conversation:
        """The conversation as it is now; where nothing changed, the very objects that it was made from."""
        source = self.source
        if not self.edits:
            return source
        tools = _rebuilt(self.tools, source.tools)
        system = _rebuilt(self.system, source.system)
        messages: list[Message] = []
        for message in self.messages:
            content = _rebuilt(message.items, message.original["content"])
            same = content is message.original["content"]
            messages.append(message.original if same else {**message.original, "content": content})
        unchanged = len(messages) == len(source.messages) and all(
            new is old for new, old in zip(messages, source.messages, strict=True)
        )
        if unchanged and tools is source.tools and system is source.system:
            return source
        return Conversation(messages=source.messages if unchanged else messages, system=system, tools=tools)

    def _items(self, prefix: str, blocks: Sequence[Block]) -> list[Item]:
        items: list[Item] = []
        for index, block in enumerate(blocks):
            path = f"{prefix}.{index}"
            if "cachePoint" not in block:
                items.append(Item(path, block, block))
                self.order.append(items[-1])
            elif items:
                items[-1].points.append(Point(path, block))
            elif self.order:
                # Nothing stands before it in its own list: the prefix that it ends is the one before the list.
                self.order[-1].points.append(Point(path, block))
                self.edit("move_marker", path)
            else:
                self.edit("drop_marker", path)
        return items


def _rebuilt(items: Sequence[Item], before: Any) -> Any:
    blocks: list[Block] = []
    for item in items:
        if item.block is not None:
            blocks.append(item.block)
        blocks += [point.block for point in item.points]
    same = len(blocks) == len(before) and all(new is old for new, old in zip(blocks, before, strict=True))
    return before if same else blocks
