"""What lies ahead of a call: the chance that its prompt comes back, and what is saved then by what is warm.

A session's next turn sends the same prompt again, grown; another session sends the same tools and system. Whether they
come while a cached prefix is still warm decides whether writing it paid, and what leaving a warm model costs. For one
model k with the cache state S that a choice leaves behind::

    saving_k(S) = saved · Σ over stretches of the prompt of length · chance

    chance = the highest, over the warm prefixes that cover the stretch, of
             P(a prompt with that prefix comes within the prefix's remaining time) · P(it really is warm)

    saved  = what a token saves that is warm when the prompt comes back, the smaller of
             further · on_k · (input_k − read_k)         every call reads it, instead of paying for it anew
             any_on_k · (write_k − read_k)               the first call on k reads it, instead of writing it

    any_on_k = further · on_k / (1 + (further − 1) · on_k)

The highest chance and not the union: prefixes are nested, so one that comes back nearly always brings those inside it.

A call that finds a prefix cold can leave it so or write it, which ends the loss: being warm never saves more than
either. Each further call comes with the same chance, so that their number is geometric with the mean ``further``; each
is served by k with the chance on_k, independently, and ``any_on_k`` is the chance that at least one is. What is written
where it was found cold is written for 5 minutes, the cheaper of both.

So the figure bounds what warmth saves and orders choices; it is no forecast of a bill. Known limitation: where calls
are served by other models in between, what is warm may expire before k's turn comes, which is left out.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping

import msgspec

from turnout.core.cache import CacheEntry, CacheState, Prompt, WarmPrompt
from turnout.core.catalog import Model
from turnout.core.price import PriceTier

GAPS_S = (15, 30, 60, 120, 300, 900, 3600)
"""The gaps, in seconds, at which chances of coming back are known; the TTLs of 5 minutes and 1 hour are among them."""


class Returns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
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


class PrefixReturns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A prefix of the request, up to and including the segment with that index, and how likely it comes back."""

    segment: int
    returns: Returns


class Horizon(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
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
        last = -1
        for prefix in self.prefixes:
            if prefix.segment <= last:
                ends = [prefix.segment for prefix in self.prefixes]
                raise ValueError(f"prefixes must go from the shortest to the longest, got segments {ends}")
            last = prefix.segment
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
    held = WarmPrompt(prompt, model.cache, state, now_ms)
    return Savings(model, held, horizon).pico(held.warm)


class Savings:
    """What calls ahead save on one model by what is warm; worked out once, and asked for each choice that is weighed.

    Args:
        model: The model.
        held: The prompt of the call at hand, held against the model's cache.
        horizon: What is expected to come.
    """

    __slots__ = ("_coming", "_horizon", "_least", "_now_ms", "_offsets", "_saved")

    def __init__(self, model: Model, held: WarmPrompt, horizon: Horizon) -> None:
        on = horizon.next_on.get(model.id, 0.0)
        self._saved = _saved_pico(model.price.tier_for(held.prompt.tokens), on, horizon.further) if on else 0.0
        self._offsets = held.prompt.offsets
        self._least = max(model.cache.floor_tokens, 1)
        self._horizon = horizon
        self._now_ms = held.now_ms
        self._coming: dict[tuple[int, int], float] = {}

    def pico(self, warm: Mapping[int, CacheEntry]) -> int:
        """What is saved in whole pico-USD, if these entries are warm, by the index of the segment that each ends with.

        See `turnout.core.cache.WarmPrompt` for where they come from.
        """
        if not warm or not self._saved:
            return 0
        offsets, coming = self._offsets, self._coming
        total = best = 0.0
        end = 0
        # From the longest prefix inwards: a stretch has the best chance of all prefixes that cover it.
        for index in sorted(warm, reverse=True):
            tokens = offsets[index]
            if tokens < self._least:
                break
            total += best * (end - tokens)
            end = tokens
            entry = warm[index]
            comes_back = coming.get((index, entry.expires_ms))
            if comes_back is None:
                comes_back = self._horizon.comes_back(index, (entry.expires_ms - self._now_ms) / 1000)
                coming[index, entry.expires_ms] = comes_back
            if entry.chance * comes_back > best:
                best = entry.chance * comes_back
        total += best * end
        return round(self._saved * total)


def _saved_pico(tier: PriceTier, on: float, further: float) -> float:
    """What a token that is warm when its prompt comes back saves on a model, if calls are served by it with ``on``."""
    unwritten = further * on * (tier.input_pico - tier.cache_read_pico)
    any_on = further * on / (1 + (further - 1) * on)
    return max(0.0, min(unwritten, any_on * (tier.cache_write_5m_pico - tier.cache_read_pico)))
