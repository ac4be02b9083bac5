"""`turnout doctor`: what is installed, what is configured, and the command for what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer
from rich.table import Table
from rich.text import Text

import turnout
from turnout.cli.common import ConfigOption, JsonOption, console, load, print_json
from turnout.cli.errors import UserError
from turnout.config.errors import ConfigError
from turnout.config.extras import MissingExtraError
from turnout.config.presets import preset_of
from turnout.deploy.preflight.ways_out import aws_credential_sources
from turnout.trace.errors import LedgerError
from turnout.trace.store.ledger import Ledger
from turnout.upstream.local.weights import (
    MINILM_TOKENIZER,
    MINILM_WEIGHTS,
    SMOLLM2_WEIGHTS,
    WeightFile,
    WeightsError,
    verified,
)

if TYPE_CHECKING:
    from turnout.classify.learned.classifier import LearnedClassifier
    from turnout.classify.learned.traffic import Traffic
    from turnout.config import Settings

NAME = "doctor"

EXTRAS = {
    "strands": ("strands", "the Strands door"),
    "embedding": ("tokenizers", "the embedding classifier"),
    "local": ("xllamacpp", "models in this process"),
    "agentcore": ("bedrock_agentcore", "the AgentCore entry point"),
    "deploy": ("boto3", "deployment to AgentCore"),
    "openai": ("openai", "OpenAI-compatible servers"),
    "search": ("ddgs", "the example agent's web search"),
    "plot": ("matplotlib", "charts"),
    "otel": ("opentelemetry.exporter.otlp.proto.http", "traces by OTLP"),
    "langfuse": ("langfuse", "reading back from Langfuse"),
    "parquet": ("pyarrow", "exports as Parquet"),
    "train": ("sklearn", "turnout train with all heads"),
    "lab": ("pandas", "tables as data frames"),
}
"""For each extra of the package: a module that it brings, and what it is for."""


class Finding(msgspec.Struct, frozen=True):
    """One line of the report.

    ``missing`` is no error, it only says what is not possible; nor is ``doubtful``: works, on what it is not made for.
    """

    what: str
    state: Literal["ok", "missing", "doubtful", "wrong"]
    detail: str


def run(
    prompts: Annotated[
        Path | None,
        typer.Option(
            "--prompts",
            help="Some prompts of yours, one a line, or .jsonl or .csv with prompt or text: says whether they are like "
            "those that the learned classifier knows.",
        ),
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> int:
    """Say what works here and how to get what does not; exit code 2 if something is wrong."""
    findings = [_python(), *_extras(), *_weights(), *_configuration(config), *_learned(config, prompts), _credentials()]
    if json:
        print_json(findings)
    else:
        table = Table(title=f"turnout {turnout.__version__}", title_justify="left")
        for heading in ("what", "state", "detail"):
            table.add_column(heading, overflow="fold")
        for finding in findings:
            # As text, not markup: the name of an extra stands in brackets.
            table.add_row(finding.what, finding.state, Text(finding.detail))
        console().print(table)
    return 2 if any(finding.state == "wrong" for finding in findings) else 0


def _python() -> Finding:
    return Finding("Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _extras() -> list[Finding]:
    findings = []
    distributions = importlib.metadata.packages_distributions()  # reads what is installed, all of it: once
    for extra, (module, purpose) in EXTRAS.items():
        if not _importable(module):
            findings.append(Finding(f"extra {extra}", "missing", f"for {purpose}: pip install 'turnout[{extra}]'"))
        else:
            findings.append(Finding(f"extra {extra}", "ok", f"{purpose}, {_distribution(module, distributions)}"))
    return findings


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False


def _distribution(module: str, distributions: Mapping[str, list[str]]) -> str:
    """Name and version of the package that a module came with; its name alone where its metadata is missing."""
    package = distributions.get(module, [module])[0]
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package


def _weights() -> list[Finding]:
    files = {"MiniLM weights": MINILM_WEIGHTS, "MiniLM tokenizer": MINILM_TOKENIZER, "SmolLM2 weights": SMOLLM2_WEIGHTS}
    return [_weight_file(what, file) for what, file in files.items()]


def _weight_file(what: str, file: WeightFile) -> Finding:
    try:
        path = verified(file)
    except WeightsError as error:
        missing = "not installed" in str(error)
        return Finding(what, "missing" if missing else "wrong", str(error))
    return Finding(what, "ok", f"{file.package}, SHA-256 as expected, {path.stat().st_size / 1e6:.0f} MB")


def _configuration(config: Path | None) -> list[Finding]:
    try:
        settings, catalog = load(config)
        policy = settings.policy(catalog)
    except ConfigError as error:
        return [Finding("settings", "wrong", str(error))]
    models = ", ".join(catalog[candidate.model].name for candidate in policy.candidates)
    findings = [Finding("settings", "ok", f"{settings.file or 'no file'}; candidates: {models}")]
    bars = f"simple_bar {policy.simple_bar:g}, quality_bar {policy.quality_bar:g}"
    findings.append(Finding("policy", "ok", f"{preset_of(policy) or 'bars of its own'}: {bars}"))
    findings.append(Finding("catalog", "ok", f"{len(catalog.models)} models, hash {catalog.content_hash[:12]}"))
    try:
        with Ledger(settings.ledger) as ledger:
            findings.append(Finding("ledger", "ok", f"{ledger.path}, {len(ledger.runs())} runs"))
    except LedgerError as error:
        findings.append(Finding("ledger", "wrong", str(error)))
    return findings


def _learned(config: Path | None, prompts: Path | None) -> list[Finding]:
    """The learned classifier, where it routes or prompts are given: what it knows, and whether traffic is like that."""
    from turnout.classify.learned.artefact import ArtefactError
    from turnout.classify.learned.classifier import LearnedClassifier
    from turnout.classify.learned.traffic import PromptsError, looked_through, read_prompts

    try:
        texts = None if prompts is None else read_prompts(prompts)
    except PromptsError as error:
        raise UserError(str(error)) from None
    try:
        settings, _ = load(config)
    except ConfigError:
        return []  # said already
    if settings.classifier.kind != "learned" and texts is None:
        return []
    try:
        classifier = LearnedClassifier(settings.classifier.artefact)
        findings = [Finding("learned classifier", "ok", _knows(classifier))]
        if texts is not None:
            traffic = looked_through(classifier.load(), texts)
            findings.append(_like("prompts", traffic, classifier))
        if settings.classifier.kind == "learned" and classifier.manifest.basis == "label":
            findings += _recorded(settings, classifier)
    except ArtefactError as error:
        return [Finding("learned classifier", "wrong", str(error))]
    except (MissingExtraError, WeightsError) as error:
        return [Finding("learned classifier", "missing", str(error))]
    return findings


def _knows(classifier: LearnedClassifier) -> str:
    trained = classifier.manifest.trained
    if classifier.manifest.basis == "label":
        return (
            f"the packaged default: knows the labels of {trained['prompts']:,} support queries and no model's answers; "
            "train your own with: turnout train"
        )
    return (
        f"trained on {trained['prompts']:,} prompts of {', '.join(trained['files'])} for "
        f"{', '.join(classifier.manifest.candidates)}"
    )


def _recorded(settings: Settings, classifier: LearnedClassifier) -> list[Finding]:
    """What the ledger tells: prompts are not in it, but the default's verdicts on unlike ones are P = 0."""
    try:
        with Ledger(settings.ledger) as ledger:
            ((unlike, verdicts),) = ledger.select(_VERDICTS, (classifier.name, _NEWEST))
    except LedgerError:
        return []  # said already
    from turnout.classify.learned.traffic import traffic_of

    return [_like("recorded verdicts", traffic_of(unlike or 0, verdicts), classifier)] if verdicts else []


def _like(what: str, traffic: Traffic, classifier: LearnedClassifier) -> Finding:
    share = traffic.unlike
    counted = (
        f"{share.value:.0%} [{share.low:.0%}, {share.high:.0%}] of {traffic.prompts:,} are unlike what it was trained "
        "on (5 % would be usual)"
    )
    if traffic.found == "too few":
        return Finding(what, "ok", f"{counted}: too few to say anything")
    if traffic.found == "like":
        return Finding(what, "ok", counted)
    own = classifier.manifest.basis == "outcome"
    return Finding(
        what,
        "doubtful",
        f"{counted}: your traffic is other traffic, and its probabilities mean little there; "
        + ("train again on newer graded answers" if own else "learn from your own graded answers")
        + " with: turnout train",
    )


_NEWEST = 10_000
_VERDICTS = """
    SELECT sum(p_simple = 0.0), count(*) FROM (
        SELECT p_simple FROM decisions
        WHERE classifier = ? AND p_simple IS NOT NULL ORDER BY sequence DESC LIMIT ?
    )
"""


def _credentials() -> Finding:
    """Whether AWS credentials seem to be configured; they are not read, and nothing is called."""
    found = aws_credential_sources()
    if found:
        return Finding("AWS credentials", "ok", f"configured by {', '.join(found)} (not checked)")
    return Finding("AWS credentials", "missing", "for models on Amazon Bedrock; nothing else needs them")
