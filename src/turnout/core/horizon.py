"""What lies ahead of a call: the chance that its prompt comes back, and what is saved then by what is warm.

A session's next turn sends the same prompt again, grown; another session sends the same tools and system. Whether they
come while a cached prefix is still warm decides whether writing it paid, and what leaving a warm model costs. For one
model k with the cache state S that a choice leaves behind::

    saving_k(S) = next_on_k · further · Σ over stretches of the prompt of length · (input_k − read_k) · chance

    chance = the highest, over the warm prefixes that cover the stretch, of
             P(a prompt with that prefix comes within the prefix's remaining time) · P(it really is warm)

The highest and not the union: prefixes are nested, so one that comes back nearly always brings those inside it.

A saving counts against plain input, not against a write: whether the next call would write is decided then. So the
figure orders choices and is no forecast of a bill. Known limitation: where nearly every prompt comes back, ``further``
counts what one write would have ended, and warmth is valued too high.
"""

from __future__ import annotations

import bisect
import math

import msgspec

from turnout.core.cache import CacheState, Prompt
from turnout.core.catalog import Model

GAPS_S = (15, 30, 60, 120, 300, 900, 3600)
"""The gaps, in seconds, at which chances of coming back are known; the TTLs of 5 minutes and 1 hour are among them."""


class Returns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How likely a prefix comes back within each of `GAPS_S`; ascending, each between 0 and 1.

    Raises:
        ValueError: The chances are not as many as the gaps, out of range, or fall.
    """

    chances: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.chances) != len(GAPS_S):
            raise ValueError(f"needed are {len(GAPS_S)} chances, one for each gap, got {len(self.chances)}")
        last = 0.0
        for chance in self.chances:
            if not last <= chance <= 1.0:
                raise ValueError(f"chances must rise from 0 to at most 1, got {self.chances}")
            last = chance

    def within(self, seconds: float) -> float:
        """The chance that it comes within that time; straight between the known gaps, level after the last."""
        if seconds <= 0:
            return 0.0
        if seconds >= GAPS_S[-1]:
            return self.chances[-1]
        index = bisect.bisect_left(GAPS_S, seconds)
        low_s, low = (GAPS_S[index - 1], self.chances[index - 1]) if index else (0, 0.0)
        return low + (self.chances[index] - low) * (seconds - low_s) / (GAPS_S[index] - low_s)


class PrefixReturns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A prefix of the request, up to and including the segment with that index, and how likely it comes back."""

    segment: int
    returns: Returns


class Horizon(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was learned, in this deployment, of what comes after a call like this one.

    Attributes:
        prefixes: Prefixes that may come back, from the shortest to the longest, such as the head (tools and system),
            what the session's call before had sent, and the whole prompt.
        next_on: For each candidate the chance that it serves the call that comes back; a missing one never does.
        further: How many calls are expected to come back one after the other, once one did; 1 or more.

    Raises:
        ValueError: Prefixes are not in order, a chance is out of range, or ``further`` is below 1.
    """

    prefixes: tuple[PrefixReturns, ...] = ()
    next_on: dict[str, float] = {}
    further: float = 1.0

    def __post_init__(self) -> None:
        ends = [prefix.segment for prefix in self.prefixes]
        if ends != sorted(set(ends)) or (ends and ends[0] < 0):
            raise ValueError(f"prefixes must go from the shortest to the longest, got segments {ends}")
        for model, chance in self.next_on.items():
            if not 0.0 <= chance <= 1.0:
                raise ValueError(f"next_on[{model!r}] must be between 0 and 1, got {chance}")
        if not 1.0 <= self.further < math.inf:
            raise ValueError(f"further must be 1 or more, got {self.further}")

    def comes_back(self, segment: int, seconds: float) -> float:
        """The chance that a prompt with the prefix up to that segment comes within that time.

        It is that of the shortest known prefix that covers the segment: a longer one brings all that is inside it.
        """
        for prefix in self.prefixes:
            if prefix.segment >= segment:
                return prefix.returns.within(seconds)
        return 0.0


NO_HORIZON = Horizon()
"""Nothing is expected to come back."""


def expected_saving_pico(model: Model, prompt: Prompt, state: CacheState, horizon: Horizon, now_ms: int) -> int:
    """What the calls ahead are expected to save, in whole pico-USD, because ``state`` is warm on that model.

    Args:
        model: The model whose cache it is.
        prompt: The prompt of the call at hand in the model's own tokens.
        state: What is warm after the choice that is weighed.
        horizon: What is expected to come.
        now_ms: Milliseconds since the epoch.
    """
    chance_on = horizon.next_on.get(model.id, 0.0)
    if not chance_on or not state.entries:
        return 0
    warm = state.warm_entries(now_ms)
    tier = model.price.tier_for(prompt.tokens)
    saved = tier.input_pico - tier.cache_read_pico
    total = best = 0.0
    end = 0
    # From the longest prefix inwards: a stretch has the best chance of all prefixes that cover it.
    for index in range(len(prompt.offsets) - 1, -1, -1):
        entry = warm.get(prompt.prefix_hashes[index])
        tokens = prompt.offsets[index]
        if entry is None or tokens < max(model.cache.floor_tokens, 1):
            continue
        total += best * (end - tokens)
        best = max(best, entry.chance * horizon.comes_back(index, (entry.expires_ms - now_ms) / 1000))
        end = tokens
    total += best * end
    return round(chance_on * horizon.further * saved * total)
