"""What one model's tokens cost: prices in USD per million tokens, by length of the whole prompt.

Known limitation: prices that are not per token (web searches, images by count) are not represented.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from functools import cached_property

import msgspec

PICO_USD_PER_USD = 10**12
"""Money is stored as integers of 1e-12 USD, called pico-USD."""

_TOKENS_PER_MILLION = 10**6
_PICO_USD_PER_TOKEN_AT_ONE_USD_PER_MILLION = Decimal(PICO_USD_PER_USD // _TOKENS_PER_MILLION)

# Raises where a product would be rounded, whatever decimal context the caller's thread has.
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])


class PriceError(ValueError):
    """A price that is negative, finer than 1e-6 USD per million tokens, or in tiers out of order."""


class PriceTier(msgspec.Struct, frozen=True, kw_only=True, dict=True, forbid_unknown_fields=True):
    """Prices in force when the whole prompt is longer than ``above_prompt_tokens``.

    All prices are USD per million tokens. ``None`` for a cache price means that the provider states none:
    cached tokens are then charged at the input price.
    """

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None
    above_prompt_tokens: int = 0

    def __post_init__(self) -> None:
        for name in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"):
            price: Decimal | None = getattr(self, name)
            if price is not None:
                _check_price(name, price)
        if self.above_prompt_tokens < 0:
            raise PriceError(f"above_prompt_tokens must not be negative, got {self.above_prompt_tokens}")

    @cached_property
    def input_pico(self) -> int:
        """Pico-USD for one fresh input token."""
        return _pico_per_token(self.input)

    @cached_property
    def output_pico(self) -> int:
        """Pico-USD for one output token."""
        return _pico_per_token(self.output)

    @cached_property
    def cache_read_pico(self) -> int:
        """Pico-USD for one token read from the prompt cache (the input price where none is stated)."""
        return _pico_per_token(self.input if self.cache_read is None else self.cache_read)

    @cached_property
    def cache_write_5m_pico(self) -> int:
        """Pico-USD for one token written for 5 minutes (the input price where none is stated)."""
        return _pico_per_token(self.input if self.cache_write_5m is None else self.cache_write_5m)

    @cached_property
    def cache_write_1h_pico(self) -> int:
        """Pico-USD for one token written for 1 hour (the 5 minute one's where none is stated)."""
        return self.cache_write_5m_pico if self.cache_write_1h is None else _pico_per_token(self.cache_write_1h)

    def scaled(self, factor: Decimal) -> PriceTier:
        """The same tier with every price multiplied, as regional inference profiles do."""
        return PriceTier(
            input=_product("input", self.input, factor),
            output=_product("output", self.output, factor),
            cache_read=None if self.cache_read is None else _product("cache_read", self.cache_read, factor),
            cache_write_5m=(
                None if self.cache_write_5m is None else _product("cache_write_5m", self.cache_write_5m, factor)
            ),
            cache_write_1h=(
                None if self.cache_write_1h is None else _product("cache_write_1h", self.cache_write_1h, factor)
            ),
            above_prompt_tokens=self.above_prompt_tokens,
        )


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The price of one model: one tier, or several ordered by prompt length.

    The tier that the length of the *whole* prompt (fresh, read and written tokens together) falls in applies to all
    tokens of the call, output included.

    Raises:
        PriceError: No tier, a first tier that does not start at 0, or tiers not strictly ascending.
    """

    tiers: tuple[PriceTier, ...]

    def __post_init__(self) -> None:
        starts = [tier.above_prompt_tokens for tier in self.tiers]
        if not starts or starts[0] != 0 or starts != sorted(set(starts)):
            raise PriceError(f"tiers must start at 0 and ascend strictly, got {starts}")

    def tier_for(self, prompt_tokens: int) -> PriceTier:
        """The tier for a prompt of that many tokens; a prompt of exactly a tier's start is still below it."""
        chosen = self.tiers[0]
        for tier in self.tiers[1:]:
            if prompt_tokens > tier.above_prompt_tokens:
                chosen = tier
        return chosen

    def scaled(self, factor: Decimal) -> Price:
        """The same price with every tier multiplied by ``factor``."""
        return Price(tuple(tier.scaled(factor) for tier in self.tiers))


def flat_price(
    input: str,
    output: str,
    *,
    cache_read: str | None = None,
    cache_write_5m: str | None = None,
    cache_write_1h: str | None = None,
) -> Price:
    """A price of one tier, from figures written as in a price table (USD per million tokens)."""

    def decimal(figure: str | None) -> Decimal | None:
        return None if figure is None else Decimal(figure)

    return Price(
        (
            PriceTier(
                input=Decimal(input),
                output=Decimal(output),
                cache_read=decimal(cache_read),
                cache_write_5m=decimal(cache_write_5m),
                cache_write_1h=decimal(cache_write_1h),
            ),
        )
    )


def _check_price(name: str, price: Decimal) -> None:
    if not price.is_finite() or price < 0:
        raise PriceError(f"{name} must be a price of 0 or more USD per million tokens, got {price}")
    pico = _product(name, price, _PICO_USD_PER_TOKEN_AT_ONE_USD_PER_MILLION)
    if pico != pico.to_integral_value():
        raise PriceError(f"{name} is finer than 0.000001 USD per million tokens and cannot be kept exactly: {price}")


def _product(name: str, price: Decimal, factor: Decimal) -> Decimal:
    try:
        return _EXACT.multiply(price, factor)
    except (Inexact, InvalidOperation) as error:
        raise PriceError(f"{name} cannot be kept exactly: {price} times {factor}") from error


def _pico_per_token(price: Decimal) -> int:
    return int(_EXACT.multiply(price, _PICO_USD_PER_TOKEN_AT_ONE_USD_PER_MILLION))


FREE = Price((PriceTier(input=Decimal(0), output=Decimal(0)),))
"""The price of a model that runs on the user's own machine: no provider bills for it."""
