"""Exact money: the one function from usage and price to cost."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec

from turnout.core.price import PICO_USD_PER_USD, Price
from turnout.core.usage import Usage


class Cost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What tokens cost, by kind, in integer pico-USD (1e-12 USD): additive and never rounded."""

    input_pico: int = 0
    cache_read_pico: int = 0
    cache_write_5m_pico: int = 0
    cache_write_1h_pico: int = 0
    output_pico: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def total_pico(self) -> int:
        """The whole cost in pico-USD."""
        return (
            self.input_pico
            + self.cache_read_pico
            + self.cache_write_5m_pico
            + self.cache_write_1h_pico
            + self.output_pico
        )

    @property
    def cache_write_pico(self) -> int:
        """What was paid for cache writes of either duration, in pico-USD."""
        return self.cache_write_5m_pico + self.cache_write_1h_pico

    @property
    def usd(self) -> Decimal:
        """The whole cost in USD, exactly."""
        return pico_to_usd(self.total_pico)


NO_COST = Cost()
"""Nothing at all: the neutral element of addition."""


def cost_of(usage: Usage, price: Price) -> Cost:
    """The cost of one call's usage at a model's price.

    The tier is the one that the call's whole prompt falls in, so this function is additive over calls only where all
    of them fall in one tier: price each call, then add the costs.
    """
    tier = price.tier_for(usage.prompt_tokens)
    return Cost(
        input_pico=usage.input_tokens * tier.input_pico,
        cache_read_pico=usage.cache_read_tokens * tier.cache_read_pico,
        cache_write_5m_pico=usage.cache_write_5m_tokens * tier.cache_write_5m_pico,
        cache_write_1h_pico=usage.cache_write_1h_tokens * tier.cache_write_1h_pico,
        output_pico=usage.output_tokens * tier.output_pico,
    )


def pico_to_usd(pico: int) -> Decimal:
    """USD for an integer of pico-USD, exactly."""
    return Decimal(f"{pico}E-12")  # A literal is exact; arithmetic would round to the caller's decimal context.


def usd_text(pico: int) -> str:
    """USD for an integer of pico-USD, exactly, in plain decimals: ``0.000000000000``, and not ``0E-12``."""
    if pico >= 0:
        return f"{pico // PICO_USD_PER_USD}.{pico % PICO_USD_PER_USD:012d}"
    return f"{pico_to_usd(pico):f}"


def usd_to_pico(usd: Decimal) -> int:
    """Pico-USD for an amount in USD.

    Raises:
        ValueError: The amount is not finite or finer than 1e-12 USD.
    """
    if not usd.is_finite():
        raise ValueError(f"an amount in USD must be finite, got {usd}")
    pico = Fraction(usd) * PICO_USD_PER_USD
    if pico.denominator != 1:
        raise ValueError(f"amounts finer than 1e-12 USD cannot be kept exactly: {usd}")
    return pico.numerator
