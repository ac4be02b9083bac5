"""Plays the demonstration: assesses the classifiers, then runs every set of queries through v3 and v4."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from examples.customer_support import backends
from examples.customer_support.backends import Backend
from examples.customer_support.demo.queries import Query, held_out, real_sample, test_prompts
from examples.customer_support.demo.report import Arms, Report, backend_title
from examples.customer_support.demo.run import Answered, run_queries
from examples.customer_support.options import AgentOptions
from examples.customer_support.tools import NoTools, SupportTools
from examples.customer_support.tools.web import WebSearch
from turnout.classify.assess import Assessment, assess, judge
from turnout.classify.embedding import EmbeddingClassifier
from turnout.classify.examples import load_queries, of_split
from turnout.classify.keyword import KeywordClassifier
from turnout.classify.length import LengthClassifier
from turnout.classify.llm import LLMClassifier, settings_for
from turnout.classify.llm_local import LocalClassifierModel
from turnout.classify.protocol import Classifier
from turnout.config import Settings, load_catalog, load_settings
from turnout.core.catalog import Catalog
from turnout.core.cost import NO_COST
from turnout.core.verdict import Verdict
from turnout.messages.conversation import conversation_of
from turnout.trace.exports import configure_exports
from turnout.trace.langfuse import Labels
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder
from turnout.trace.views.compare import compare
from turnout.trace.views.metrics import run_metrics

LLM_NAME = "llm (SmolLM2)"
"""The LLM classifier on the packaged model; it stands beside the one that routes."""

Advance = Callable[[], None]


def play(options: AgentOptions, err: Console) -> Report:
    """Run everything; progress goes to ``err``.

    Raises:
        ConfigError: Settings or catalog cannot be loaded.
        LedgerError: The ledger cannot be opened or written.
    """
    settings = load_settings()
    catalog = load_catalog(settings.overrides)
    # Strands writes prompts and answers into its spans unless it is told not to.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_unredacted_attributes=")
    configure_exports(settings, labels=Labels(trace_name="customer-support-demo", tags=("demo", options.mode)))
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with (
        Ledger(options.ledger or settings.ledger) as ledger,
        Recorder(ledger) as recorder,
        Progress(*columns, TimeElapsedColumn(), console=err, transient=True) as progress,
    ):
        return asyncio.run(_Play(options, settings, catalog, ledger, recorder, progress).all())


class _Play:
    """One run of the demonstration."""

    def __init__(
        self,
        options: AgentOptions,
        settings: Settings,
        catalog: Catalog,
        ledger: Ledger,
        recorder: Recorder,
        progress: Progress,
    ) -> None:
        self._options = options
        self._catalog = catalog
        self._ledger = ledger
        self._recorder = recorder
        self._progress = progress
        self._share = settings.rules.simple_share
        self._region = options.region or settings.region
        # The demonstration searches no web: what it shows must not depend on the network.
        self._tools = SupportTools(web=WebSearch(enabled=False))
        smollm = LocalClassifierModel()
        self._routing = EmbeddingClassifier(settings.classifier.examples, simple_share=self._share)
        self._classifiers: dict[str, Classifier] = {
            "embedding": self._routing,
            "keyword": KeywordClassifier(simple_share=self._share),
            LLM_NAME: LLMClassifier(
                smollm, settings=settings_for(catalog[smollm.model_id]), simple_share=self._share, name=LLM_NAME
            ),
        }
        self._started = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")

    async def all(self) -> Report:
        """Assess, run, compare."""
        assessments = await self._assess()
        arms: list[Arms] = []
        label, simulated, names = "", False, {model.id: model.name for model in self._catalog.models}
        for pair in self._options.pairs:
            for title, queries in self._sets():
                with self._open(pair) as backend:
                    names |= {model.id: model.name for model in backend.models.catalog.models}
                    label, simulated = backend.label, backend.simulated
                arms.append(await self._arms(pair, title, queries))
        return Report(self._options.mode, label, simulated, assessments, arms, names, str(self._ledger.path))

    def _sets(self) -> list[tuple[str, list[Query]]]:
        sets = [("the five test prompts", test_prompts())]
        if self._options.all_sets:
            sets.append(("the held-out queries", held_out()))
            sets.append(("real support queries (Banking77 sample)", real_sample()))
        return sets

    def _open(self, pair: str) -> AbstractContextManager[Backend]:
        return backends.opened(self._options, pair, self._catalog, self._region)

    async def _assess(self) -> list[Assessment]:
        queries = of_split(load_queries(), "held_out")
        if self._options.assess_pairs is not None:
            pairs = list(dict.fromkeys(query.pair for query in queries))[: self._options.assess_pairs]
            queries = tuple(query for query in queries if query.pair in pairs)
        everyone = {**self._classifiers, "length rule": LengthClassifier()}
        task = self._progress.add_task("held-out queries", total=len(everyone) * len(queries))
        lines = []
        for name, classifier in everyone.items():
            self._progress.update(task, description=f"held-out queries: {name}")
            judged = await judge(classifier, queries, on_verdict=lambda _: self._progress.advance(task))
            # The packaged model runs here, so its calls cost nothing but time.
            lines.append(assess(name, judged, simple_share=self._share, cost_of_call=lambda call: NO_COST))
        self._progress.remove_task(task)
        return lines

    async def _arms(self, pair: str, title: str, queries: Sequence[Query]) -> Arms:
        """One set through both versions, each on caches of its own that are cold at first."""
        task = self._progress.add_task(f"{pair}: {title}", total=2 * len(queries))
        runs: dict[int, str] = {}
        answered: list[Answered] = []
        backend_names = ""
        cheap_price = None
        for version in (3, 4):
            with self._open(pair) as backend:
                cheap = min(backend.policy.candidates, key=lambda candidate: candidate.rank).model
                cheap_price = backend.models.catalog[cheap]
                backend_names = backend_title(backend)
                runs[version] = f"{self._started}-{backend.name}-{pair}-{_slug(title)}-v{version}"
                answered = await run_queries(
                    version,
                    backend,
                    queries,
                    run=runs[version],
                    recorder=self._recorder,
                    tools=self._tools if backend.uses_tools else NoTools(),
                    classifier=self._routing,
                    advance=lambda: self._progress.advance(task),
                )
        self._recorder.flush()
        self._progress.remove_task(task)
        before, after = run_metrics(self._ledger, runs[3]), run_metrics(self._ledger, runs[4])
        assert cheap_price is not None
        return Arms(
            title=title,
            pair=backend_names,
            queries=queries,
            v3=before,
            v4=after,
            comparison=compare(before, after, classifier_price=cheap_price.price, classifier_name=cheap_price.name),
            answers=answered,
            verdicts=await self._verdicts(queries) if title == "the five test prompts" else (),
        )

    async def _verdicts(self, queries: Sequence[Query]) -> list[dict[str, Verdict]]:
        return [
            {name: await one.classify(conversation_of(query.text)) for name, one in self._classifiers.items()}
            for query in queries
        ]


def _slug(title: str) -> str:
    return "".join(word[0] for word in title.split() if word[0].isalpha())
