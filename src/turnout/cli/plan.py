"""`turnout plan`: what a change of prices, models or thresholds would do to spend and quality; and the lock file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.text import Text

from turnout.cli.common import (
    ConfigOption,
    JsonOption,
    LedgerOption,
    console,
    open_for_reading,
    print_json,
    progress_console,
)
from turnout.cli.errors import UserError
from turnout.cli.progress import progress

if TYPE_CHECKING:
    from turnout.config import Settings
    from turnout.evaluate.plan.limits import Limits
    from turnout.evaluate.plan.planning import Plan
    from turnout.evaluate.plan.recorded import Window
    from turnout.evaluate.plan.sides import Side

NAME = "plan"

EXIT_BROKEN = 1
"""Exit code where a bound is broken."""

_NUMBER = "a number of 0 or more, such as {}"

SETTINGS: dict[str, Any] = {
    "epilog": """\b
Examples:
turnout plan --write                          lock what routes now, with its predicted spend and quality
turnout plan                                  policy.toml against the settings and prices of now, on the last 7 days
turnout plan --max-spend-increase 5% --markdown plan.md      in CI: exit code 1 if spend rises by more
turnout plan --from policy.toml --to economy.toml --days 30"""
}


def run(
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Write the new side into the lock file, with its predicted spend and quality, unless a bound breaks.",
        ),
    ] = False,
    old: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="The old side: a policy.toml or a turnout.toml. Default: the settings' policy_file, else policy.toml "
            "beside them.",
        ),
    ] = None,
    new: Annotated[
        Path | None,
        typer.Option(
            "--to",
            help="The new side. Default: [policy] of the settings, with the catalog's prices of now.",
        ),
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=36_500, help="The ledger's last days (UTC), that of its newest decision included.")
    ] = 7,
    run: Annotated[str | None, typer.Option("--run", help="Only requests of this run.")] = None,
    outcomes: Annotated[
        list[Path] | None,
        typer.Option(
            "--outcomes",
            help="Graded answers (.parquet, .csv, .jsonl): quality is estimated by them; may be repeated. Default: by "
            "the recorded verdicts' own probabilities.",
        ),
    ] = None,
    max_spend_increase: Annotated[
        str | None, typer.Option("--max-spend-increase", metavar="PERCENT", help="Such as 5%; else exit code 1.")
    ] = None,
    max_spend_usd_per_day: Annotated[
        str | None, typer.Option("--max-spend-usd-per-day", metavar="USD", help="Such as 40; else exit code 1.")
    ] = None,
    max_quality_drop: Annotated[
        str | None,
        typer.Option("--max-quality-drop", metavar="NUMBER", help="Such as 0.01, of a scale to 1; else exit code 1."),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Hold the bounds against the bad ends of the estimates instead of their middles."
        ),
    ] = False,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the plan to this file as Markdown for a pull request; - prints it.")
    ] = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> int:
    """Say what a change of prices, models or thresholds would do to spend and quality.

    Both sides are played on the ledger's last days, decision by decision: each decides anew, and what follows from that
    for caches, sessions and budgets is carried forward. What goes as it was recorded is billed exactly; the rest is
    estimated, and says so. Exit code 1: a bound is broken, or with bounds more requests would be refused; 2: something
    cannot be read, or there is nothing to replay.
    """
    from turnout.config import load_settings
    from turnout.evaluate.outcomes.table import OutcomesError
    from turnout.evaluate.plan.errors import PlanError
    from turnout.evaluate.plan.limits import held
    from turnout.evaluate.plan.show import document, tables
    from turnout.evaluate.plan.show import markdown as as_markdown

    if json and markdown == Path("-"):
        raise UserError("either --json or --markdown -, not both on standard output")
    settings = load_settings(config, locked=False)
    try:
        limits = _limits(max_spend_increase, max_spend_usd_per_day, max_quality_drop, strict=strict)
        lock = settings.policy_file or _beside(settings)
        after = _new_side(new, settings)
        before = _old_side(old, lock, after, write=write)
        if write and new is not None and new.resolve() == lock.resolve():
            raise UserError(f"--to {new} is the lock file itself: there is nothing to write into it")
        made = _made(settings, ledger, before, after, days=days, run=run, outcomes=outcomes)
        found = held(made, limits)
    except (PlanError, OutcomesError) as error:
        raise UserError(str(error)) from None
    broken = [one for one in found if not one.kept]
    if markdown is not None and markdown != Path("-"):
        _write(markdown, as_markdown(made, found))
    if json:
        print_json(document(made, found))
    elif markdown == Path("-"):
        typer.echo(as_markdown(made, found), nl=False)
    else:
        for part in tables(made, found):
            console().print(part)
    if broken:
        names = "; ".join(f"{one.bound} ({one.words})" for one in broken)
        kept = f"; {lock} was not written" if write else ""
        progress_console().print(Text(f"turnout: broken: {names}{kept}"), soft_wrap=True)
        return EXIT_BROKEN
    if write:
        _write_lock(lock, made, settings)
    return 0


def _limits(increase: str | None, a_day: str | None, drop: str | None, *, strict: bool) -> Limits:
    from turnout.evaluate.plan.limits import Limits, percent

    limits = Limits(
        spend_increase=None if increase is None else percent(increase),
        spend_usd_per_day=_amount("--max-spend-usd-per-day", a_day, "40"),
        quality_drop=_amount("--max-quality-drop", drop, "0.01"),
        strict=strict,
    )
    if strict and not limits.any:
        raise UserError("--strict says how bounds are held: set one, such as --max-spend-increase 5%")
    if limits.quality_drop is not None and limits.quality_drop > 1:
        raise UserError(f"--max-quality-drop is of a scale from 0 to 1, got {drop}")
    return limits


def _amount(option: str, text: str | None, example: str) -> Decimal | None:
    if text is None:
        return None
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise UserError(f"{option} must be {_NUMBER.format(example)}, got {text!r}")
    return value


def _beside(settings: Settings) -> Path:
    """Where the lock lies if the settings do not say."""
    from turnout.config.policy_lock import LOCK_NAME

    return (settings.file.parent if settings.file is not None else Path()) / LOCK_NAME


def _new_side(path: Path | None, settings: Settings) -> Side:
    from turnout.config import load_catalog
    from turnout.evaluate.plan.sides import side_of_file, side_of_settings

    if path is not None:
        return side_of_file(path)
    name = "the defaults" if settings.file is None else settings.file.name
    catalog = load_catalog(settings.overrides)
    settings.policy(catalog)
    return side_of_settings(settings, catalog, name)


def _old_side(path: Path | None, lock: Path, new: Side, *, write: bool) -> Side:
    """The side that holds; for the first lock the new side itself."""
    from turnout.config.errors import ConfigError
    from turnout.evaluate.plan.sides import side_of_file

    if path is None and not lock.exists():
        if not write:
            raise UserError(
                f"{lock}: there is no such file: `turnout plan --write` makes it, or name a file with --from"
            )
        return msgspec.structs.replace(new, name="no lock yet")
    try:
        return side_of_file(path or lock)
    except ConfigError as error:
        if not write or path is not None:
            raise
        # It is about to be replaced, and cannot be mended by any other command.
        progress_console().print(Text(f"the lock that is there counts as none: {error}"), soft_wrap=True)
        return msgspec.structs.replace(new, name="no lock yet")


def _made(
    settings: Settings,
    ledger: Path | None,
    old: Side,
    new: Side,
    *,
    days: int,
    run: str | None,
    outcomes: list[Path] | None,
) -> Plan:
    from turnout.evaluate.outcomes.files import source_of
    from turnout.evaluate.plan.planning import make_plan

    graded = source_of(outcomes) if outcomes else None
    with open_for_reading(ledger or settings.ledger) as opened:
        if run is not None:
            opened.run(run)
        with _bar() as (begin, advance):
            return make_plan(opened, old, new, days=days, run=run, outcomes=graded, begin=begin, advance=advance)


@contextmanager
def _bar() -> Iterator[tuple[Callable[[Window], None], Callable[[int], None]]]:
    """A bar whose length is known once the window is."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        shown: list[Callable[[int], None]] = []

        def begin(window: Window) -> None:
            shown.append(stack.enter_context(progress("requests replayed", window.decisions)))

        yield begin, lambda decisions: shown[-1](decisions)


def _write_lock(path: Path, made: Plan, settings: Settings) -> None:
    from turnout.config.policy_lock_text import lock_text
    from turnout.evaluate.plan.planning import locked

    text = lock_text(locked(made))
    same = path.exists() and path.read_bytes() == text.encode()
    if not same:
        _write(path, text)
    said = "is as it was" if same else "written"
    progress_console().print(Text(f"{path}: {said}"), soft_wrap=True)
    if settings.policy_file is None:
        hint = f'for routers to hold to it, set policy_file = "{path.name}" in turnout.toml'
        progress_console().print(Text(hint), soft_wrap=True)


def _write(path: Path, text: str) -> None:
    """Write a file that appears under its name only when it is whole."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            part.write_text(text, encoding="utf-8", newline="\n")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror or error}): name another file") from None
