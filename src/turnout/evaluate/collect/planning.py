"""What a collection will do and cost, before anything is called.

The expected cost takes recorded answers for the length of those to come, and `USUAL_OUTPUT` tokens where there are
none; the highest is what is set aside: twice the tokens that were counted, and output up to the limit. Neither counts
calls that fail and are tried again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from turnout.classify.llm import settings_for
from turnout.core.catalog import Model
from turnout.core.cost import cost_of
from turnout.core.usage import Usage
from turnout.evaluate.collect.calling import Prompt, highest_pico
from turnout.evaluate.collect.judges.llm import MOST_CHARS
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.state import State
from turnout.messages.count import count_text

USUAL_OUTPUT = 400
"""Tokens of an answer where none is recorded: an assumption."""

_JUDGE_WORDS = 450
"""Reference tokens of what a judge is told beside the material."""

_VERDICT_TOKENS = 4
_MOST_SHOWN = MOST_CHARS // 4


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one kind.

    Attributes:
        what: ``cheap``, ``capable`` or ``judge``.
        model: Catalog id.
        calls: How many.
        expected_pico: What they are expected to cost, in pico-USD.
        highest_pico: What they can cost at most.
    """

    what: str
    model: str
    calls: int
    expected_pico: int
    highest_pico: int


def pending(requests: Sequence[Request], state: State | None, *, retry_failed: bool = False) -> list[Request]:
    """The requests that a run still has to do, in their order; those that failed for good only if they are wanted."""
    if state is None:
        return list(requests)

    def is_pending(request: Request) -> bool:
        if request.key in state.grades:
            return False
        failed = state.failures.get(request.key)
        return failed is None or failed.again or retry_failed

    return [request for request in requests if is_pending(request)]


def prompt_of(request: Request, max_tokens: int, tools: list[dict[str, object]]) -> Prompt:
    """What a model is asked for an answer: the request as it was."""
    messages, system, own = request.conversation_parts()
    return Prompt(messages=messages, system=system, tools=own or tools, max_tokens=max_tokens)


def tools_of(request: Request) -> list[dict[str, object]]:
    """The tools of a request's own column."""
    if request.tools is None:
        return []
    found = msgspec.json.decode(request.tools)
    return found if isinstance(found, list) else [found]


def bills_of(
    requests: Sequence[Request],
    state: State | None,
    *,
    cheap: Model,
    capable: Model,
    judge: Model | None,
    max_output: int,
) -> list[Bill]:
    """What is still to be bought for requests that are pending.

    Args:
        requests: Those that are pending.
        state: Knows what was bought already; none: nothing.
        cheap: The cheap model.
        capable: The capable model.
        judge: The judging model; none: the judge is no model.
        max_output: The limit on output.
    """
    usual = _usual_output(requests)
    sums = {"cheap": [0, 0, 0], "capable": [0, 0, 0], "judge": [0, 0, 0]}

    def add(what: str, model: Model, prompt_tokens: int, output: int, most_prompt: int, most_output: int) -> None:
        usage = Usage(input_tokens=round(prompt_tokens * model.tokenizer_ratio), output_tokens=output)
        sums[what][0] += 1
        sums[what][1] += cost_of(usage, model.price).total_pico
        sums[what][2] += highest_pico(model, most_prompt, most_output)

    for request in requests:
        asked = prompt_of(request, max_output, tools_of(request)).reference_tokens
        bought = {side for side in ("cheap", "capable") if state and (request.key, side) in state.answers}
        output = min(max_output, request.output_tokens or usual)
        if request.answer is None and "cheap" not in bought:
            add("cheap", cheap, asked, output, asked, max_output)
        if "capable" not in bought:
            add("capable", capable, asked, output, asked, max_output)
        if judge is not None:
            limit = settings_for(judge).max_tokens
            said = count_text(request.answer) if request.answer is not None else output
            most_said = said if request.answer is not None else min(_MOST_SHOWN, max_output)
            shown = asked + _JUDGE_WORDS + count_text(request.expected)
            for _ in range(2):
                add(
                    "judge",
                    judge,
                    shown + said + output,
                    min(limit, _VERDICT_TOKENS if limit < 100 else limit // 2),
                    shown + most_said + min(_MOST_SHOWN, max_output),
                    limit,
                )
    models = {"cheap": cheap, "capable": capable, "judge": judge}
    return [
        Bill(what=what, model=model.id, calls=calls, expected_pico=expected, highest_pico=highest)
        for what, (calls, expected, highest) in sums.items()
        if calls and (model := models[what]) is not None
    ]


def _usual_output(requests: Sequence[Request]) -> int:
    known = [request.output_tokens for request in requests if request.output_tokens]
    known = known or [count_text(request.answer) for request in requests if request.answer]
    return round(sum(known) / len(known)) if known else USUAL_OUTPUT
