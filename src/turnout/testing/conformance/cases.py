"""The cases, read from the data files beside this module.

In the files ``{"$bytes": base64}`` stands for bytes and ``{"$repeat": [text, times]}`` for a long text; a case with
several ``pairs`` is one case for each of them, and a pair names two models or the default of a protocol.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

KINDS = ("thinking", "tools", "media", "text", "markers")
"""The kinds of cases; each has a data file."""


class CaseError(ValueError):
    """A data file that does not say what a case must say."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One history that goes from one model to another, and what may come of it.

    Attributes:
        name: Unique together with the pair.
        kind: One of `KINDS`.
        row: What of the history is looked at, in words; cases of one row differ in their pair. Empty: in no table.
        pair: The names of both models.
        protocols: The names of both models' protocols.
        source: The model that wrote the history, as in ``data/models.json``.
        target: The model that answers next.
        markers: Whose the cache points are: ``user``, ``fill`` or ``manage``.
        history: ``system``, ``tools`` and ``messages``.
        expected: What may come of it, each alternative a mapping: ``outcome`` (in words) and one of ``same`` (sent
            unchanged), ``refused`` (the refusal names this place) and blocks (``messages``, ``system``, ``tools``);
            ``markers`` where cache points are looked at: ``[path, ttl]`` of each, or their ``count``.
        switch: Turnout's reason for or against the switch; empty where the case does not ask.
        why: The rule in a sentence.
        rule: Where the rule was read: ``title``, ``url``, ``date``.
    """

    name: str
    kind: str
    row: str
    pair: tuple[str, str]
    protocols: tuple[str, str]
    source: Mapping[str, Any]
    target: Mapping[str, Any]
    markers: str
    history: Mapping[str, Any]
    expected: tuple[Mapping[str, Any], ...]
    switch: str
    why: str
    rule: Mapping[str, str]

    @property
    def id(self) -> str:
        """Name and pair."""
        return f"{self.name} [{self.pair[0]} -> {self.pair[1]}]"


def load_cases(*kinds: str) -> tuple[Case, ...]:
    """All cases, or those of some kinds.

    Raises:
        CaseError: A kind or a file cannot be read; the message says where.
    """
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise CaseError(f"unknown kind of cases {sorted(unknown)[0]!r}; known are {', '.join(KINDS)}")
    models, sources = _read("models"), _read("sources")
    cases: list[Case] = []
    for kind in kinds or KINDS:
        for entry in _read(kind)["cases"]:
            cases += [_case(kind, entry, pair, models, sources) for pair in entry["pairs"]]
    ids = [case.id for case in cases]
    if len(set(ids)) != len(ids):
        raise CaseError(f"two cases are named {next(one for one in ids if ids.count(one) > 1)!r}")
    return tuple(cases)


def _read(name: str) -> dict[str, Any]:
    text = (files(__package__) / "data" / f"{name}.json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text, object_hook=_value)
    return read


def _value(value: dict[str, Any]) -> Any:
    if set(value) == {"$bytes"}:
        return base64.b64decode(value["$bytes"])
    if set(value) == {"$repeat"}:
        text, times = value["$repeat"]
        return text * times
    return value


def _case(
    kind: str, entry: Mapping[str, Any], pair: str, models: Mapping[str, Any], sources: Mapping[str, Any]
) -> Case:
    first, _, second = pair.partition("->")
    names = models["from"].get(first, first), models["to"].get(second, second)
    try:
        source, target = (models["models"][name] for name in names)
        rule = sources[entry["rule"]]
    except KeyError as error:
        raise CaseError(f"data/{kind}.json, case {entry['name']!r}: {error.args[0]!r} stands in no data file") from None
    return Case(
        name=entry["name"],
        kind=kind,
        row=entry.get("row", ""),
        pair=names,
        protocols=(source["protocol"], target["protocol"]),
        source=source,
        target=target,
        markers=entry["markers"],
        history={"system": [], "tools": [], **entry["history"]},
        expected=tuple(entry["expect"]),
        switch=entry.get("switch", ""),
        why=entry["why"],
        rule=rule,
    )
