"""Numbers that say how a query and the tools that are offered fit: one tool, several, the same one again, or none.

What a tool needs is compared with what the query has: words of its name, description and parameters; numbers, quoted
texts and proper names against parameters that a call requires. The query is also cut into clauses, and each is given to
the tool that shares most words with it: several tools that get clauses hint at several calls, one that gets many at
repeated calls, and many words of the query that no tool knows hint at a tool that does not fit.

Words are compared by a rough stem of at most six letters. What is computed of a tool is kept, since traffic offers the
same tools again and again.

Known limitations: English; compared by letters, so a synonym is no match.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from turnout.classify.learned.rows import Tool

_MOST_CHARS = 8_000
_WORD = re.compile(r"[A-Za-z]+|\d+(?:[.,]\d+)*")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_QUOTED = re.compile(r"'[^'\n]{1,80}'|\"[^\"\n]{1,80}\"|`[^`\n]{1,80}`")
_PROPER = re.compile(r"(?<=[a-z,] )[A-Z]\w+(?: [A-Z]\w+)*")
_CLAUSE = re.compile(r"[.?!;\n]+\s|,\s| and | then | also ", re.IGNORECASE)
_ENDINGS = ("ing", "ies", "es", "ed", "s")
_NUMERIC = frozenset({"integer", "number", "float", "int", "double", "long"})
_TEXTUAL = frozenset({"string"})
_LISTS = frozenset({"array", "tuple", "list", "arraylist"})
_OBJECTS = frozenset({"dict", "object", "any", "hashmap"})


def _stem(word: str) -> str:
    word = word.lower()
    for ending in _ENDINGS:
        if len(word) > len(ending) + 3 and word.endswith(ending):
            word = word[: -len(ending)]
            break
    return word[:6]


_COMMON_WORDS = """
a an and are as at be been but by can could did do does for from get give had has have how i if in into is it its just
like me my need of on or our please should so some that the their them then there these they this to us want was we were
what when where which who will with would you your using use used value name given provide specified return returns find
calculate number type list function parameter string integer optional default e g eg etc any all also
"""
_COMMON = frozenset(map(_stem, _COMMON_WORDS.split()))


@functools.lru_cache(maxsize=32_768)
def _content_stem(word: str) -> str:
    """The stem of a word that says something, else nothing."""
    if word[0].isdigit() or len(word) < 2:
        return ""
    stem = _stem(word)
    return "" if stem in _COMMON or len(stem) < 2 else stem


def _stems(text: str) -> frozenset[str]:
    found = {_content_stem(word) for word in _WORD.findall(_HUMP.sub(" ", text.replace("_", " ")))}
    found.discard("")
    return frozenset(found)


class _Known(NamedTuple):
    """What is computed of a tool once."""

    name: frozenset[str]
    description: frozenset[str]
    parameters: frozenset[str]
    heading: frozenset[str]
    all: frozenset[str]
    parameter_count: int
    required: int
    numeric: int
    textual: int
    lists: int
    objects: int
    values: tuple[str, ...]
    described: int
    size: int


@functools.lru_cache(maxsize=4_096)
def _known(tool: Tool) -> _Known:
    name, description = _stems(tool.name), _stems(tool.description)
    texts = [f"{one.name} {one.description}" for one in tool.parameters]
    parameters = _stems(" ".join(texts))
    kinds = [one.type for one in tool.parameters]
    return _Known(
        name=name,
        description=description,
        parameters=parameters,
        heading=name | description,
        all=name | description | parameters,
        parameter_count=len(tool.parameters),
        required=sum(one.required for one in tool.parameters),
        numeric=sum(kind in _NUMERIC for kind in kinds),
        textual=sum(kind in _TEXTUAL for kind in kinds),
        lists=sum(kind in _LISTS for kind in kinds),
        objects=sum(kind in _OBJECTS for kind in kinds),
        values=tuple(value.lower() for one in tool.parameters for value in one.values if len(value) > 2),
        described=len(tool.description),
        size=len(tool.name) + len(tool.description) + sum(map(len, texts)),
    )


_RANKED = ("name", "description", "query", "query_by_heading", "parameters")
_PLACES = ("first", "second", "least", "mean")

NAMES: tuple[str, ...] = (
    "tools",
    *(f"match_{what}_{place}" for what in _RANKED for place in _PLACES),
    "unmatched",
    "parameters",
    "required",
    "best_required",
    "best_parameters",
    "best_numeric",
    "best_textual",
    "best_lists",
    "best_objects",
    "best_values",
    "lists",
    "objects",
    "numbers_over_numeric",
    "numbers_to_numeric",
    "entities_to_required",
    "entities_to_all_required",
    "lacking",
    "best_described",
    "size",
    "values_named",
    "clauses",
    "clause_tools",
    "clause_tools_share",
    "matched_clauses",
    "most_clauses_of_a_tool",
    "dotted",
    "offered",
)
"""What the columns are."""

NOTHING: tuple[float, ...] = (0.0,) * len(NAMES)
"""The numbers where no tool is offered."""


def tooling(text: str, tools: Sequence[Tool]) -> tuple[float, ...]:
    """The numbers of a query and the tools that are offered with it, in the order of `NAMES`."""
    if not tools:
        return NOTHING
    text = text[:_MOST_CHARS]
    known = [_known(tool) for tool in tools]
    query = _stems(text)
    some = len(query) + 1
    out: list[float] = [len(known)]
    by_name = [len(one.name & query) / (len(one.name) + 0.5) for one in known]
    by_query = [len(one.all & query) / some for one in known]
    out += _ranked(by_name)
    out += _ranked([len(one.description & query) / (len(one.description) + 1) for one in known])
    out += _ranked(by_query)
    out += _ranked([len(one.heading & query) / some for one in known])
    out += _ranked([len(one.parameters & query) / (len(one.parameters) + 1) for one in known])
    matched = frozenset().union(*(one.all for one in known)) & query
    out.append(1.0 - len(matched) / some)

    fit = [name + share for name, share in zip(by_name, by_query, strict=True)]
    best = known[fit.index(max(fit))]
    numbers = len(_NUMBER.findall(text))
    entities = numbers + len(_QUOTED.findall(text)) + len(_PROPER.findall(text))
    required = sum(one.required for one in known)
    lowered = text.lower()
    out += [
        math.log1p(sum(one.parameter_count for one in known)),
        math.log1p(required),
        best.required,
        best.parameter_count,
        best.numeric,
        best.textual,
        best.lists,
        best.objects,
        len(best.values),
        sum(one.lists for one in known),
        sum(one.objects for one in known),
        numbers - best.numeric,
        math.log((numbers + 1) / (best.numeric + 1)),
        math.log((entities + 1) / (best.required + 1)),
        math.log((entities + 1) / (required + 1)),
        max(0, best.required - entities),
        math.log1p(best.described),
        math.log1p(sum(one.size for one in known)),
        sum(value in lowered for value in best.values),
    ]

    clauses = [stems for clause in _CLAUSE.split(text) if (stems := _stems(clause))]
    of_tool = [0] * len(known)
    for stems in clauses:
        shared = [len(one.heading & stems) for one in known]
        if (most := max(shared)) > 0:
            of_tool[shared.index(most)] += 1
    used = sum(count > 0 for count in of_tool)
    out += [
        math.log1p(len(clauses)),
        used,
        used / len(known),
        math.log1p(sum(of_tool)),
        max(of_tool),
        float(any("." in tool.name for tool in tools)),
        1.0,
    ]
    return tuple(map(float, out))


def _ranked(values: list[float]) -> tuple[float, float, float, float]:
    """The highest, the second highest or 0, the least and the mean."""
    ordered = sorted(values, reverse=True)
    return ordered[0], ordered[1] if len(ordered) > 1 else 0.0, ordered[-1], sum(ordered) / len(ordered)
