"""How many graded prompts a statement about quality needs, so that `turnout outcomes inspect` can say it beforehand.

The statement: the mean score of what is served is at least ``keep`` (such as 0.98) of the capable model's, with
probability 1 - delta over the drawing of the graded prompts. It is tested by the loss ``keep x score_capable -
score_served`` of each prompt, between -1 and 1; see `turnout.evaluate.guarantee`. Needed is the least number at which
Hoeffding's inequality alone rejects "the mean loss is above 0", if the served answers are as good as the capable
model's: then the mean loss is ``-(1 - keep) x mean score``, the least room there is. Bentkus' inequality and betting
need fewer, so this is on the safe side; a router that serves worse answers needs more.

Source: W. Hoeffding, Probability inequalities for sums of bounded random variables (1963), theorem 2.
"""

from __future__ import annotations

import math


def needed_prompts(mean_score: float, *, keep: float = 0.98, delta: float = 0.05) -> int | None:
    """The least number of different graded prompts; none where no number is enough.

    Args:
        mean_score: The capable model's mean score.
        keep: Which share of it is to be kept.
        delta: The probability with which the statement may be wrong.

    Raises:
        ValueError: ``keep`` or ``delta`` is not between 0 and 1.
    """
    if not (0.0 < keep <= 1.0 and 0.0 < delta < 1.0):
        raise ValueError(f"keep and delta must be between 0 and 1, got {keep} and {delta}")
    room = (1.0 - keep) * mean_score
    if room <= 0.0:
        return None
    # the loss lies in a range of 1 + keep: exp(-2 n room^2 / (1 + keep)^2) <= delta
    return math.ceil((1.0 + keep) ** 2 * math.log(1.0 / delta) / (2.0 * room * room))
