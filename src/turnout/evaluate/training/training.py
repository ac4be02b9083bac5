"""`turnout train` without its command line: from a table of outcomes to an artefact."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

from turnout.classify.learned.artefact import save
from turnout.classify.learned.features import Embed
from turnout.classify.learned.model import LearnedModel
from turnout.config.extras import MissingExtraError, require
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.training.answers import Prompts, read_answers
from turnout.evaluate.training.card import card
from turnout.evaluate.training.ensembles import TRAIN_EXTRA
from turnout.evaluate.training.judged import PairCard, judged
from turnout.evaluate.training.learning import FOLDS, MOST_SELECTED, Choice, drawn_places, learn
from turnout.evaluate.training.looking import Looked
from turnout.evaluate.training.selection import FAST, SIMPLEST_FIRST
from turnout.evaluate.training.vectors import RememberedVectors
from turnout.upstream.local.weights import WeightsError

Features = Literal["auto", "embedding", "ngrams"]
"""Which features: MiniLM's vectors too, n-grams and structure only, or what is there and affordable."""

Working = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Shows what is worked on, of how much (0: not known); gives the function that is told of progress."""


class Trained(NamedTuple):
    """What came of it.

    Attributes:
        facts: What the artefact says of the training.
        pairs: How well the model ranks prompts that it had not seen.
    """

    facts: dict[str, Any]
    pairs: tuple[PairCard, ...]


def _silent(what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda done: None)


def train(
    source: Source,
    candidates: Sequence[str],
    folder: Path,
    *,
    names: Sequence[str] | None = None,
    features: Features = "auto",
    categories: bool = True,
    seed: int = 0,
    embed: Embed | None = None,
    working: Working = _silent,
) -> Trained:
    """Learn from a table of outcomes, and write the artefact.

    Args:
        source: The table; read two or three times.
        candidates: The models, the least capable first, as the table names them.
        folder: Where the artefact goes.
        names: What the artefact calls them, such as their ids in the catalog; default: the same.
        features: Which features.
        categories: Whether categories are used, where the table has them.
        seed: Of everything that is drawn.
        embed: Gives vectors instead of MiniLM.
        working: Shows progress.

    Raises:
        OutcomesError: The table cannot be read, a candidate is not in it, or it is too small.
        MissingExtraError: An extra is not installed.
        WeightsError: MiniLM is asked for, and its weights are not installed.
        OSError: The folder cannot be written.
    """
    if names is not None and (len(names) != len(candidates) or len(set(names)) != len(names)):
        raise OutcomesError(f"{len(candidates)} different names are needed, one a candidate, got {', '.join(names)}")
    np = require("numpy", extra=EXTRA)
    if features != "ngrams":
        require("sklearn", extra=TRAIN_EXTRA)  # first: nobody wants to know after an hour of reading
    with working("reading outcomes", 0) as progress:
        answers = read_answers(source, candidates, progress=progress)
    vectors = _vectors(features, len(answers), embed)
    heads = FAST if vectors is None else SIMPLEST_FIRST
    prompts = Prompts(source, answers)
    places = drawn_places(answers, seed=seed)
    with working("looking at prompts", len(places)) as progress:
        looked = Looked(prompts.rows(places), vectors, progress=progress)

    def rest() -> Iterator[tuple[Any, Any]]:
        with working("fitting on all prompts", len(answers)) as told:
            for where, rows in prompts.batches(np.ones(len(answers), bool)):
                yield where, rows
                told(len(rows))

    with working("learning", 0) as progress:
        learned = learn(
            answers,
            looked,
            places,
            embed=vectors,
            choice=Choice(heads=heads, categories=categories, seed=seed),
            rest=rest,
            step=lambda what: progress(0),
        )
    pairs = judged(answers.take(places), learned.unseen)
    model = learned.model
    shown = list(names or candidates)
    facts: dict[str, Any] = {
        "candidates": shown,
        "table_names": list(candidates),
        "files": [path.name for path in source.paths],
        "rows": answers.rows,
        "prompts": len(answers),
        "groups": len(answers.group_keys),
        "data_sha256": answers.digest,
        "costs_known": answers.costs_known,
        "others": learned.others,
        "expected_share": learned.share,
        "seed": seed,
        "folds": FOLDS,
        "selected_on": len(places),
        "categories": len(model.features.layout.categories),
        "mode": model.features.layout.mode,
        "head": model.head,
        "penalties": list(learned.penalties),
        "price_power": model.price.power,
        "errors": learned.selected.errors,
        "standard_errors_beyond_best": learned.selected.beyond,
        "command": _command(source, candidates, names, model, categories, seed),
        "pairs": pairs,
    }
    model.candidates = tuple(shown)
    save(model, folder, trained=facts, card=card(facts, pairs))
    return Trained(facts, pairs)


def _vectors(features: Features, prompts: int, embed: Embed | None) -> Embed | None:
    if features == "ngrams":
        return None
    if features == "auto" and prompts > MOST_SELECTED:
        return None
    vectors = RememberedVectors(embed)
    try:
        vectors(["Is MiniLM there?"])
    except (MissingExtraError, WeightsError):
        if features == "embedding":
            raise
        return None
    return vectors


def _command(
    source: Source,
    candidates: Sequence[str],
    names: Sequence[str] | None,
    model: LearnedModel,
    categories: bool,
    seed: int,
) -> str:
    words = ["turnout", "train", *(path.name for path in source.paths), "--models", ",".join(candidates)]
    if names is not None:
        words += ["--as", ",".join(names)]
    if source.datasets is not None:
        words += [word for name in sorted(source.datasets) for word in ("--dataset", name)]
    if not categories:
        words.append("--no-category")
    words += ["--features", model.features.layout.mode, "--seed", str(seed), "--to", "ARTEFACT"]
    return shlex.join(words)
