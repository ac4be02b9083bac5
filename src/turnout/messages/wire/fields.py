"""Reading an object of a body member by member, so that nothing in it is overlooked.

What nobody took is what nobody understood: `Fields.rest` names it by path, and it ends in
`turnout.messages.wire.asked.Asked.untranslatable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from turnout.messages.wire.malformed import MalformedBodyError

_T = TypeVar("_T")

_NAMES: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


class Notes:
    """What a conversion could not carry over, and what it wrote differently.

    Attributes:
        untranslatable: Paths of what the other form has no place for.
        edits: What was written differently, each ``name:path``.
    """

    __slots__ = ("edits", "untranslatable")

    def __init__(self) -> None:
        self.untranslatable: list[str] = []
        self.edits: list[str] = []

    def refuse(self, path: str) -> None:
        """Note what has no place."""
        self.untranslatable.append(path)

    def edit(self, name: str, path: str) -> None:
        """Note what is written differently."""
        self.edits.append(f"{name}:{path}")


class Fields:
    """An object of a body, of which members are taken.

    Args:
        value: The decoded object; members are taken out of a copy.
        path: Its place in the body, empty for the body itself.
        notes: Takes what is left over.

    Raises:
        MalformedBodyError: The value is no object.
    """

    __slots__ = ("left", "notes", "path")

    def __init__(self, value: Any, path: str, notes: Notes) -> None:
        if not isinstance(value, dict):
            raise wrong_type(value, dict, path)
        self.left: dict[str, Any] = value.copy()
        self.path = path
        self.notes = notes

    def at(self, name: str) -> str:
        """The path of a member."""
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str, kind: type[_T]) -> _T | None:
        """Take a member; none where it is missing or null.

        Raises:
            MalformedBodyError: It has another type.
        """
        value = self.left.pop(name, None)
        if value is None or type(value) is kind:
            return value  # a value of that very type, or none
        if kind is float and type(value) is int:
            return value  # type: ignore[return-value]  # JSON does not tell 1 from 1.0
        raise wrong_type(value, kind, self.at(name))

    def need(self, name: str, kind: type[_T]) -> _T:
        """Take a member that must be there.

        Raises:
            MalformedBodyError: It is missing, null or of another type.
        """
        value = self.take(name, kind)
        if value is None:
            raise MalformedBodyError("is missing", path=self.at(name))
        return value

    def inner(self, name: str) -> Fields | None:
        """Take a member that is an object, to take members of it; none where it is missing or null.

        Raises:
            MalformedBodyError: It has another type.
        """
        value = self.take(name, dict)
        return None if value is None else Fields(value, self.at(name), self.notes)

    def items(self, name: str) -> Iterator[Fields]:
        """Take a member that is a list of objects, one by one; nothing where it is missing or null.

        Raises:
            MalformedBodyError: It has another type.
        """
        return fields_of(self.take(name, list) or [], self.at(name), self.notes)

    def rest(self, *harmless: str) -> None:
        """Note every member that nobody took and that is not null, but those."""
        for name, value in self.left.items():
            if value is not None and name not in harmless:
                self.notes.refuse(self.at(name))


def fields_of(values: list[Any], path: str, notes: Notes) -> Iterator[Fields]:
    """The objects of a list.

    Raises:
        MalformedBodyError: One of them is no object.
    """
    for index, value in enumerate(values):
        yield Fields(value, f"{path}.{index}", notes)


def wrong_type(value: Any, kind: type, path: str) -> MalformedBodyError:
    """The error for a member of another type; it does not tell the value."""
    got = "null" if value is None else _NAMES.get(type(value), type(value).__name__)
    return MalformedBodyError(f"must be {_NAMES[kind]}, got {got}", path=path)


def plain(value: Any) -> Any:
    """A value with everything in it decoded that was kept as raw JSON; what holds none comes back as it is.

    Raises:
        MalformedBodyError: Raw JSON holds a number that no value can hold, or a text that is not UTF-8.
    """
    match value:
        case msgspec.Raw():
            try:
                return msgspec.json.decode(value)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise MalformedBodyError(f"holds JSON that cannot be read: {error}") from None
        case Mapping():
            changed = {key: plain(item) for key, item in value.items()}
            return changed if any(changed[key] is not item for key, item in value.items()) else value
        case list() | tuple():
            items = [plain(item) for item in value]
            return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        case _:
            return value
