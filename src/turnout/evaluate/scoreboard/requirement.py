"""Requirements such as ``apgr>=0.62``, held against the scoreboard: what a CI run passes or fails by."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from typing import NamedTuple

from turnout.core.catalog import unknown
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.scoreboard.board import Board
from turnout.evaluate.scoreboard.figures import METRIC_NAMES

_PATTERN = re.compile(
    r"(?:(?P<router>.+):)?(?P<metric>[a-z_0-9]+)(?P<end>\.low|\.high)?\s*(?P<sign>>=|<=|>|<)\s*(?P<number>\S+)"
)
_SIGNS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


class Requirement(NamedTuple):
    """A requirement.

    Attributes:
        text: As it was written.
        router: Of this router; empty: of each router under test.
        metric: The figure.
        end: ``low`` or ``high`` for an end of its interval, else ``value``.
        sign: The comparison.
        number: What it is compared with.
    """

    text: str
    router: str
    metric: str
    end: str
    sign: str
    number: float


class Held(NamedTuple):
    """What became of a requirement for one router on one pair.

    Attributes:
        requirement: As it was written.
        router: The router.
        pair: The pair in words.
        found: The figure; none where it is not defined, which does not fulfil anything.
        fulfilled: Whether it is fulfilled.
    """

    requirement: str
    router: str
    pair: str
    found: float | None
    fulfilled: bool


def requirement_of(text: str) -> Requirement:
    """Read a requirement: ``[ROUTER:]METRIC[.low|.high] >= NUMBER``, with any of >=, <=, >, <.

    Raises:
        OutcomesError: It is not of that form, or the figure is not known.
    """
    found = _PATTERN.fullmatch(text.strip())
    if found is None:
        raise OutcomesError(
            f"cannot read the requirement {text!r}; write it as 'apgr>=0.62' or 'learned:apgr.low>=0.6'"
        )
    if found["metric"] not in METRIC_NAMES:
        raise OutcomesError(f"requirement {text!r}: {unknown('figure', found['metric'], METRIC_NAMES)}")
    try:
        number = float(found["number"])
    except ValueError:
        raise OutcomesError(f"requirement {text!r}: {found['number']!r} is no number") from None
    return Requirement(
        text, found["router"] or "", found["metric"], (found["end"] or ".value")[1:], found["sign"], number
    )


def held(board: Board, requirements: Sequence[Requirement]) -> list[Held]:
    """Hold requirements against every pair of a board.

    Raises:
        OutcomesError: A requirement names a router that is not there, or none and none is under test: a build that
            forgot to name one must not pass.
    """
    out: list[Held] = []
    for one in requirements:
        for pair in board.pairs:
            names = [line.router for line in pair.lines]
            if one.router and one.router not in names:
                raise OutcomesError(f"requirement {one.text!r}: {unknown('router', one.router, names)}")
            if not one.router and not any(line.kind == "router" for line in pair.lines):
                raise OutcomesError(
                    f"requirement {one.text!r}: no router is under test: name one by --router, or a line of the table "
                    f"as in 'category:{one.text}'"
                )
            for line in pair.lines:
                if line.router != one.router and (one.router or line.kind != "router"):
                    continue
                figure = line.figures[one.metric]
                value = None if figure is None else float(getattr(figure, one.end))
                fulfilled = value is not None and bool(_SIGNS[one.sign](value, one.number))
                out.append(Held(one.text, line.router, pair.pair.title, value, fulfilled))
    return out
