"""`turnout calibrate`: a bar for one's own classifier by graded answers, and whether it still holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.text import Text

from turnout.cli.common import (
    ConfigOption,
    JsonOption,
    LedgerOption,
    console,
    load,
    models_named,
    open_for_reading,
    print_json,
)
from turnout.cli.errors import UserError
from turnout.cli.progress import progress

if TYPE_CHECKING:
    from turnout.config import Settings
    from turnout.core.catalog import Catalog
    from turnout.evaluate.calibration.calibrating import Calibrated, Wanted
    from turnout.evaluate.calibration.judges import Judge
    from turnout.evaluate.collect.card import Card
    from turnout.evaluate.training.vectors import RememberedVectors

NAME = "calibrate"

SETTINGS: dict[str, Any] = {
    "epilog": """\b
Examples:
turnout outcomes split graded.csv --to train.csv=0.6 --to calibration.csv=0.4
turnout train train.csv --models small,large --to router
turnout calibrate --outcomes calibration.csv --pair small,large --router router --quality 0.98 --to bar.json
turnout calibrate --outcomes calibration.csv --pair small,large --capable-share 0.30
turnout calibrate --check """
}

EXIT_AGAIN = 1
"""Exit code of --check where a calibration no longer holds, and of targets that cannot be met together."""


def run(
    outcomes: Annotated[
        list[Path] | None,
        typer.Option("--outcomes", help="Graded answers: .parquet, .csv or .jsonl; may be repeated."),
    ] = None,
    pair: Annotated[
        str,
        typer.Option(
            "--pair",
            "--models",
            help="CHEAP,CAPABLE or more models, the least capable first, as the table names them.",
        ),
    ] = "",
    router: Annotated[
        str,
        typer.Option(
            "--router",
            help="A folder of turnout train, keyword, embedding, llm, cascade, module:function, a URL with /v1/route, "
            "or a file of predictions. Default: the classifier of the settings.",
        ),
    ] = "",
    quality: Annotated[
        list[float] | None,
        typer.Option(
            "--quality", help="Keep this share of the most capable model's score, guaranteed; may be repeated."
        ),
    ] = None,
    delta: Annotated[
        float, typer.Option("--delta", help="How likely a guarantee may be wrong; several share it evenly.")
    ] = 0.05,
    capable_share: Annotated[
        float | None, typer.Option("--capable-share", help="At most this share to the most capable model.")
    ] = None,
    budget_usd: Annotated[
        float | None, typer.Option("--budget-usd", help="At most so many USD, for --requests requests.")
    ] = None,
    requests: Annotated[int, typer.Option(min=1, help="For how many requests --budget-usd is.")] = 1_000,
    cost_ratio: Annotated[
        float | None,
        typer.Option("--cost-ratio", help="At most this share of what the most capable model alone would cost."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="The file to write, for [policy] calibration.")] = None,
    as_: Annotated[
        str, typer.Option("--as", help="The models' ids in the catalog. Default: as the router or the table has them.")
    ] = "",
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", help="Only rows of this dataset; may be repeated.")
    ] = None,
    served: Annotated[
        Literal["cheapest", "any"],
        typer.Option(
            help="Whose answer counts: the cheapest's that clears the bar, or the worst of all who do, so that it "
            "holds whichever of them a warm cache makes serve."
        ),
    ] = "cheapest",
    test: Annotated[
        Literal["betting", "betting_in_order", "hoeffding_bentkus"], typer.Option(help="Which p-value tests a bar.")
    ] = "betting",
    leave_out_trained: Annotated[
        bool, typer.Option("--leave-out-trained", help="Leave out prompts that the router was trained on.")
    ] = False,
    disjoint: Annotated[
        bool, typer.Option("--disjoint", help="Take it that the router was trained on none of these: do not look.")
    ] = False,
    unlike_share: Annotated[
        float,
        typer.Option(
            "--unlike-share",
            help="The share of like requests that may be taken for unlike ones, which go to the most capable model; "
            "0: nobody looks.",
        ),
    ] = 0.02,
    least_propensity: Annotated[
        float | None,
        typer.Option(
            "--least-propensity",
            help="With sampled answers: the least probability with which a prompt's answers can be sampled. Default: "
            "the least share of turnout collect, else the least in the table.",
        ),
    ] = None,
    call_usd: Annotated[
        str, typer.Option("--call-usd", help="USD of a call to each model, for answers whose cost the table lacks.")
    ] = "",
    scorer: Annotated[
        str,
        typer.Option(
            "--scorer",
            help="Who graded, for the record: the guarantee is of it. Default: the judge of turnout collect. With "
            "--check: who grades now; another one ends the guarantee.",
        ),
    ] = "",
    parameters: Annotated[
        str,
        typer.Option(
            "--parameters",
            help="With which parameters the models answered, for the record. With --check: those of now; others end "
            "the guarantee.",
        ),
    ] = "",
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Say by ledger and settings whether the calibration still holds; exit code 1 if not.",
        ),
    ] = False,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", help="With --check: the file. Default: that of the settings.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", help="With --check: since an age or a time. Default: the calibration's.")
    ] = "",
    level: Annotated[
        float, typer.Option("--level", help="With --check: how likely there is ever an alarm though nothing changed.")
    ] = 0.01,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> int:
    """Find the bar that keeps a share of the capable model's quality, with a guarantee, or a budget.

    Bars are tested from "always capable" downwards on prompts that the router was not trained on, and the last one that
    passes is taken. What is printed then holds for any finite number of prompts.
    """
    if check:
        now = {"scorer": scorer, "parameters": parameters}
        return _check(calibration, ledger, config, since, level, now, json=json)
    from turnout.classify.examples import LabelledSetError
    from turnout.classify.keyword import KeywordRulesError
    from turnout.classify.learned.artefact import ArtefactError
    from turnout.config.calibration import write_calibration
    from turnout.config.extras import MissingExtraError
    from turnout.core.catalog import UnknownModelError
    from turnout.evaluate.calibration.calibrating import Plan, calibrate
    from turnout.evaluate.outcomes.files import source_of
    from turnout.evaluate.outcomes.table import OutcomesError
    from turnout.evaluate.training.vectors import RememberedVectors
    from turnout.upstream.local.weights import WeightsError

    if leave_out_trained and disjoint:
        raise UserError("either --leave-out-trained or --disjoint")
    wanted = _wanted(quality, capable_share, budget_usd, requests, cost_ratio)
    if not outcomes or not pair:
        raise UserError("--outcomes and --pair are needed (or --check)")
    if to is not None and not to.parent.is_dir():
        raise UserError(f"cannot write {to}: there is no folder {to.parent}")
    if to is not None and to.is_dir():
        raise UserError(f"cannot write {to}: it is a folder")
    models = models_named(pair, "--pair")
    settings, catalog = load(config, calibrated=False)
    names = _catalog_names(settings, models_named(as_, "--as"), required=True) if as_ else None
    if names is not None and len(names) != len(models):
        raise UserError(f"--as must name {len(models)} models, one for each of --pair, got {as_!r}")
    try:
        source = source_of(outcomes, datasets=dataset)
        cards = _cards(outcomes)
        vectors = RememberedVectors()
        judge = _judge(router, models, names, settings, catalog, vectors)
        ids = names or list(judge.names or models)
        plan = Plan(
            source=source,
            candidates=models,
            judge=judge,
            wanted=wanted,
            names=_catalog_names(settings, ids, required=False),
            delta=delta,
            served=served,
            test=test,
            overlap="trust" if disjoint else "leave_out" if leave_out_trained else "refuse",
            unlike_share=unlike_share,
            least_propensity=_least_of(cards) if least_propensity is None else least_propensity,
            call_usd=_call_usd(call_usd, len(models)),
        )
        found = calibrate(
            plan,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            scorer=scorer or _judge_of(cards),
            parameters=parameters,
            models=_facts(plan.names or (), catalog),
            embed=vectors,
            working=progress,
        )
    except (
        ArtefactError,
        KeywordRulesError,
        LabelledSetError,
        MissingExtraError,
        OutcomesError,
        UnknownModelError,
        WeightsError,
    ) as error:
        raise UserError(str(error)) from None
    if to is not None and not found.conflict:
        try:
            write_calibration(found.file, to)
        except OSError as error:
            raise UserError(f"cannot write {to}: {error.strerror or error}") from None
    if json:
        print_json(_document(found))
    else:
        _show(found, judge, to, catalog)
        for sentence in _warnings(cards):
            console().print(Text(sentence), soft_wrap=True)
    return EXIT_AGAIN if found.conflict else 0


def _cards(outcomes: Sequence[Path]) -> list[Card]:
    """The cards of the tables, where a collection made every one of them; else none."""
    from turnout.evaluate.collect.card import read_card
    from turnout.evaluate.collect.errors import CollectError

    try:
        cards = [card for path in outcomes if (card := read_card(path)) is not None]
    except CollectError as error:
        raise UserError(str(error)) from None
    return cards if len(cards) == len(outcomes) else []


def _judge_of(cards: Sequence[Card]) -> str:
    """Who graded, where it was one judge; else nobody."""
    judges = {card.judge for card in cards}
    return judges.pop() if len(judges) == 1 else ""


def _warnings(cards: Sequence[Card]) -> list[str]:
    """What a collection says against relying on its grades: the guarantee is of them."""
    from turnout.evaluate.collect.show import agreement_sentences

    weak = [card.agreement for card in cards if card.agreement is not None and card.agreement.weak]
    return list(dict.fromkeys(sentence for one in weak for sentence in agreement_sentences(one)))


def _least_of(cards: Sequence[Card]) -> float | None:
    """The least probability with which a request could be sampled, where that was known before any was drawn."""
    return min((card.least_propensity for card in cards), default=None)


def _show(found: Calibrated, judge: Judge, to: Path | None, catalog: Catalog) -> None:
    from turnout.evaluate.calibration.judges import ArtefactJudge, ClassifierJudge
    from turnout.evaluate.calibration.show import sentences, target_table

    out = console()
    out.print(target_table(found))
    for sentence in sentences(found):
        out.print(Text(sentence))
    if isinstance(judge, ArtefactJudge) and judge.uses_categories:
        out.print(Text("The router was trained with categories; requests carry none, so it was asked without them."))
    if isinstance(judge, ClassifierJudge) and judge.failures:
        out.print(Text(f"{judge.failures:,} verdicts failed: those prompts go to the most capable model."))
    if found.conflict:
        return
    if to is None:
        out.print(Text("nothing is written: --to FILE writes what [policy] calibration loads"))
        return
    out.print(Text(f"written: {to}"))
    if found.file.basis == "score":
        out.print(Text("Settings cannot name this router: the file is for your own use of the bar."))
    elif any(name not in catalog for name in found.file.candidates):
        out.print(Text("The candidates are no ids of the catalog: --as gives those, for [policy] calibration."))


def _document(found: Calibrated) -> dict[str, Any]:
    """All of it but the references and the samples, which only the router needs."""
    import msgspec

    file: dict[str, Any] = msgspec.to_builtins(found.file)
    for name in ("references", "probabilities", "unlikenesses"):
        del file[name]
    targets = []
    for place, target in enumerate(file.pop("targets")):
        outcome = found.quality.get(place)
        tests = [] if outcome is None else [{"bar": bar, **step._asdict()} for bar, step in outcome.steps]
        needed = {} if outcome is None else {"least_prompts": outcome.least, "usual_prompts": outcome.more}
        targets.append({**target, "figures": found.figures[place]._asdict(), **needed, "tested": tests})
    return {
        **file,
        "targets": targets,
        "unlike_share": None if found.file.references is None else found.file.references.share,
        "mean_scores": found.mean_scores,
        "left_out": found.left_out,
        "overlap_known": found.overlap_known,
        "conflict": found.conflict,
    }


def _check(
    calibration: Path | None,
    ledger: Path | None,
    config: Path | None,
    since: str,
    level: float,
    now_said: Mapping[str, str],
    *,
    json: bool,
) -> int:
    import time

    from turnout.classify.identity import difference, identity_of
    from turnout.classify.learned.artefact import ArtefactError
    from turnout.config.calibration import changed_prices, problem, read_calibration
    from turnout.config.errors import ConfigError
    from turnout.evaluate.calibration.monitor import monitor
    from turnout.evaluate.calibration.show import monitored_lines, stream_table
    from turnout.trace.store import selection
    from turnout.trace.store.selection import Filter

    if not 0.0 < level < 1.0:
        raise UserError(f"--level must be above 0 and below 1, got {level:g}")
    settings, catalog = load(config, calibrated=calibration is None)
    file = settings.calibration if calibration is None else read_calibration(calibration)
    if file is None:
        raise UserError(
            "there is no calibration: name it by --calibration FILE, or in the settings by [policy] calibration"
        )
    changed = []
    wrong = problem(file, settings.rules, catalog)
    if wrong is not None:
        changed.append(wrong)
    elif file.basis != "score":
        try:
            kind = settings.classifier.kind
            now = {"kind": "none"} if kind == "none" else identity_of(settings)
            other = difference(file.classifier, now)
        except (ConfigError, ArtefactError) as error:
            other = str(error)
        changed += [] if other is None else [other]
    # Neither ledger nor settings know these two: only who asks does.
    for what, said in now_said.items():
        if said and said != getattr(file, what):
            changed.append(f"the {what} was {getattr(file, what) or 'not recorded'!r}, and is {said!r}")
    since_ms = selection.since(since or file.created, time.time_ns() // 1_000_000)
    path = ledger or settings.ledger
    if path.exists():
        with open_for_reading(path) as opened:
            chosen = Filter(since_ms=since_ms)
            with progress("reading decisions", selection.count(opened, chosen, "decisions")) as advance:
                found = monitor(
                    file,
                    selection.decisions(opened, chosen),
                    changed=changed,
                    prices=changed_prices(file, catalog),
                    level=level,
                    progress=advance,
                )
    else:
        found = monitor(file, (), changed=changed, prices=changed_prices(file, catalog), level=level)
    if json:
        print_json({"holds": found.holds, "found": found})
        return 0 if found.holds else EXIT_AGAIN
    out = console()
    if found.streams:
        out.print(stream_table(found))
    for line in monitored_lines(found):
        out.print(Text(line))
    return 0 if found.holds else EXIT_AGAIN


def _wanted(
    quality: Sequence[float] | None,
    capable_share: float | None,
    budget_usd: float | None,
    requests: int,
    cost_ratio: float | None,
) -> list[Wanted]:
    from turnout.evaluate.calibration.calibrating import Wanted

    found = [Wanted("quality", value) for value in quality or ()]
    if capable_share is not None:
        found.append(Wanted("capable_share", capable_share))
    if budget_usd is not None:
        found.append(Wanted("budget_usd", budget_usd / requests))
    if cost_ratio is not None:
        found.append(Wanted("cost_ratio", cost_ratio))
    if not found:
        raise UserError("a target is needed: --quality, --capable-share, --budget-usd or --cost-ratio (or --check)")
    return found


def _judge(
    written: str,
    models: list[str],
    names: list[str] | None,
    settings: Settings,
    catalog: Catalog,
    embed: RememberedVectors,
) -> Judge:
    """The router that is meant, as what is calibrated."""
    from turnout.classify.configured import KINDS, configured_classifier
    from turnout.classify.examples import load_examples, load_queries
    from turnout.classify.identity import identity_of
    from turnout.classify.learned.artefact import MODEL
    from turnout.evaluate.calibration.judges import ArtefactJudge, ClassifierJudge, RouterJudge
    from turnout.evaluate.scoreboard.naming import router_of
    from turnout.evaluate.scoreboard.router import Router

    spec = written or settings.classifier.kind
    if spec == "none":
        raise UserError("the settings have no classifier: name one by --router")
    if (Path(spec) / MODEL).is_file():
        return ArtefactJudge(Path(spec), models, embed=embed)
    if spec == "learned" and settings.classifier.artefact is not None:
        return ArtefactJudge(settings.classifier.artefact, models, embed=embed)
    if spec in KINDS:
        classifier = configured_classifier(settings, catalog, kind=spec)
        assert classifier is not None
        options, embeds = settings.classifier, spec in ("embedding", "cascade", "learned")
        examples: Sequence[Any] = ()
        if embeds:
            # The packaged learned classifier learned from the packaged queries.
            own = options.examples if spec != "learned" else None
            examples = load_queries() if own is None else load_examples(own)
        return ClassifierJudge(
            classifier,
            identity=identity_of(settings, spec),
            names=names or models,
            examples=[getattr(one, "example", one) for one in examples],
            embeds=embeds,
        )
    found = router_of(spec, cheap=models[0], capable=models[-1], classifiers=KINDS)
    if not isinstance(found, Router):
        raise UserError(f"{spec!r} learns from outcomes: train it first, and calibrate what came of it")
    return RouterJudge(found, spec)


def _catalog_names(settings: Settings, names: Sequence[str], *, required: bool) -> list[str]:
    """Names as the catalog has them; those that it does not know as they are, unless they must be known."""
    from turnout.config.errors import ConfigError
    from turnout.core.catalog import UnknownModelError

    found = []
    for name in names:
        try:
            found.append(settings.resolve(name))
        except (UnknownModelError, ConfigError) as error:
            if required:
                raise UserError(f"--as: {error}") from None
            found.append(name)
    return found


def _facts(names: Sequence[str], catalog: Catalog) -> dict[str, tuple[str, str]]:
    from turnout.config.calibration import model_facts

    return {name: model_facts(catalog[name]) for name in names if name in catalog}


def _call_usd(text: str, models: int) -> tuple[float, ...] | None:
    if not text:
        return None
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) != models or not all(0.0 <= one < float("inf") for one in found):
        raise UserError(f"--call-usd must be {models} numbers such as 0.001,0.02, one a model, got {text!r}")
    return found
