"""The most that a call can cost, known before it is made: what a budget sets aside for it.

It is the high end that the call's event would have if nothing were known of how it went (`turnout.core.bounds`), so an
event is booked with no more than was set aside. Known limitation, as there: a prompt that has more than twice the
tokens that were counted can cost more.
"""

from __future__ import annotations

from turnout.core.bounds import cacheable, unreported
from turnout.router.turns import Routed


def worst_pico(routed: Routed, *, max_output_tokens: int | None = None, answers: int = 1) -> int:
    """The most that a call to the chosen model can cost, in pico-USD.

    Args:
        routed: The decision.
        max_output_tokens: The limit on output that is sent, as `Router.begin_call` is given it.
        answers: How many answers are asked for at once; each may take the whole limit.
    """
    model, request = routed.model, routed.given.request
    prompt = request.prompt_for(routed.given.statistics.of(model.id).tokenizer_ratio or model.tokenizer_ratio)
    limit = max_output_tokens or request.max_output_tokens or model.max_output_tokens or model.context_window
    return unreported(
        model.price,
        prompt_tokens=prompt.tokens,
        cacheable_tokens=cacheable(prompt, routed.decision.cache_plan, model.cache),
        most_output_tokens=limit * answers,
        surely_billed=False,
    ).high_pico
