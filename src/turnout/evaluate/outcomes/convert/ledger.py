"""Our own ledger, with grades that somebody or something gave afterwards.

The ledger has models, tokens and costs, and neither prompts nor grades. Those come from a file (JSONL, CSV) with a row
for each graded answer: ``id`` (of a turn, a call or a decision, of its trace or span, or the caller's query id; the
gateway's header ``x-turnout-request-id`` is a decision's), ``score``, ``prompt`` or ``conversation``, and if wanted
``tools``, ``category``, ``group``, ``dataset``, ``propensity``, ``split``. A judge that writes such a file fits, and so
does feedback that was exported from where it was given, Langfuse for one, which knows traces and spans.

Where Turnout keeps texts (the setting ``texts``), its file gives prompt, conversation, tools and group of a row that
has none, by the same id.

An answer is a turn: tokens and costs of all its calls that answered are added up. Turns that several models answered
are nobody's outcome and are left out; so are query ids that several turns share, ids that the ledger lacks, and rows
that nobody has a text for. All are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from turnout.core.cost import pico_to_usd
from turnout.evaluate.outcomes.convert.rows import grade, in_batches
from turnout.evaluate.outcomes.convert.wide import wide_rows
from turnout.evaluate.outcomes.table import NAMES, Batch, OutcomesError
from turnout.trace.events import CallEvent
from turnout.trace.store import selection
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.selection import Filter

_OF_TEXTS = ("prompt", "conversation", "tools", "group")
_FROM_LEDGER = ("model", "input_tokens", "output_tokens", "cost_usd", "prompt_id")


@dataclass(slots=True)
class Joined:
    """What became of the graded ids.

    Attributes:
        outcomes: Rows of the table.
        unknown: Ids that the ledger lacks, or that have no call that answered.
        several_models: Turns that several models answered.
        several_turns: Query ids that several turns share.
        without_text: Rows without prompt or conversation.
    """

    outcomes: int = 0
    unknown: int = 0
    several_models: int = 0
    several_turns: int = 0
    without_text: int = 0


@dataclass(slots=True)
class _Answer:
    models: Counter[str] = field(default_factory=Counter)
    turns: set[str] = field(default_factory=set)
    input_tokens: int = 0
    output_tokens: int = 0
    pico: int = 0
    exact: bool = True
    simulated: bool = False

    def add(self, call: CallEvent) -> None:
        usage = call.usage
        self.models[call.model] += 1
        self.turns.add(call.turn_id)
        self.input_tokens += (
            usage.input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        )
        self.output_tokens += usage.output_tokens
        self.pico += call.cost.total_pico
        self.exact &= call.usage_source == "reported"
        self.simulated |= call.simulated


def joined(
    ledger: Ledger, grades: Path, *, run: str | None, told: Joined, texts: Path | None = None
) -> Iterator[Batch]:
    """Outcomes of the graded turns and calls of a ledger.

    Args:
        ledger: The ledger.
        grades: The file of grades.
        run: Only calls of this run.
        told: Counts what becomes of the ids.
        texts: Prompts and conversations by id, for rows that have none; none: there are no others.

    Raises:
        OutcomesError: The file cannot be read, is empty, lacks a column, or grades simulated calls, which say nothing
            of quality.
        LedgerError: A call cannot be read.
    """
    answers = _answers(ledger, run)
    asked = {str(cells.get("id")) for _, cells in wide_rows(grades)}
    if not asked:
        raise OutcomesError(f"{grades}: there are no grades in it")
    for decision, turn in turns_of_decisions(ledger, asked - answers.keys(), run=run).items():
        if turn in answers:
            answers[decision] = answers[turn]
    wanted = asked.union(*(answers[name].turns for name in asked & answers.keys()))
    return in_batches(_rows(answers, grades, told, {} if texts is None else _texts(texts, wanted)))


def turns_of_decisions(ledger: Ledger, ids: AbstractSet[str], *, run: str | None) -> dict[str, str]:
    """The turn of each decision among these ids, of decisions themselves or of their spans.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    found: dict[str, str] = {}
    after = 0
    while ids:
        rows = ledger.select(_DECISIONS, (after, run, run, _AT_ONCE))
        if not rows:
            break
        after = rows[-1][0]
        found |= {one: turn_id for _, *named, turn_id in rows for one in named if one in ids}
    return found


_AT_ONCE = 10_000
_DECISIONS = """
    SELECT sequence, event_id, span_id, turn_id FROM decisions
    WHERE sequence > ? AND (? IS NULL OR run = ?) ORDER BY sequence LIMIT ?
"""


def _texts(texts: Path, wanted: AbstractSet[str]) -> dict[str, dict[str, Any]]:
    """What a file of texts has of these ids: of a turn what its first call was asked."""
    found: dict[str, dict[str, Any]] = {}
    for _, cells in wide_rows(texts):
        if cells.get("incomplete"):
            continue
        for name in (cells.get("id"), cells.get("turn")):
            if name and str(name) in wanted:
                found.setdefault(str(name), {one: cells[one] for one in _OF_TEXTS if cells.get(one)})
    return found


def _answers(ledger: Ledger, run: str | None) -> dict[str, _Answer]:
    answers: dict[str, _Answer] = {}
    for batch in selection.calls(ledger, Filter(run=run)):
        for call in batch:
            if call.role != "answer" or call.status != "ok":
                continue
            for name in dict.fromkeys((call.turn_id, call.event_id, call.query_id, call.trace_id, call.span_id)):
                if name:
                    answers.setdefault(name, _Answer()).add(call)
    return answers


def _rows(
    answers: dict[str, _Answer], grades: Path, told: Joined, texts: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, cells in wide_rows(grades):
        name = cells.get("id")
        if not name or "score" not in cells:
            raise OutcomesError(f"{where}: 'id' and 'score' are needed; there are {', '.join(map(str, cells))}")
        answer = answers.get(str(name))
        if answer is None:
            told.unknown += 1
            continue
        if len(answer.models) > 1:
            told.several_models += 1
            continue
        if len(answer.turns) > 1:
            told.several_turns += 1
            continue
        if answer.simulated:
            raise OutcomesError(f"{where}: the answer {name} was simulated: a grade of it says nothing of a model")
        if not cells.get("prompt") and not cells.get("conversation"):
            known = texts.get(str(name)) or texts.get(next(iter(answer.turns)))
            if known is None:
                told.without_text += 1
                continue
            cells = {**cells, **{one: cells.get(one) or value for one, value in known.items()}}
        told.outcomes += 1
        own = {column: cells[column] for column in NAMES if column in cells and column not in _FROM_LEDGER}
        cost = {"cost_usd": float(pico_to_usd(answer.pico))} if answer.exact else {}
        yield (
            where,
            {
                **own,
                **cost,
                "model": next(iter(answer.models)),
                "score": grade(cells["score"]),
                "input_tokens": answer.input_tokens,
                "output_tokens": answer.output_tokens,
            },
        )
