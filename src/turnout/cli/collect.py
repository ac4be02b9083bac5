"""`turnout collect`: a share of cheaply served requests answered again by the capable model, and judged."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
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
from turnout.cli.running import EXIT_STOPPED

if TYPE_CHECKING:
    from turnout.config import Settings
    from turnout.core.catalog import Catalog, Model
    from turnout.evaluate.collect.calling import Caller
    from turnout.evaluate.collect.choosing import Sample
    from turnout.evaluate.collect.collecting import Collector, Ended
    from turnout.evaluate.collect.judges import Judge
    from turnout.evaluate.collect.planning import Bill
    from turnout.evaluate.collect.purse import Purse
    from turnout.evaluate.collect.requests import Request
    from turnout.evaluate.collect.sampling import Sampling
    from turnout.evaluate.collect.state import State
    from turnout.evaluate.collect.writing import Card

NAME = "collect"

SETTINGS: dict[str, Any] = {
    "epilog": """\b
Examples:
turnout collect graded.jsonl --requests asked.jsonl --judge llm:anthropic/claude-sonnet-4-6 --plan
turnout collect graded.jsonl --requests asked.jsonl --judge llm:anthropic/claude-sonnet-4-6 --budget 5
turnout collect graded.csv --requests asked.csv --judge exact --pair CHEAP,CAPABLE --share 1 --budget 2
turnout collect graded.jsonl --judge my_checks:right --strata 0.4=0.05,0.7=0.4,1=0.1 --budget 5 """
}

EXIT_NOT_DONE = 1
"""Exit code where something is left to do: the budget was too small, or requests failed one after the other."""

NO_TEXT = (
    "the ledger keeps no prompts and no answers, and without them nothing can be asked again. Either give them: "
    "--requests FILE, a JSON object a line with 'prompt' or 'conversation', and if you have them 'id' (of the turn, the "
    "call or the query), 'answer' and 'expected'. Or have Turnout keep them from now on: record_text = true and "
    'texts = "texts.jsonl" in turnout.toml'
)


class _Run(NamedTuple):
    settings: Settings
    catalog: Catalog
    cheap: Model
    capable: Model
    judge_spec: str
    judging: Model | None
    rubric: str
    sampling: Sampling
    out: Path
    state_path: Path
    max_output: int


def run(
    out: Annotated[Path, typer.Argument(help="The table of outcomes that is written: .jsonl, .csv or .parquet.")],
    requests: Annotated[
        Path | None,
        typer.Option(
            help="Requests that were served: .jsonl, .csv or .parquet with prompt or conversation, and if known id, "
            "model, answer, expected. Default: the file of texts that the settings name."
        ),
    ] = None,
    judge: Annotated[
        str,
        typer.Option(
            help="exact or exact-loose (compare with 'expected'), agreement (with the capable model's answer), "
            "llm:MODEL (asked in both orders), or module:function (your check of one answer)."
        ),
    ] = "",
    budget: Annotated[
        str | None, typer.Option(help="The most USD that all runs into this file may spend. Needed unless --plan.")
    ] = None,
    share: Annotated[float, typer.Option(help="The share of requests that is sampled, 0.01 to 1.")] = 0.1,
    strata: Annotated[
        str,
        typer.Option(
            help="Shares by the verdict's probability that the cheap model suffices, such as 0.4=0.05,0.7=0.4,1=0.1; "
            "--share then holds for requests without a verdict."
        ),
    ] = "",
    seed: Annotated[str, typer.Option(help="Keys the sample: another seed draws another one.")] = "turnout",
    pair: Annotated[
        str | None, typer.Option(help="CHEAP,CAPABLE. Default: the least and the most capable of the settings.")
    ] = None,
    rubric: Annotated[
        Path | None, typer.Option(help="A text file that tells an LLM judge what makes an answer better.")
    ] = None,
    max_output: Annotated[int, typer.Option(min=1, help="The most tokens of an answer, thinking included.")] = 4_096,
    rpm: Annotated[float, typer.Option(help="The most calls a minute, all models together.")] = 60.0,
    concurrency: Annotated[int, typer.Option(min=1, help="How many requests are worked on at once.")] = 4,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would be done and what it costs; call nothing.")
    ] = False,
    state: Annotated[
        Path | None, typer.Option(help="Keeps what was done, to go on from. Default: OUT and .state beside it.")
    ] = None,
    ledger: LedgerOption = None,
    served_run: Annotated[
        str | None, typer.Option("--run", help="Look ids up among the calls of this run of the ledger only.")
    ] = None,
    record_as: Annotated[
        str, typer.Option(help="The run that the calls are recorded under in the ledger.")
    ] = "collect",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Answer a share of cheaply served requests again by the capable model, judge both, and write outcomes.

    Which requests are taken hangs on a keyed hash of their ids and is the same in every run; each outcome carries the
    probability with which it was sampled. A recorded answer is not bought again. Ctrl-C ends a run after the calls that
    are under way, a second one at once; the same command goes on from there. The calls are in the ledger, under a run
    and roles of their own. Prompts are written to OUT alone, and answers that are not judged yet to its state; both
    files can be read by you only (mode 0600).
    """
    from turnout.evaluate.collect.errors import CollectError
    from turnout.evaluate.outcomes.table import OutcomesError

    try:
        wanted, source = _wanted(
            out, requests, judge, share, strata, seed, pair, rubric, max_output, state, config, rpm=rpm
        )
        spend_pico = _budget(budget, plan=plan)
        lacks = _lacks(wanted)
        sample = _sample(wanted, source, ledger, served_run, lacks)
        if plan:
            _plan(wanted, sample, rpm, json=json)
            return
        ended = _collect(wanted, sample, spend_pico, rpm, concurrency, ledger, record_as, json=json)
    except (CollectError, OutcomesError) as error:
        raise UserError(str(error)) from None
    if ended.why == "stopped":
        raise typer.Exit(EXIT_STOPPED)
    if ended.why != "done":
        raise typer.Exit(EXIT_NOT_DONE)


def _wanted(
    out: Path,
    requests: Path | None,
    judge: str,
    share: float,
    strata: str,
    seed: str,
    pair: str | None,
    rubric: Path | None,
    max_output: int,
    state: Path | None,
    config: Path | None,
    *,
    rpm: float,
) -> tuple[_Run, Path]:
    from turnout.evaluate.collect.sampling import Sampling, strata_of
    from turnout.evaluate.outcomes.files import ending_of

    settings, catalog = load(config)
    if ending_of(out) == ".parquet":
        from turnout.config.extras import require

        require("pyarrow", extra="parquet")  # said before money is spent
    if not out.parent.is_dir():
        raise UserError(f"there is no folder {out.parent}")
    if not 0.0 < rpm < float("inf"):
        raise UserError(f"--rpm must be above 0, got {rpm:g}")
    source = requests or settings.texts
    if source is None:
        raise UserError(NO_TEXT)
    if not source.is_file():
        hint = "" if requests else "; nothing was recorded there yet"
        raise UserError(f"there is no file {source}{hint}")
    if source.resolve() == out.resolve():
        raise UserError(f"{out} is both read and written")
    cheap, capable = _pair(pair, settings, catalog)
    sampling = Sampling(share=share, strata=strata_of(strata) if strata else (), seed=seed)
    judging = _judging(judge, settings, catalog)
    text = ""
    if rubric is not None:
        if judging is None:
            raise UserError("--rubric is for an LLM judge: --judge llm:MODEL")
        try:
            text = rubric.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read {rubric}: {error}") from None
        if not text.strip():
            raise UserError(f"{rubric} is empty")
    state_path = state or out.with_name(out.name + ".state")
    if out.exists() and not state_path.exists():
        raise UserError(
            f"{out} is there, and is none that collect goes on with ({state_path} is missing): name another"
        )
    limit = min(max_output, *(model.max_output_tokens or max_output for model in (cheap, capable)))
    return (
        _Run(settings, catalog, cheap, capable, judge, judging, text, sampling, out, state_path, limit),
        source,
    )


def _budget(text: str | None, *, plan: bool) -> int:
    from turnout.core.cost import usd_to_pico

    if text is None:
        if plan:
            return 0
        raise UserError("--budget is needed: the most USD that may be spent; --plan says what to expect")
    try:
        usd = Decimal(text)
        if usd < 0:
            raise ValueError("below 0")
        return usd_to_pico(usd)
    except (InvalidOperation, ValueError):
        raise UserError(f"--budget must be an amount in USD such as 5 or 0.25, got {text!r}") from None


def _pair(text: str | None, settings: Settings, catalog: Catalog) -> tuple[Model, Model]:
    if text is None:
        ranked = settings.policy(catalog).ranked
        if len(ranked) < 2:
            raise UserError("the settings have one candidate only: --pair CHEAP,CAPABLE says who is compared")
        return catalog[ranked[-1].model], catalog[ranked[0].model]
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names):
        raise UserError(f"--pair must be CHEAP,CAPABLE, got {text!r}")
    cheap, capable = (catalog[_resolved(name, settings, catalog)] for name in names)
    if cheap == capable:
        raise UserError(f"--pair names one model twice: {cheap.id}")
    return cheap, capable


def _resolved(name: str, settings: Settings, catalog: Catalog) -> str:
    """A model's catalog id; a name that nobody knows stays as it is."""
    from turnout.config.errors import ConfigError
    from turnout.core.catalog import UnknownModelError

    if name in catalog:
        return name
    try:
        return settings.resolve(name)
    except (UnknownModelError, ConfigError):
        return name


def _judging(spec: str, settings: Settings, catalog: Catalog) -> Model | None:
    """The model behind a judge, or none; what is no judge is refused."""
    from turnout.core.catalog import unknown

    known = ("exact", "exact-loose", "agreement", "llm:MODEL", "module:function")
    if not spec:
        raise UserError(f"--judge is needed: one of {', '.join(known)}")
    if spec.startswith("llm:"):
        return catalog[_resolved(spec.removeprefix("llm:"), settings, catalog)]
    if spec not in known[:3] and ":" not in spec:
        raise UserError(f"{unknown('judge', spec, known)}; one of {', '.join(known)}")
    return None


def _lacks(wanted: _Run) -> Callable[[Request], str | None]:
    """What a judge needs of a request; a check in code is looked for now, before anything is spent."""
    return _judge(wanted, None).lacks if wanted.judging is None else lambda request: None


def _judge(wanted: _Run, caller: Caller | None) -> Judge:
    from turnout.evaluate.collect.judges.code import CodeJudge, check_named
    from turnout.evaluate.collect.judges.exact import AgreementJudge, ExactJudge
    from turnout.evaluate.collect.judges.llm import LLMJudge

    if wanted.judging is not None and caller is not None:
        return LLMJudge(wanted.judging, caller, rubric=wanted.rubric)
    match wanted.judge_spec:
        case "exact" | "exact-loose":
            return ExactJudge(loose=wanted.judge_spec == "exact-loose")
        case "agreement":
            return AgreementJudge()
    return CodeJudge(check_named(wanted.judge_spec), wanted.judge_spec)


def _sample(
    wanted: _Run, source: Path, ledger: Path | None, run: str | None, lacks: Callable[[Request], str | None]
) -> Sample:
    from turnout.evaluate.collect.choosing import sample_of

    path = ledger or wanted.settings.ledger
    # A file that says everything needs no ledger; one that is named has to be there.
    opened = open_for_reading(path) if ledger is not None or path.exists() else nullcontext()
    with opened as found:
        return sample_of(
            source,
            wanted.sampling,
            cheap=wanted.cheap.id,
            lacks=lacks,
            ledger=found,
            run=run,
            resolve=lambda name: _resolved(name, wanted.settings, wanted.catalog),
        )


def _identity(wanted: _Run) -> Any:
    from turnout.evaluate.collect.judges.llm import judge_name
    from turnout.evaluate.collect.state import Identity

    judging = wanted.judging
    judge = _judge(wanted, None).name if judging is None else judge_name(judging.id, wanted.rubric)
    return Identity(
        cheap=wanted.cheap.id,
        capable=wanted.capable.id,
        judge=judge,
        seed=wanted.sampling.seed,
        max_output=wanted.max_output,
    )


def _bills(wanted: _Run, requests: list[Request], state: State | None) -> list[Bill]:
    from turnout.evaluate.collect.planning import bills_of

    return bills_of(
        requests,
        state,
        cheap=wanted.cheap,
        capable=wanted.capable,
        judge=wanted.judging,
        max_output=wanted.max_output,
    )


def _plan(wanted: _Run, sample: Sample, rpm: float, *, json: bool) -> None:
    from turnout.core.cost import pico_to_usd
    from turnout.evaluate.collect.planning import pending
    from turnout.evaluate.collect.state import State

    opened = State(wanted.state_path, _identity(wanted)) if wanted.state_path.exists() else nullcontext()
    with opened as state:
        todo = pending(sample.requests, state)
        bills = _bills(wanted, todo, state)
        spent_pico = state.spent_pico if state else 0
    expected, highest = sum(bill.expected_pico for bill in bills), sum(bill.highest_pico for bill in bills)
    calls = sum(bill.calls for bill in bills)
    if json:
        print_json(
            {
                "read": sample.read,
                "left_out": dict(sample.left_out),
                "population": sample.population,
                "strata": {
                    name: {"population": all_, "sampled": taken} for name, (all_, taken) in sample.strata.items()
                },
                "sampled": len(sample.requests),
                "pending": len(todo),
                "calls": {bill.what: bill.calls for bill in bills},
                "expected_usd": f"{pico_to_usd(expected):f}",
                "highest_usd": f"{pico_to_usd(highest):f}",
                "spent_usd": f"{pico_to_usd(spent_pico):f}",
                "minutes": calls / rpm,
            }
        )
        return
    out = console()
    out.print(_funnel(wanted, sample))
    table = Table(title="calls still to be made", title_justify="left")
    for heading in ("for", "model", "calls", "expected USD", "highest USD"):
        table.add_column(heading, justify="left" if heading in ("for", "model") else "right", overflow="fold")
    words = {"cheap": "an answer that is not recorded", "capable": "the capable model's answer", "judge": "judging"}
    for bill in bills:
        table.add_row(
            words[bill.what], Text(bill.model), f"{bill.calls:,}", _usd(bill.expected_pico), _usd(bill.highest_pico)
        )
    table.add_row("together", "", f"{calls:,}", _usd(expected), _usd(highest), end_section=True)
    out.print(table)
    minutes = calls / rpm
    out.print(
        Text(
            f"{len(todo):,} requests are still to be done, at {rpm:g} calls a minute in {minutes:.1f} minutes or more. "
            f"Spent so far: {_usd(spent_pico)} USD. Nothing was called."
        )
    )
    _warn(wanted, sample)


def _funnel(wanted: _Run, sample: Sample) -> Table:
    table = Table(title=Text(f"{wanted.cheap.id} -> {wanted.capable.id}"), title_justify="left", show_header=False)
    table.add_column("what", overflow="fold")
    table.add_column("figure", justify="right")
    table.add_row("requests read", f"{sample.read:,}")
    for why, count in sorted(sample.left_out.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(Text(f"left out: {why}"), f"{count:,}")
    table.add_row("could be in the sample", f"{sample.population:,}")
    for name, (all_, taken) in sample.strata.items():
        if all_ and len(sample.strata) > 1:
            table.add_row(f"  {name}", f"{taken:,} of {all_:,}")
    table.add_row("in the sample", f"{len(sample.requests):,}")
    table.add_row("  with the answer that was served", f"{sample.answers:,}")
    table.add_row("  known to the ledger", f"{sample.in_ledger:,}")
    return table


def _collect(
    wanted: _Run,
    sample: Sample,
    budget_pico: int,
    rpm: float,
    concurrency: int,
    ledger: Path | None,
    record_as: str,
    *,
    json: bool,
) -> Ended:
    from turnout.core.cost import pico_to_usd
    from turnout.evaluate.collect.collecting import Ended
    from turnout.evaluate.collect.planning import pending
    from turnout.evaluate.collect.state import State
    from turnout.evaluate.collect.writing import card_of, write_outcomes

    if not sample.requests:
        console().print(_funnel(wanted, sample))
        why = "all were left out" if not sample.population else "the share is too small for so few: raise --share"
        raise UserError(f"no request is in the sample: {why}")
    _warn(wanted, sample)
    with State(wanted.state_path, _identity(wanted)) as state:
        todo = pending(sample.requests, state)
        shown = progress_console()
        if state.resumed:
            done = len(sample.requests) - len(todo)
            spent = pico_to_usd(state.spent_pico)
            shown.print(Text(f"going on: {done:,} of {len(sample.requests):,} are done, {spent:.4f} USD are spent"))
        ended = Ended("done", 0, 0)
        try:
            if todo:
                ended = _called(wanted, todo, state, budget_pico, rpm, concurrency, ledger, record_as)
        finally:
            # Also after a second Ctrl-C: what was graded is in the table.
            try:
                rows = write_outcomes(wanted.out, sample, wanted.sampling, state)
            except OSError as error:
                raise UserError(f"cannot write {wanted.out}: {error.strerror}; run the command again") from None
            state.compact()
        card = card_of(sample, wanted.sampling, state)
    if json:
        print_json({"ended": ended.why, "rows": rows, "card": card})
    else:
        _report(wanted, card, ended, rows)
    return ended


def _called(
    wanted: _Run,
    todo: list[Request],
    state: State,
    budget_pico: int,
    rpm: float,
    concurrency: int,
    ledger: Path | None,
    record_as: str,
) -> Ended:
    from turnout.evaluate.collect.calling import Caller
    from turnout.evaluate.collect.collecting import Collector
    from turnout.evaluate.collect.pace import Pace
    from turnout.evaluate.collect.purse import Purse
    from turnout.evaluate.collect.ways import ways_of
    from turnout.trace.store.ledger import Ledger
    from turnout.trace.store.recorder import Recorder
    from turnout.upstream.http.client import HttpClient
    from turnout.upstream.http.endpoint import connection_rules

    settings = wanted.settings
    called = [wanted.capable, *([wanted.judging] if wanted.judging else [])]
    if any(request.answer is None for request in todo):
        called.append(wanted.cheap)
    ways = ways_of(settings, called)

    async def work(recorder: Recorder) -> Ended:
        client = HttpClient(rules=connection_rules(settings))
        purse = Purse(budget_pico, state.spent_pico)
        caller = Caller(
            ways,
            client,
            rules=settings.calls,
            purse=purse,
            pace=Pace(rpm),
            account=state,
            records=recorder,
            run=record_as,
        )
        with _progress(len(todo), purse) as advance:
            collector = Collector(
                cheap=wanted.cheap,
                capable=wanted.capable,
                judge=_judge(wanted, caller),
                caller=caller,
                state=state,
                max_output=wanted.max_output,
                concurrency=concurrency,
                advance=advance,
            )
            try:
                with _interruptible(collector):
                    return await collector.run(todo)
            finally:
                await client.aclose()

    with Ledger(ledger or settings.ledger) as opened, Recorder(opened) as recorder:
        return asyncio.run(work(recorder))


@contextmanager
def _interruptible(collector: Collector) -> Iterator[None]:
    """The first Ctrl-C lets calls that are under way end, the second one leaves them."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        progress_console().print("stopping after the calls that are under way; Ctrl-C again leaves them")
        collector.stop()
        loop.add_signal_handler(signal.SIGINT, leave)

    def leave() -> None:
        if task is not None:
            task.cancel()

    try:
        loop.add_signal_handler(signal.SIGINT, interrupt)
    except (NotImplementedError, ValueError, RuntimeError):
        yield  # not the main thread: whoever runs it has Ctrl-C
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def _progress(total: int, purse: Purse) -> Iterator[Callable[[], None]]:
    """A bar with the money spent; where there is no terminal, a line every tenth of the way."""
    shown = progress_console()
    columns = (
        TextColumn("collecting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[spent]}"),
        TimeElapsedColumn(),
    )
    done = 0
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as bar:
        task = bar.add_task("collecting", total=total, spent="")

        def advance() -> None:
            nonlocal done
            done += 1
            spent = f"{_usd(purse.spent_pico)} of {_usd(purse.limit_pico)} USD"
            bar.update(task, advance=1, spent=spent)
            if not shown.is_terminal and (done == total or done % max(1, total // 10) == 0):
                shown.print(f"collected {done:,} of {total:,}, {spent}")

        yield advance


def _report(wanted: _Run, card: Card, ended: Ended, rows: int) -> None:
    out = console()
    table = Table(title=Text(f"{card.cheap} -> {card.capable}"), title_justify="left", show_header=False)
    table.add_column("what", overflow="fold")
    table.add_column("figure", justify="right")
    table.add_row("in the sample", f"{card.sampled:,} of {card.population:,}")
    table.add_row("graded", f"{card.graded:,}")
    for why, count in card.failed.items():
        table.add_row(Text(f"not graded: {why}"), f"{count:,}")
    if card.pending:
        table.add_row("still to be done", f"{card.pending:,}")
    if card.cheap_score is not None and card.capable_score is not None:
        table.add_row("mean score, cheap (weighted by 1 / propensity)", f"{card.cheap_score:.3f}")
        table.add_row("mean score, capable", f"{card.capable_score:.3f}")
    table.add_row("calls of all runs", f"{card.calls:,}")
    table.add_row("counted against the budget", f"{Decimal(card.spent_usd):.6f} USD")
    out.print(table)
    if card.agreement is not None:
        _agreement(card)
    why = {
        "done": "",
        "budget": "The highest cost of the next call does not fit in the budget: raise --budget to go on.",
        "stopped": "Stopped: the same command goes on from here.",
        "failing": f"Stopped after failures in a row, the last: {ended.last_failure}. The same command tries again.",
    }[ended.why]
    if why:
        out.print(Text(why))
    out.print(
        Text(
            f"{rows:,} outcomes written to {wanted.out} (it holds prompts; only you can read it). "
            f"Next: turnout outcomes inspect {wanted.out} --pair {card.cheap},{card.capable}"
        )
    )


def _agreement(card: Card) -> None:
    found = card.agreement
    if found is None or found.agreed is None:
        console().print("The judge was asked about no two different answers.")
        return
    text = (
        f"The judge said the same in both orders in {found.agreed.value:.1%} of {found.judged:,} requests "
        f"(95 % interval {found.agreed.low:.1%} to {found.agreed.high:.1%}"
    )
    text += ")" if found.kappa is None else f"; kappa {found.kappa:.2f})"
    text += (
        f": cheap better {found.cheap_preferred:,}, capable better {found.capable_preferred:,}, tie {found.ties:,}; "
        f"{found.contradicted:,} contradictions count as ties."
    )
    if found.first_preferred is not None:
        first = found.first_preferred
        text += (
            f" Of its preferences {first.value:.1%} ({first.low:.1%} to {first.high:.1%}) were for the answer shown "
            "first: half without a bias of position."
        )
    console().print(Text(text))
    if found.weak:
        console().print(
            Text(
                "WARNING: so many contradictions make ties of what the judge cannot tell, and a tie says that the cheap "
                "model suffices: take another judge, a rubric, or a check in code before you rely on these scores."
            )
        )


def _warn(wanted: _Run, sample: Sample) -> None:
    shown = progress_console()
    if sample.others:
        shown.print(Text(f"columns read over: {', '.join(sorted(sample.others))}"))
    if wanted.judging is not None and wanted.judging in (wanted.cheap, wanted.capable):
        shown.print(
            Text(
                f"note: the judge {wanted.judging.id} judges answers of its own; judges prefer those. Another is better."
            )
        )


def _usd(pico: int) -> str:
    from turnout.core.cost import pico_to_usd

    return f"{pico_to_usd(pico):.4f}"
