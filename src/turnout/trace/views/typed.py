"""Totals that somebody typed in: ``cost=0.0438,latency=8.10,input=4228,output=1795``.

Nothing can check them, so whatever is compared with them says that they were typed in.
"""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from turnout.core.catalog import unknown
from turnout.core.cost import usd_to_pico
from turnout.trace.errors import LedgerError

TYPED_IN = "typed in"
"""What such totals are called in tables and JSON."""

_TOKENS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
}
_NAMES = ("cost", "latency", *_TOKENS)
_FIGURE = re.compile(r"\d{1,15}(\.\d{1,15})?|\.\d{1,15}", re.ASCII)
_EXAMPLE = "cost=0.0438,latency=8.10,input=4228,output=1795"


class TypedTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of several queries; what is none was not typed in.

    Attributes:
        cost_pico: What all cost, in pico-USD.
        latency_s: Mean seconds a query.
        input_tokens: Fresh input tokens of all.
        output_tokens: Output tokens of all.
        cache_read_tokens: Tokens that all read from the cache.
        cache_write_tokens: Tokens that all wrote to the cache.
    """

    cost_pico: int
    latency_s: Decimal | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None


def typed_totals(text: str) -> TypedTotals:
    """The totals of a text such as ``cost=0.0438,latency=8.10,input=4228,output=1795``.

    ``cost`` is in USD and must be there, ``latency`` in seconds; ``input``, ``output``, ``cache_read`` and
    ``cache_write`` are whole tokens.

    Raises:
        LedgerError: A part is no figure, is not known, stands there twice, or the cost is missing.
    """
    figures: dict[str, Decimal] = {}
    for part in text.split(","):
        name, equals, figure = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise LedgerError(f"{part.strip()!r} in the typed totals is no name=figure: write them as {_EXAMPLE}")
        if name not in _NAMES:
            raise LedgerError(f"{unknown('total', name, _NAMES)}: write them as {_EXAMPLE}")
        if name in figures:
            raise LedgerError(f"{name} stands twice in the typed totals")
        if not _FIGURE.fullmatch(figure):
            raise LedgerError(f"{figure!r} is no figure for {name}: write digits with a point, and no commas in them")
        figures[name] = Decimal(figure)
    if "cost" not in figures:
        raise LedgerError(f"the typed totals hold no cost: write them as {_EXAMPLE}")
    tokens = {}
    for name in _TOKENS:
        if name in figures:
            if figures[name] != figures[name].to_integral_value():
                raise LedgerError(f"{name} counts tokens: {figures[name]} is no whole number")
            tokens[_TOKENS[name]] = int(figures[name])
    try:
        cost_pico = usd_to_pico(figures["cost"])
    except ValueError as error:
        raise LedgerError(f"the typed cost cannot be kept: {error}") from error
    return TypedTotals(cost_pico=cost_pico, latency_s=figures.get("latency"), **tokens)
