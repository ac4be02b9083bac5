r"""Edits of a JSON body that leave every byte outside of them alone.

A body is read once, into its top-level members. What it is not edited in stays as the client wrote it: key order,
blanks, number formats, escapes, members that nobody here knows. Without an edit the very bytes come back.

JSON is judged by msgspec: a lone half of a surrogate pair (``"\ud800"``) is refused, as providers refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from turnout.messages.wire.malformed import MalformedBodyError

MAX_DEPTH = 100
"""How deep a body may be nested unless another limit is given; clients' bodies have about ten levels."""

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_RAW = msgspec.json.Decoder(msgspec.Raw)
_KEY = re.compile(rb'[ \t\n\r]*,?[ \t\n\r]*"([^"\\]*(?:\\.[^"\\]*)*)"[ \t\n\r]*:[ \t\n\r]*')
_OPENING = re.compile(rb"[ \t\n\r]*\{[ \t\n\r]*")
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]')
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_BYTE = re.compile(r" \(byte (\d+)\)$")
_EMPTY = rb'(?:"(?:[^"\\\n]|\\.)*": )?(?:\[\]|\{\}),?\n'
_SMALL = 8192
_MOST_TOKENS_SEARCHED = 100_000


class Span(NamedTuple):
    """Where a top-level member stands in a body: byte offsets, ends excluded; the key's with its quotes."""

    key: int
    start: int
    end: int


class Body:
    """A JSON object, read into its top-level members.

    Args:
        data: The bytes; they are kept.
        max_depth: The most levels of objects and lists within each other, the object itself included.

    Raises:
        MalformedBodyError: The bytes are no JSON object in UTF-8, are nested deeper, or have a top-level key twice.
    """

    __slots__ = ("_found", "data", "raws")

    def __init__(self, data: bytes, *, max_depth: int = MAX_DEPTH) -> None:
        self.data = data
        self.raws: dict[str, msgspec.Raw] = _members(data)
        # What has no blanks needs no walk to find out that no key stands twice, and its spans only once it is edited.
        self._found = None if _is_compact(data, self.raws) else _spans(data, self.raws)
        if _deeper_than(data, max_depth):
            raise self._too_deep(max_depth)

    @property
    def _spans(self) -> dict[str, tuple[int, int, int]]:
        if self._found is None:
            self._found = _compact_spans(self.raws)
        return self._found

    def __contains__(self, name: object) -> bool:
        return name in self.raws

    def span(self, name: str) -> Span:
        """Where a member stands.

        Raises:
            KeyError: There is no such member.
        """
        return Span(*self._spans[name])

    def is_null(self, name: str) -> bool:
        """Whether a member is missing or null."""
        raw = self.raws.get(name)
        return raw is None or (len(raw) == 4 and bytes(raw) == b"null")

    def edited(
        self,
        *,
        replace: Mapping[str, bytes] | None = None,
        insert: Mapping[str, bytes] | None = None,
        delete: Iterable[str] = (),
    ) -> bytes:
        """The bytes with some top-level members changed, and all else as it was.

        A member that is left out takes the blanks and the comma before it along (the first: those after it).

        Args:
            replace: New values of members that are there, as JSON.
            insert: Members that are not there, in the order in which they are put after the last one, as JSON.
            delete: Names of members to leave out.

        Raises:
            KeyError: A member to replace or delete is missing, or one to insert is there.
            ValueError: A value is no JSON, or a member is both replaced and deleted.
        """
        gone = frozenset(delete)
        replaced, inserted, spans = replace or {}, insert or {}, self._spans
        self._check_edits(replaced, inserted, gone)
        if not (inserted or gone) and len(replaced) <= 1:
            for name, value in replaced.items():  # nearly every edit: the model's name
                _, start, end = spans[name]
                return b"".join([self.data[:start], value, self.data[end:]])
            return self.data
        data, done = memoryview(self.data), 0
        if spans:
            places = list(spans.values())
            first, last = places[0], places[-1]
            pieces: list[bytes | memoryview]
            pieces, tail = [data[: first[0]]], data[last[2] :]
        else:
            inside = self.data.index(b"{") + 1
            pieces, tail = [data[:inside]], data[inside:]
        kept = False
        for name, (key, start, end) in spans.items():
            if name not in gone:
                pieces.append(data[done if kept else key : start])
                pieces.append(replaced[name] if name in replaced else data[start:end])
                kept = True
            done = end
        for name, value in inserted.items():
            pieces += [b"," if kept else b"", msgspec.json.encode(name), b":", value]
            kept = True
        pieces.append(tail)
        return b"".join(pieces)

    def _check_edits(self, replaced: Mapping[str, bytes], inserted: Mapping[str, bytes], gone: frozenset[str]) -> None:
        for name in (*replaced, *gone):
            if name not in self.raws:
                raise KeyError(f"the body has no top-level member {name!r}")
        for name in inserted:
            if name in self.raws:
                raise KeyError(f"the body has a top-level member {name!r} already")
        if both := gone & replaced.keys():
            raise ValueError(f"{min(both)!r} is both replaced and deleted")
        for name, value in (*replaced.items(), *inserted.items()):
            try:
                _RAW.decode(value)
            except (msgspec.DecodeError, RecursionError) as error:
                raise ValueError(f"the new value of {name!r} is no JSON: {error}") from None

    def _too_deep(self, limit: int) -> MalformedBodyError:
        for name, (_, start, end) in self._spans.items():
            if _deeper_than(self.data[start:end], limit - 1):
                return MalformedBodyError(f"is nested deeper than {limit} levels, in {name[:40]!r}", offset=start)
        return MalformedBodyError(f"is nested deeper than {limit} levels", offset=self.data.index(b"{"))


def decode_member(body: Body, name: str, decoder: msgspec.json.Decoder[Any]) -> Any:
    """A top-level member as a value; none where it is missing.

    Raises:
        MalformedBodyError: It does not have the decoder's type, or holds a number that no value can hold.
    """
    raw = body.raws.get(name)
    if raw is None:
        return None
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBodyError(_wording(error), offset=body.span(name).start, path=name) from None


def _members(data: bytes) -> dict[str, msgspec.Raw]:
    try:
        if not data.isascii():
            data.decode()
        return _MEMBERS.decode(data)
    except UnicodeDecodeError as error:
        raise MalformedBodyError("is not UTF-8", offset=error.start) from None
    except msgspec.ValidationError:
        raise MalformedBodyError("is not a JSON object", offset=len(data) - len(data.lstrip(b" \t\n\r"))) from None
    except msgspec.DecodeError as error:
        raise _no_json(data, str(error)) from None
    except RecursionError:
        raise MalformedBodyError("is nested too deeply", offset=_deep_place(data)) from None


def _is_compact(data: bytes, raws: Mapping[str, msgspec.Raw]) -> bool:
    """Whether a body is its members and nothing else: no blanks, no escapes in keys, no key twice.

    A member takes its value, its key in quotes, a colon, and a comma or brace; there is one brace more. Whatever else
    there was would make the body longer, and a value that stands there twice is counted once.
    """
    size = 1
    for name, raw in raws.items():
        size += len(raw) + len(name if name.isascii() else name.encode()) + 4
    return size == len(data)


def _compact_spans(raws: Mapping[str, msgspec.Raw]) -> dict[str, tuple[int, int, int]]:
    """Where the members of a compact body stand."""
    spans: dict[str, tuple[int, int, int]] = {}
    place = 1
    for name, raw in raws.items():
        start = place + len(name if name.isascii() else name.encode()) + 3
        end = start + len(raw)
        spans[name] = (place, start, end)
        place = end + 1
    return spans


def _spans(data: bytes, raws: Mapping[str, msgspec.Raw]) -> dict[str, tuple[int, int, int]]:
    """Where the members stand, found by walking over them: a value is as long as its raw JSON.

    Of a key that stands twice, ``raws`` has the first place and the last value; then the walk meets a value that is
    not there, or a key that it has seen.
    """
    opening = _OPENING.match(data)
    place = 0 if opening is None else opening.end()
    spans: dict[str, tuple[int, int, int]] = {}
    for name, raw in raws.items():
        found = _KEY.match(data, place)
        if found is None or (found[1] != name.encode() and _key_text(found[1]) != name):
            raise _twice(name, place)
        key, start = found.start(1) - 1, found.end()
        end = start + len(raw)
        if not (data.startswith(memoryview(raw), start) and data[end : end + 1] in _AFTER_VALUE):
            raise _twice(name, key)
        spans[name] = (key, start, end)
        place = end
    if found := _KEY.match(data, place):
        raise _twice(_key_text(found[1]), found.start(1) - 1)
    return spans


_AFTER_VALUE = frozenset((b",", b"}", b" ", b"\t", b"\n", b"\r"))


def _key_text(key: bytes) -> str:
    return _TEXT.decode(b'"' + key + b'"')


def _twice(name: str, offset: int) -> MalformedBodyError:
    return MalformedBodyError(f"has the key {name[:40]!r} more than once", offset=offset)


def _no_json(data: bytes, message: str) -> MalformedBodyError:
    """The words and offset of msgspec; of a lone half of a surrogate pair it says that the input is truncated."""
    found = _BYTE.search(message)
    if (found is None or "surrogate" in message) and (half := lone_surrogate(data)) is not None:
        return MalformedBodyError("is no JSON: half of a surrogate pair", offset=half)
    if found is None:
        return MalformedBodyError("is no JSON: it ends too early", offset=len(data))
    problem = message[: found.start()].removeprefix("JSON is malformed: ")
    # Of what trails, msgspec tells the place after the first character.
    offset = int(found[1]) - (problem == "trailing characters")
    return MalformedBodyError(f"is no JSON: {problem}", offset=offset)


def lone_surrogate(data: bytes) -> int | None:
    """The offset of the first escape of half a surrogate pair; none where every half has its other one."""
    return next((found.start() for found in _ESCAPE.finditer(data) if found[1]), None)


def _wording(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    problem = str(error)
    return "has the wrong type: " + problem[:1].lower() + problem[1:]


def _deeper_than(data: bytes, limit: int) -> bool:
    """Whether valid JSON is nested deeper than that many levels.

    It is laid out by msgspec, a blank for each level: no string holds a line end, so blanks at the beginning of a line
    tell the level. That takes half the time of counting brackets.
    """
    if len(data) <= _SMALL and data.count(b"[") + data.count(b"{") <= limit:
        return False
    if limit < 1:
        return data.lstrip(b" \t\n\r")[:1] in (b"[", b"{")
    try:
        laid_out = msgspec.json.format(data, indent=1)
    except RecursionError:
        return True
    level = b"\n" + b" " * limit
    if level not in laid_out:
        return False
    # What stands at the last level may be an empty object or list, which is one level more.
    return level + b" " in laid_out or re.search(level + _EMPTY, laid_out) is not None


def _deep_place(data: bytes) -> int:
    """Where a body that is far too deep passes the default limit, or how far it was searched."""
    depth, place = 0, 0
    for count, found in enumerate(_TOKEN.finditer(data)):
        place = found.start()
        match found[0]:
            case b"[" | b"{":
                depth += 1
            case b"]" | b"}":
                depth -= 1
        if depth > MAX_DEPTH or count >= _MOST_TOKENS_SEARCHED:
            break
    return place
