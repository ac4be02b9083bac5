"""The options that demonstration and chat share, checked before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from examples.customer_support.models import PAIRS
from turnout.cli.errors import UserError

Mode = Literal["simulated", "live", "local", "openai"]


class AgentOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to run and where to write.

    Attributes:
        mode: Where the answering models run.
        pairs: Names of pairs, for simulated and live.
        base_url: The OpenAI-compatible server.
        cheap: Its cheap model.
        capable: Its capable model.
        region: The AWS region, for live.
        all_sets: Whether the held-out and the real queries run too.
        assess_pairs: On how many held-out pairs the classifiers are assessed; none: on all.
        ledger: The ledger's file; none: as configured.
    """

    mode: Mode = "simulated"
    pairs: tuple[str, ...] = tuple(PAIRS)
    base_url: str | None = None
    cheap: str | None = None
    capable: str | None = None
    region: str | None = None
    all_sets: bool = True
    assess_pairs: int | None = None
    ledger: Path | None = None


def checked(
    *,
    live: bool,
    local: bool,
    base_url: str | None,
    cheap: str | None,
    capable: str | None,
    region: str | None,
    pairs: list[str] | None,
    all_sets: bool | None = None,
    assess_pairs: int | None = None,
    ledger: Path | None,
) -> AgentOptions:
    """The options of a command line.

    Raises:
        UserError: They contradict each other, or a pair is not known.
    """
    if live + local + (base_url is not None) > 1:
        raise UserError("choose one of --live, --local and --base-url")
    if base_url is None and (cheap or capable):
        raise UserError("--cheap and --capable name models of an OpenAI-compatible server: give its --base-url too")
    if base_url is not None:
        if not base_url.startswith(("http://", "https://")):
            raise UserError(f"--base-url must begin with http:// or https://, got {base_url!r}")
        if not (cheap and capable):
            raise UserError("--base-url needs --cheap MODEL and --capable MODEL, as the server names them")
        if cheap == capable:
            raise UserError(f"--cheap and --capable are both {cheap!r}: routing needs two models")
    mode: Mode = "live" if live else "local" if local else "openai" if base_url else "simulated"
    chosen = tuple(dict.fromkeys(pairs or PAIRS))
    for name in chosen:
        if name not in PAIRS:
            raise UserError(f"there is no pair {name!r}; known are {', '.join(PAIRS)}")
    return AgentOptions(
        mode=mode,
        pairs=chosen if mode in ("simulated", "live") else (mode,),
        base_url=base_url,
        cheap=cheap,
        capable=capable,
        region=region,
        # Real models cost money or minutes: there only the five prompts run unless more is asked for.
        all_sets=mode == "simulated" if all_sets is None else all_sets,
        assess_pairs=assess_pairs,
        ledger=ledger,
    )
