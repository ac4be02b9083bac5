"""The six functions of the reference system's metrics helper, over the ledger or over Langfuse.

For notebooks and scripts: call the agent, get the newest trace's figures, collect them under the test's name, print the
table. What is collected is kept in this process, for all threads together.

An agent's name is, in Langfuse, its traces' name; in the ledger, the run that its events belong to. Events go out under
their run's name unless labels say otherwise, so that both are the same.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Mapping
from typing import Any

import msgspec
from rich.console import Console

from turnout.config.settings import load_settings
from turnout.core.cost import pico_to_usd
from turnout.trace.langfuse.errors import TraceNotFoundError
from turnout.trace.langfuse.reading import LangfuseReader
from turnout.trace.langfuse.settings import langfuse_settings
from turnout.trace.langfuse.waiting import Cancel, Patience, Waiting
from turnout.trace.store.ledger import Ledger
from turnout.trace.views.metrics import RunMetrics, Totals, TurnMetrics, run_metrics, totals_of
from turnout.trace.views.tables import metrics_table

NO_PANDAS = "no DataFrame: pandas is not installed; run: pip install 'turnout[lab]'"
"""What `print_metrics_table` says below the table where it cannot give a DataFrame."""

_collected: list[TurnMetrics] = []
_lock = threading.Lock()


def get_latest_trace_metrics(
    agent_name: str,
    wait_seconds: float = 5,
    max_retries: int = 5,
    timeout_seconds: float = 120,
    *,
    source: LangfuseReader | Ledger | None = None,
    since_ms: float | None = None,
    cancel: Cancel | None = None,
) -> TurnMetrics:
    """The figures of an agent's newest turn, once they can be read.

    Langfuse shows a trace some seconds after it was sent: it is looked at after ``wait_seconds`` and then again after
    as many, until it is whole. The ledger is looked at once before anything is waited for.

    Args:
        agent_name: The agent: in Langfuse its traces' name, in the ledger its run.
        wait_seconds: Seconds between looks, in Langfuse also before the first.
        max_retries: How many looks may follow the first.
        timeout_seconds: Seconds in all.
        source: Where to read. Default: Langfuse where ``LANGFUSE_PUBLIC_KEY`` and ``LANGFUSE_SECRET_KEY`` are set, else
            the ledger of the settings.
        since_ms: Only what began then or later, in milliseconds since the epoch: give it the moment before the agent
            was called, and an older turn is never taken for the new one.
        cancel: Ends the waiting when it is set, such as a `threading.Event`.

    Raises:
        TraceNotFoundError: Nothing was found in the end.
        LangfuseError: Langfuse cannot be read.
        LedgerError: The ledger cannot be read, or has no such run (the message names the nearest one).
        ConfigError: The settings that name the ledger cannot be used.
    """
    patience = Patience(wait_seconds=wait_seconds, max_retries=max_retries, timeout_seconds=timeout_seconds)
    if source is None:
        langfuse = langfuse_settings(os.environ)
        if langfuse is not None:
            with LangfuseReader(langfuse) as reader:
                return reader.latest(agent_name, since_ms=since_ms, patience=patience, cancel=cancel).turn
        with Ledger(load_settings().ledger, create=False, read_only=True) as ledger:
            return _latest_in(ledger, agent_name, since_ms, patience, cancel)
    if isinstance(source, Ledger):
        return _latest_in(source, agent_name, since_ms, patience, cancel)
    return source.latest(agent_name, since_ms=since_ms, patience=patience, cancel=cancel).turn


def print_metrics(
    metrics: TurnMetrics,
    title: str = "",
    *,
    names: Mapping[str, str] | None = None,
    console: Console | None = None,
) -> None:
    """Print one turn: latency, cost, input, output, cache read and cache write, classifier and answer together.

    Args:
        metrics: The turn.
        title: What stands above it; default: the turn's name.
        names: Short names of models by catalog id.
        console: Where to print; default: standard output.
    """
    _print(title or metrics.name, [metrics], names, console)


def collect_metric(metrics: TurnMetrics, test_name: str = "") -> None:
    """Keep a turn's figures for the table.

    Args:
        metrics: The turn.
        test_name: What the table calls it; default: the name that it has.
    """
    with _lock:
        _collected.append(msgspec.structs.replace(metrics, query_id=test_name) if test_name else metrics)


def clear_metrics() -> None:
    """Forget what was collected."""
    with _lock:
        _collected.clear()


def get_collected_metrics() -> list[TurnMetrics]:
    """What was collected, in that order; a list of the caller's own."""
    with _lock:
        return list(_collected)


def print_metrics_table(
    title: str = "collected",
    *,
    names: Mapping[str, str] | None = None,
    console: Console | None = None,
) -> Any:
    """Print the collected turns with their totals, and give them as a table for further work.

    Args:
        title: What stands above the table.
        names: Short names of models by catalog id.
        console: Where to print; default: standard output.

    Returns:
        A ``pandas.DataFrame`` with a row for each turn and one for the totals (its latency is the mean), or none where
        pandas is not installed, which is said below the table. ``cost_usd`` is a binary fraction for plotting;
        ``cost_pico_usd`` is a whole number. ``exact`` says whether every call reported its usage in full; where not,
        the cost is the lowest, and ``cost_high_usd`` and ``cost_high_pico_usd`` the highest (none: no upper bound).
    """
    metrics = _run(title, get_collected_metrics())
    out = console or Console()
    out.print(metrics_table(metrics, names=names))
    try:
        pandas = importlib.import_module("pandas")
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        out.print(NO_PANDAS, markup=False, highlight=False, soft_wrap=True)
        return None
    return pandas.DataFrame([*(_row(turn) for turn in metrics.turns), _total_row(metrics)])


def _latest_in(
    ledger: Ledger, run: str, since_ms: float | None, patience: Patience, cancel: Cancel | None
) -> TurnMetrics:
    """The newest turn of a run, which the recorder's background writer may not have written yet."""
    waiting = Waiting(patience, cancel, at_once=True)
    while waiting.next_look():
        known = any(one.name == run for one in ledger.runs())
        turns = run_metrics(ledger, run).turns if known else ()
        found = [turn for turn in turns if since_ms is None or turn.started_ms >= since_ms]
        if found and found[-1].status != "no_answer":
            return found[-1]
    ledger.run(run)  # raises where there is no such run
    raise TraceNotFoundError(f"the ledger {ledger.path} has no answered turn of the run {run!r} yet: wait longer")


def _run(title: str, turns: list[TurnMetrics]) -> RunMetrics:
    return RunMetrics(run=title, turns=tuple(turns), totals=totals_of(turns))


def _print(title: str, turns: list[TurnMetrics], names: Mapping[str, str] | None, console: Console | None) -> None:
    (console or Console()).print(metrics_table(_run(title, turns), names=names))


def _row(turn: TurnMetrics) -> dict[str, Any]:
    tokens = (turn.usage.input_tokens, turn.usage.output_tokens)
    caches = (turn.usage.cache_read_tokens, turn.usage.cache_write_tokens)
    return {
        "test": turn.name,
        "model": turn.model,
        "reason": turn.reason,
        "status": turn.status,
        **_figures(turn, tokens, caches),
        "simulated": turn.simulated,
    }


def _total_row(metrics: RunMetrics) -> dict[str, Any]:
    totals = metrics.totals
    tokens = (totals.usage.input_tokens, totals.usage.output_tokens)
    caches = (totals.usage.cache_read_tokens, totals.usage.cache_write_tokens)
    return {
        "test": "TOTAL",
        "model": None,
        "reason": None,
        "status": f"{totals.answered} of {totals.turns} answered",
        **_figures(totals, tokens, caches),
        "simulated": totals.simulated,
    }


def _figures(of: TurnMetrics | Totals, tokens: tuple[int, int], caches: tuple[int, int]) -> dict[str, Any]:
    most = of.range.most_pico
    return {
        "latency_s": None if of.latency_ms is None else of.latency_ms / 1000,
        "cost_usd": float(pico_to_usd(of.cost_pico)),
        "cost_pico_usd": of.cost_pico,
        "exact": of.exactness.exact,
        "cost_high_usd": None if most is None else float(pico_to_usd(most)),
        "cost_high_pico_usd": most,
        "input": tokens[0],
        "output": tokens[1],
        "cache_read": caches[0],
        "cache_write": caches[1],
    }
