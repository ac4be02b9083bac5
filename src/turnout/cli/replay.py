"""`turnout replay`: a trace through the decision core, policy beside policy; and every recorded decision made again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import msgspec
import typer
from rich.text import Text

from turnout.cli.common import (
    ConfigOption,
    JsonOption,
    LedgerOption,
    console,
    load,
    open_for_reading,
    print_json,
    progress_console,
)
from turnout.cli.errors import UserError
from turnout.cli.progress import progress
from turnout.config.pairs import PAIR_4, PAIR_5_5, Pair
from turnout.core.cache import TTL_MS, Ttl
from turnout.core.catalog import Catalog, unknown
from turnout.core.spend_bound import SpendBound
from turnout.evaluate.replay.compared import POLICIES, policies_for
from turnout.evaluate.replay.errors import TraceError
from turnout.trace.store import selection
from turnout.trace.store.selection import Filter

if TYPE_CHECKING:
    from turnout.config import Settings
    from turnout.evaluate.replay.arrivals import Arrival
    from turnout.evaluate.replay.conditions import Conditions
    from turnout.evaluate.replay.requests import Trace
    from turnout.evaluate.replay.verdicts import Verdicts

NAME = "replay"

DIFFERENT = 1
"""Exit code where a decision came out otherwise, or a cell of a grid failed."""

_CLASSIFIERS = ("keyword", "length", "embedding", "llm", "cascade")


def run(
    trace: Annotated[
        Path | None,
        typer.Argument(
            help="A Mooncake trace (.jsonl, .jsonl.xz), tau-bench conversations (.json, .json.xz), a ledger."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Make every decision of a ledger again and compare byte for byte.")
    ] = False,
    format: Annotated[
        str | None, typer.Option(help="mooncake, tau-bench or ledger. Default: by the name of the file.")
    ] = None,
    policy: Annotated[
        list[str] | None, typer.Option("--policy", help=f"Only this policy, may be repeated: {', '.join(POLICIES)}.")
    ] = None,
    pair: Annotated[
        list[str] | None,
        typer.Option(help="CHEAP,CAPABLE by catalog id, may be repeated. Default: both reference pairs."),
    ] = None,
    verdicts: Annotated[
        str | None,
        typer.Option(
            help=f"drawn, recorded, a classifier ({', '.join(_CLASSIFIERS)}) or a file of JSON lines. "
            "Default: recorded for a ledger, else drawn."
        ),
    ] = None,
    share: Annotated[float, typer.Option(help="Drawn verdicts: the share of turns that are simple.")] = 0.6,
    correlation: Annotated[
        float, typer.Option(help="Drawn verdicts: how alike the turns of a session are, from 0 to below 1.")
    ] = 0.0,
    accuracy: Annotated[
        list[float] | None,
        typer.Option(help="Drawn verdicts: the share that is right; may be repeated. Default: 1."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Drawn verdicts: the seed.")] = 0,
    convention: Annotated[
        str, typer.Option(help="strict: prefixes must reach the floor; reference: prompts must.")
    ] = "strict",
    ttl: Annotated[
        list[str] | None,
        typer.Option(help="A TTL that may be asked for, may be repeated. Default: as the models offer."),
    ] = None,
    lost: Annotated[float, typer.Option(help="The chance that a call finds nothing warm although it should.")] = 0.0,
    bound: Annotated[
        str | None,
        typer.Option(
            metavar="EPSILON[:KAPPA_USD]",
            help="Turnout's own policies spend at most (1 + EPSILON) times what the most capable model alone would and "
            "KAPPA_USD once. Default: 0.05:5, with the convention strict.",
        ),
    ] = None,
    no_bound: Annotated[bool, typer.Option("--no-bound", help="Do not bound what they spend.")] = False,
    lower_bound: Annotated[
        bool, typer.Option(help="Compute what no policy can fall below; traces of blocks only.")
    ] = True,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many requests, the first; of tau-bench: conversations.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", help="Of a ledger, only this run.")] = None,
    since: Annotated[
        str | None, typer.Option(help="With --verify, only what started since: an age such as 7d, or a date or time.")
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Draw the costs into this file.")] = None,
    grid: Annotated[
        Path | None,
        typer.Option(help="Run the grid of shares, correlations and seeds instead; results are kept in this file."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="The grid's seeds.")] = 20,
    step: Annotated[float, typer.Option(min=0.01, max=1.0, help="The grid's steps of the share.")] = 0.1,
    jobs: Annotated[int, typer.Option(min=1, help="The grid's processes.")] = 1,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Replay a trace through the decision core, policy beside policy, with a simulated provider cache."""
    settings, catalog = load(config)
    try:
        if verify:
            _verify(trace or ledger or settings.ledger, run, since, json=json)
            return
        if trace is None:
            raise UserError("no trace; name a file, or use --verify to make the ledger's decisions again")
        wanted = [_pair(text, settings, catalog) for text in pair or []] or [PAIR_4, PAIR_5_5]
        loaded, arrivals = _load(trace, format, run, limit)
        held = [_conditions(catalog, one, loaded, convention=convention, ttls=ttl, lost=lost) for one in wanted]
        spend = _bound(bound, off=no_bound or (bound is None and convention != "strict"))
        if grid is not None:
            _grid(loaded, held, wanted, grid, bound=spend, seeds=seeds, step=step, jobs=jobs, json=json)
            return
        judged = _verdicts(
            loaded, verdicts, settings, catalog, share=share, correlation=correlation, accuracies=accuracy, seed=seed
        )
        names = _names(policy, loaded)
        _compare(loaded, arrivals, judged, held, names, bound=spend, lower=lower_bound, png=png, json=json)
    except TraceError as error:
        raise UserError(str(error)) from error


def _verify(path: Path, run: str | None, since: str | None, *, json: bool) -> None:
    from turnout.evaluate.replay.verify import verify

    since_ms = None if since is None else selection.since(since, time.time_ns() // 1_000_000)
    chosen = Filter(run=run, since_ms=since_ms)
    with open_for_reading(path) as opened:
        if run is not None:
            opened.run(run)
        with progress("decisions made again", selection.count(opened, chosen, "decisions")) as advance:
            verified = verify(opened, chosen, advance)
    if json:
        print_json(verified)
    else:
        out = console()
        same = verified.decisions - verified.different
        out.print(f"{same:,} of {verified.decisions:,} decisions came out byte for byte as they are stored")
        for one in verified.first:
            out.print(Text(f"decision {one.event_id}, run {one.run}, turn {one.turn_id}", style="bold"))
            for field in one.fields:
                out.print(Text(f"  {field}"))
        if verified.different > len(verified.first):
            out.print(f"and {verified.different - len(verified.first):,} more")
    if verified.different:
        raise typer.Exit(DIFFERENT)


def _load(path: Path, format: str | None, run: str | None, limit: int | None) -> tuple[Trace, Sequence[Arrival]]:
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from turnout.evaluate.replay.arrivals import arrivals_of
    from turnout.evaluate.replay.sources import load_trace

    shown = progress_console()
    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,.0f}"))
    # How long a trace is shows only at its end.
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as bar:
        task = bar.add_task(f"read of {path.name}:", total=None)
        loaded = load_trace(path, format, run=run, limit=limit, advance=lambda read: bar.advance(task, read))
    return loaded, arrivals_of(loaded.requests)


def _pair(text: str, settings: Settings, catalog: Catalog) -> Pair:
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names):
        raise UserError(f"--pair is the cheap model, a comma and the capable one, got {text!r}")
    cheap, capable = (catalog[name if name in catalog else settings.resolve(name)].id for name in names)
    if cheap == capable:
        raise UserError(f"--pair names {cheap} twice")
    return Pair(cheap, capable)


def _conditions(
    catalog: Catalog, pair: Pair, trace: Trace, *, convention: str, ttls: Sequence[str] | None, lost: float
) -> Conditions:
    from turnout.evaluate.replay.conditions import conditions
    from turnout.evaluate.replay.provider import Convention

    if convention not in get_args(Convention):
        raise UserError(unknown("convention", convention, get_args(Convention)))
    for one in ttls or ():
        if one not in TTL_MS:
            raise UserError(unknown("TTL", one, TTL_MS))
    try:
        return conditions(
            catalog,
            pair,
            trace.grain,
            ttls=cast("Sequence[Ttl]", ttls or tuple(TTL_MS)),
            convention=cast("Convention", convention),
            lost=lost,
        )
    except ValueError as error:
        raise UserError(str(error)) from error


def _bound(text: str | None, *, off: bool) -> SpendBound | None:
    from turnout.core.cost import usd_to_pico
    from turnout.evaluate.replay.bounded import DEFAULT_BOUND

    if off:
        if text is not None:
            raise UserError("either --bound or --no-bound, not both")
        return None
    if text is None:
        return DEFAULT_BOUND
    epsilon, _, kappa = text.partition(":")
    try:
        parts: dict[str, float | int] = {"epsilon": float(epsilon)}
        if kappa:
            parts["kappa_pico"] = usd_to_pico(Decimal(kappa))
        return msgspec.convert({**msgspec.structs.asdict(DEFAULT_BOUND), **parts}, SpendBound)
    except (ValueError, ArithmeticError) as error:
        raise UserError(f"--bound: must be EPSILON or EPSILON:KAPPA_USD, such as 0.05:5, got {text!r}") from error


def _names(wanted: Sequence[str] | None, trace: Trace) -> list[str]:
    for name in wanted or ():
        if name not in POLICIES:
            raise UserError(unknown("policy", name, POLICIES))
    return list(dict.fromkeys(wanted or policies_for(trace.grain)))


def _verdicts(
    trace: Trace,
    source: str | None,
    settings: Settings,
    catalog: Catalog,
    *,
    share: float,
    correlation: float,
    accuracies: Sequence[float] | None,
    seed: int,
) -> list[Verdicts]:
    from turnout.evaluate.replay import verdicts

    if source is None:
        source = "recorded" if any(request.verdict is not None for request in trace.requests) else "drawn"
    if source == "drawn":
        drawn = []
        for accuracy in accuracies or [1.0]:
            try:
                difficulty = verdicts.Difficulty(share=share, correlation=correlation, accuracy=accuracy, seed=seed)
            except ValueError as error:
                raise UserError(str(error)) from error
            drawn.append(verdicts.draw(trace.requests, difficulty))
        return drawn
    if accuracies:
        raise UserError("--accuracy belongs to drawn verdicts; others are taken as they are")
    if source == "recorded":
        if all(request.verdict is None for request in trace.requests):
            raise UserError(f"{trace.name} holds no verdicts: --verdicts drawn, or a file of them")
        return [verdicts.recorded(trace.requests)]
    if source in _CLASSIFIERS:
        from turnout.classify.configured import configured_classifier
        from turnout.classify.length import LengthClassifier

        classifier = LengthClassifier() if source == "length" else configured_classifier(settings, catalog, kind=source)
        assert classifier is not None, "only the kind 'none' has no classifier"
        with progress("classified", len(trace.requests)) as advance:
            return [verdicts.classified(trace.requests, classifier, advance)]
    return [verdicts.from_file(Path(source), trace.requests)]


def _compare(
    trace: Trace,
    arrivals: Sequence[Arrival],
    judged: Sequence[Verdicts],
    held: Sequence[Conditions],
    names: Sequence[str],
    *,
    bound: SpendBound | None,
    lower: bool,
    png: Path | None,
    json: bool,
) -> None:
    from turnout.evaluate.replay.comparison import compare, to_json
    from turnout.evaluate.replay.plot import draw
    from turnout.evaluate.replay.tables import bound_table, comparison_table, legend, sensitivity_table

    # A recorded request has cache points of its own.
    own = any(one.marker for request in trace.requests for one in request.segments)
    with progress("calls", len(judged) * len(held) * len(names) * len(arrivals)) as advance:
        comparisons = [
            compare(
                trace,
                arrivals,
                verdicts,
                conditions,
                names,
                marking="recorded" if own else "ends",
                bound=bound,
                lower=lower and trace.grain == "blocks",
                advance=advance,
            )
            for conditions in held
            for verdicts in judged
        ]
    if png is not None:
        try:
            draw(comparisons, png)
        except OSError as error:
            raise UserError(f"{png} cannot be written ({error.strerror or error}): name another file") from error
        progress_console().print(f"wrote {png}", highlight=False, markup=False)
    if json:
        print_json([to_json(one) for one in comparisons])
        return
    out = console()
    for one in comparisons:
        out.print(comparison_table(one))
        kept = bound_table(one)
        if kept is not None:
            out.print(kept)
    if len(comparisons) > 1:
        out.print(sensitivity_table(comparisons))
    out.print(legend(comparisons[0]))


def _grid(
    trace: Trace,
    held: Sequence[Conditions],
    pairs: Sequence[Pair],
    path: Path,
    *,
    bound: SpendBound | None,
    seeds: int,
    step: float,
    jobs: int,
    json: bool,
) -> None:
    from turnout.evaluate.replay.grid import CORRELATIONS, cells, run_grid, spots
    from turnout.evaluate.replay.tables import grid_table

    steps = round(1 / step)
    if abs(steps * step - 1) > 1e-6:
        raise UserError(f"--step must divide 1, got {step:g}")
    shares = [round(index / steps, 6) for index in range(steps + 1)]
    wanted = spots(pairs, shares, CORRELATIONS, seeds)
    with progress("runs of the grid", len(wanted)) as advance:
        made = cells(run_grid(trace, held, wanted, path, bound=bound, jobs=jobs, advance=advance))
    if json:
        print_json([{**msgspec.structs.asdict(cell), "passes": cell.passes} for cell in made])
    else:
        names = {model.id: model.name for one in held for model in one.catalog.models}
        console().print(grid_table(made, names))
    if not all(cell.passes for cell in made):
        raise typer.Exit(DIFFERENT)
