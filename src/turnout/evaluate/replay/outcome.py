"""What a policy made of a trace: money, cache hits, switches."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from turnout.core.cost import pico_to_usd
from turnout.core.usage import Usage
from turnout.evaluate.replay.bounded import BoundOutcome


class Tally(msgspec.Struct, kw_only=True):
    """Sums over calls.

    Attributes:
        calls: How many calls.
        cost_pico: What they cost, in pico-USD.
        prompt_tokens: All prompts.
        read_tokens: What of them was read from a cache.
        write_5m_tokens: What of them was written for 5 minutes.
        write_1h_tokens: What of them was written for 1 hour.
        output_tokens: All answers.
        cheap_calls: Calls that the cheap model served.
        switches: Calls that another model served than the session's call before.
        unsafe_switches: Switches inside a tool loop or away from the model that the history is bound to.
        below_bar: Calls that are truly complex and that the cheap model served, since their verdict was wrong.
    """

    calls: int = 0
    cost_pico: int = 0
    prompt_tokens: int = 0
    read_tokens: int = 0
    write_5m_tokens: int = 0
    write_1h_tokens: int = 0
    output_tokens: int = 0
    cheap_calls: int = 0
    switches: int = 0
    unsafe_switches: int = 0
    below_bar: int = 0

    def add(self, usage: Usage, cost_pico: int, *, cheap: bool, switched: bool, unsafe: bool, below: bool) -> None:
        """Add a call."""
        self.calls += 1
        self.cost_pico += cost_pico
        self.prompt_tokens += usage.prompt_tokens
        self.read_tokens += usage.cache_read_tokens
        self.write_5m_tokens += usage.cache_write_5m_tokens
        self.write_1h_tokens += usage.cache_write_1h_tokens
        self.output_tokens += usage.output_tokens
        self.cheap_calls += cheap
        self.switches += switched
        self.unsafe_switches += unsafe
        self.below_bar += below

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def usd(self) -> Decimal:
        """What the calls cost, in USD, exactly."""
        return pico_to_usd(self.cost_pico)

    @property
    def hit_share(self) -> float:
        """The share of all prompt tokens that was read from a cache."""
        return self.read_tokens / self.prompt_tokens if self.prompt_tokens else 0.0

    @property
    def cheap_share(self) -> float:
        """The share of calls that the cheap model served."""
        return self.cheap_calls / self.calls if self.calls else 0.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one policy made of a trace.

    Attributes:
        policy: Its name.
        fitted: The first half hour, in which whatever learns had little to go by.
        rest: All after it.
        bound: How it kept the spend bound; none where its spending was not bound.
    """

    policy: str
    fitted: Tally
    rest: Tally
    bound: BoundOutcome | None = None

    @property
    def whole(self) -> Tally:
        """The whole trace."""
        return self.fitted + self.rest
