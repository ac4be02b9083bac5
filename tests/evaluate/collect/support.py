"""What the tests of collections share: a double that answers and judges, settings that call it, files of requests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from turnout.config import Settings, load_catalog, load_settings
from turnout.core.cost import usd_to_pico
from turnout.evaluate.collect.calling import Caller
from turnout.evaluate.collect.collecting import Collector
from turnout.evaluate.collect.pace import Pace
from turnout.evaluate.collect.purse import Purse
from turnout.evaluate.collect.sampling import Sampling
from turnout.evaluate.collect.session import Collected, Limits, collected, sampled
from turnout.evaluate.collect.wanted import Wanted, models_of
from turnout.evaluate.collect.ways import ways_of
from turnout.testing.completions import OpenAIDouble, Said
from turnout.trace.records import ListRecorder
from turnout.upstream.http.client import HttpClient

CATALOG = load_catalog()
CHEAP = CATALOG["openai/gpt-4.1-mini"]
CAPABLE = CATALOG["openai/gpt-4.1"]
JUDGE = CATALOG["openai/gpt-4.1-nano"]
ALL = Sampling(share=1.0)


def text_of(request: Mapping[str, Any]) -> str:
    """All that a chat request says."""
    return json.dumps(request["messages"])


def is_judged(request: Mapping[str, Any]) -> bool:
    return "You compare two answers" in text_of(request)


def answering(request: Mapping[str, Any]) -> Said:
    """A model answers with its own name; as a judge it prefers the capable one's."""
    if not is_judged(request):
        return Said(text=f"{request['model']} says")
    shown_first = text_of(request).partition("<answer_b>")[0].partition("<answer_a>")[2]
    return Said(text="A" if shown_first.startswith("gpt-4.1 ") else "B")


def settings_at(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch, extra: str = "") -> Settings:
    """Settings whose provider is the double."""
    monkeypatch.setenv("OPENAI_API_KEY", "simulated")
    path = folder / "turnout.toml"
    path.write_text(
        f"""ledger = "ledger.sqlite3"
{extra}
[policy]
cheap = "{CHEAP.id}"
capable = "{CAPABLE.id}"
[calls]
base_backoff_seconds = 0.0
[upstreams.openai]
protocol = "openai"
base_url = "{url}/v1"
key_env = "OPENAI_API_KEY"
""",
        encoding="utf-8",
    )
    return load_settings(path)


def lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def asked(count: int, **more: Any) -> list[dict[str, Any]]:
    """Requests that the cheap model served, with its answer."""
    return [
        {"id": f"q{number}", "prompt": f"Question {number}?", "model": CHEAP.id, "answer": f"small {number}", **more}
        for number in range(count)
    ]


def wanted_at(folder: Path, settings: Settings, rows: Iterable[Mapping[str, Any]], **more: Any) -> Wanted:
    judge = more.pop("judge", f"llm:{JUDGE.id}")
    fields: dict[str, Any] = {
        "settings": settings,
        "catalog": CATALOG,
        "models": models_of(None, judge, settings, CATALOG),
        "judge": judge,
        "rubric": "",
        "sampling": ALL,
        "source": lines(folder / "asked.jsonl", rows),
        "out": folder / "graded.jsonl",
        "state": folder / "graded.jsonl.state",
        "max_output": 500,
    }
    return Wanted(**(fields | more))


@contextmanager
def unwatched(collector: Collector, purse: Purse, total: int) -> Iterator[Any]:
    yield lambda: None


def collect(
    wanted: Wanted, usd: str = "1", *, records: ListRecorder | None = None, watch: Any = unwatched, **more: Any
) -> Collected:
    limits = Limits(usd_to_pico(Decimal(usd)), 1e9, more.pop("concurrency", 4))
    sample = sampled(wanted, more.pop("ledger", None), None)
    return collected(wanted, sample, limits, records=records or ListRecorder(), run="collect", watch=watch, **more)


class Account:
    """Notes what is set aside and settled."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, int]] = []

    def reserve(self, call: str, pico: int) -> None:
        self.noted.append(("reserve", pico))

    def settle(self, call: str, pico: int) -> None:
        self.noted.append(("settle", pico))


@asynccontextmanager
async def calling(
    settings: Settings, *, usd: str = "1", records: ListRecorder | None = None, **more: Any
) -> AsyncIterator[tuple[Caller, Purse, Account]]:
    """A caller of all three models."""
    purse, account, client = Purse(usd_to_pico(Decimal(usd))), Account(), HttpClient()
    fields: dict[str, Any] = {"rules": settings.calls, "pace": Pace(None)} | more
    fields.setdefault("ways", None)
    fields["ways"] = fields["ways"] or ways_of(settings, [CHEAP, CAPABLE, JUDGE])
    try:
        caller = Caller(**fields, client=client, purse=purse, account=account, records=records)
        yield caller, purse, account
    finally:
        await client.aclose()


def started(**options: Any) -> OpenAIDouble:
    double = OpenAIDouble(answering, **options)
    double.start()
    return double
