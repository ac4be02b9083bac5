"""`turnout collect`: a share of cheaply served requests answered again by the capable model, and judged."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
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
    from turnout.evaluate.collect.choosing import Sample
    from turnout.evaluate.collect.collecting import Collector
    from turnout.evaluate.collect.purse import Purse
    from turnout.evaluate.collect.session import Collected, Limits
    from turnout.evaluate.collect.wanted import Wanted

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
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be done and what it costs; call none.")] = False,
    state: Annotated[
        Path | None, typer.Option(help="Keeps what was done, to go on from. Default: OUT and .state beside it.")
    ] = None,
    ledger: LedgerOption = None,
    served_run: Annotated[
        str | None, typer.Option("--run", help="Look ids up among the calls of this run of the ledger only.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again also what failed in a way that is not expected to change.")
    ] = False,
    record_as: Annotated[str, typer.Option(help="The run that the calls are recorded under.")] = "collect",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Answer a share of cheaply served requests again by the capable model, judge both, write outcomes.

    Which requests are taken hangs on a keyed hash of their ids and is the same in every run; each outcome carries the
    probability with which it was sampled. A recorded answer is not bought again. Ctrl-C ends a run after what is
    under way, a second one at once; the same command goes on from there. The calls are in the ledger, under a run
    and roles of their own. Prompts are written to OUT alone, and answers that are not judged yet to its state; both
    files can be read by you only (mode 0600).
    """
    from turnout.evaluate.collect import show
    from turnout.evaluate.collect.errors import CollectError
    from turnout.evaluate.collect.sampling import Sampling, strata_of
    from turnout.evaluate.collect.session import Limits, planned, sampled
    from turnout.evaluate.collect.wanted import Wanted, models_of, rubric_of, source_of
    from turnout.evaluate.outcomes.table import OutcomesError

    try:
        settings, catalog = load(config)
        if not 0.0 < rpm < float("inf"):
            raise UserError(f"--rpm must be above 0, got {rpm:g}")
        source = source_of(requests, settings)
        models = models_of(pair, judge, settings, catalog)
        kept = state or out.with_name(out.name + ".state")
        _check_out(out, kept, source)
        wanted = Wanted(
            settings,
            catalog,
            models,
            judge,
            rubric_of(rubric, models.judging),
            Sampling(share=share, strata=strata_of(strata) if strata else (), seed=seed),
            source,
            out,
            kept,
            min(max_output, *(model.max_output_tokens or max_output for model in (models.cheap, models.capable))),
        )
        limits = Limits(_budget(budget, plan=plan), rpm, concurrency)
        path = ledger or settings.ledger
        # A file that says everything needs no ledger; one that is named has to be there.
        with open_for_reading(path) if ledger is not None or path.exists() else nullcontext() as opened:
            sample = sampled(wanted, opened, served_run)
        for note in show.notes(wanted, sample):
            progress_console().print(Text(note))
        if plan:
            found = planned(wanted, sample, retry_failed=retry_failed)
            if json:
                print_json(_plan_document(sample, found, rpm))
            else:
                console().print(Text(show.heading(wanted)), soft_wrap=True)
                console().print(show.sample_table(sample), show.plan_table(found))
                console().print(Text(show.plan_sentence(found, rpm)))
            return
        done = _collect(wanted, sample, limits, path, record_as, retry_failed=retry_failed)
    except (CollectError, OutcomesError) as error:
        raise UserError(str(error)) from None
    if json:
        print_json({"ended": done.ended.why, "rows": done.rows, "card": done.card})
    else:
        console().print(Text(show.heading(wanted)), soft_wrap=True)
        console().print(show.card_table(done.card))
        for sentence in show.sentences(done, out):
            console().print(Text(sentence), soft_wrap=True)  # so that commands can be copied
    if done.ended.why != "done":
        raise typer.Exit(EXIT_STOPPED if done.ended.why == "stopped" else EXIT_NOT_DONE)


def _check_out(out: Path, state: Path, source: Path) -> None:
    """Say what is wrong with the files that will be written, before money is spent."""
    from turnout.config.extras import require
    from turnout.evaluate.outcomes.files import ending_of

    if ending_of(out) == ".parquet":
        require("pyarrow", extra="parquet")
    for path in (out, state):
        if not path.parent.is_dir():
            raise UserError(f"there is no folder {path.parent}")
        if path.resolve() == source.resolve():
            raise UserError(f"{path} is both read and written")
    if out.exists() and not state.exists():
        raise UserError(f"{out} is there already, and no collection that could be gone on with ({state}): name another")


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


def _plan_document(sample: Sample, plan: Any, rpm: float) -> dict[str, Any]:
    from turnout.core.cost import usd_text

    return {
        "read": sample.read,
        "left_out": dict(sample.left_out),
        "population": sample.population,
        "strata": {name: {"population": whole, "sampled": taken} for name, (whole, taken) in sample.strata.items()},
        "sampled": len(sample.requests),
        "with_answer": sample.answers,
        "in_ledger": sample.in_ledger,
        "pending": plan.pending,
        "calls": {bill.what: bill.calls for bill in plan.bills},
        "expected_usd": usd_text(plan.expected_pico),
        "highest_usd": usd_text(plan.highest_pico),
        "spent_usd": usd_text(plan.spent_pico),
        "minutes": plan.calls / rpm,
    }


def _collect(
    wanted: Wanted, sample: Sample, limits: Limits, path: Path, record_as: str, *, retry_failed: bool
) -> Collected:
    from turnout.evaluate.collect import show
    from turnout.evaluate.collect.session import collected
    from turnout.trace.store.ledger import Ledger
    from turnout.trace.store.recorder import Recorder

    if not sample.requests:
        console().print(show.sample_table(sample))
        why = "all were left out" if not sample.population else "the share is too small for so few: raise --share"
        raise UserError(f"no request is in the sample: {why}")

    def resumed(done: int, spent_pico: int) -> None:
        spent = show.usd(spent_pico)
        progress_console().print(f"going on: {done:,} of {len(sample.requests):,} are done, {spent} USD are spent")

    with Ledger(path) as opened, Recorder(opened) as recorder:
        return collected(
            wanted,
            sample,
            limits,
            records=recorder,
            run=record_as,
            watch=_watch,
            resumed=resumed,
            retry_failed=retry_failed,
        )


@contextmanager
def _watch(collector: Collector, purse: Purse, total: int) -> Iterator[Callable[[], None]]:
    """What is around a run while it works: a bar with the money spent, and the manners of Ctrl-C."""
    with _progress(total, purse) as advance, _interruptible(collector):
        yield advance


@contextmanager
def _interruptible(collector: Collector) -> Iterator[None]:
    """The first Ctrl-C lets calls that are under way end, the second one leaves them."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def interrupt() -> None:
        progress_console().print("stopping after what is under way; Ctrl-C again leaves it")
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
    from turnout.evaluate.collect.show import usd

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
            spent = f"{usd(purse.spent_pico)} of {usd(purse.limit_pico)} USD"
            bar.update(task, advance=1, spent=spent)
            if not shown.is_terminal and (done == total or done % max(1, total // 10) == 0):
                shown.print(f"collected {done:,} of {total:,}, {spent}")

        yield advance
