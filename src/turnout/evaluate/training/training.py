"""`turnout train` without its command line: from a table of outcomes to an artefact."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from turnout.classify.learned.artefact import save
from turnout.classify.learned.features import Embed
from turnout.classify.learned.model import Head, LearnedModel
from turnout.classify.learned.trained_on import FACT, TRAINED_ON, packed
from turnout.config.extras import MissingExtraError, require
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.keys import content_keys
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.training.answers import Answers, Prompts, read_answers
from turnout.evaluate.training.card import card, label_card
from turnout.evaluate.training.ensembles import TRAIN_EXTRA
from turnout.evaluate.training.judged import PairCard, judged
from turnout.evaluate.training.learning import FOLDS, MOST_SELECTED, Choice, Learned, drawn_places, learn
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


class Labels(NamedTuple):
    """What is special where scores are labels of queries, and not grades of answers.

    Attributes:
        command: What makes the artefact again.
        caution: From P(label is simple) of queries that were not seen, and whether they are simple, to how much the
            log-odds are lowered.
    """

    command: str
    caution: Callable[[Any, Any], float]


def train(
    source: Source,
    candidates: Sequence[str],
    folder: Path,
    *,
    names: Sequence[str] | None = None,
    features: Features = "auto",
    heads: tuple[Head, ...] | None = None,
    categories: bool = True,
    seed: int = 0,
    embed: Embed | None = None,
    labels: Labels | None = None,
    working: Working = _silent,
) -> Trained:
    """Learn from a table of outcomes, and write the artefact.

    Args:
        source: The table; read two or three times.
        candidates: The models, the least capable first, as the table names them.
        folder: Where the artefact goes.
        names: What the artefact calls them, such as their ids in the catalog; default: the same.
        features: Which features.
        heads: Which heads are compared; default: all, but without vectors the linear one.
        categories: Whether categories are used, where the table has them.
        seed: Of everything that is drawn.
        embed: Gives vectors instead of MiniLM.
        labels: What is special where scores are labels.
        working: Shows progress.

    Raises:
        OutcomesError: The table cannot be read, a candidate is not in it, or it is too small.
        MissingExtraError: An extra is not installed.
        WeightsError: MiniLM is asked for, and its weights are not installed.
        OSError: The folder cannot be written.
    """
    if names is not None and (len(names) != len(candidates) or len(set(names)) != len(names)):
        raise OutcomesError(f"{len(candidates)} different names are needed, one a candidate, got {', '.join(names)}")
    if features != "ngrams" and heads != FAST:
        require("sklearn", extra=TRAIN_EXTRA)  # first: nobody wants to know after an hour of reading
    with working("reading outcomes", 0) as progress:
        answers = read_answers(source, candidates, progress=progress)
    with _made(folder):  # here too: nobody wants to know after an hour of learning
        vectors = _vectors(features, len(answers), embed)
        choice = Choice(
            heads=heads or (FAST if vectors is None else SIMPLEST_FIRST),
            categories=categories,
            seed=seed,
        )
        places, learned = _learned(source, answers, vectors, choice, working)
        pairs = judged(answers.take(places), learned.unseen, learned.folds)
        command = labels.command if labels else _command(source, candidates, names, learned.model, categories, seed)
        facts = _facts(source, answers, learned, pairs, names=names or candidates, seed=seed, command=command)
        model = learned.model
        model.candidates = tuple(names or candidates)
        if labels is None:
            keys = packed(content_keys(source._replace(models=frozenset({candidates[0]}))))
            (folder / TRAINED_ON).write_bytes(keys)
            save(model, folder, trained={**facts, FACT: hashlib.sha256(keys).hexdigest()}, card=card(facts, pairs))
        else:
            caution = labels.caution(learned.unseen.suffices[:, 0], answers.scores[places, 0] > 0.5)
            text = label_card(facts, caution)
            save(model, folder, trained=facts, card=text, basis="label", caution=caution, version="packaged")
    return Trained(facts, pairs)


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """A folder that is there, for a block; one that was made for it and is empty at an error is not left behind."""
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if new:
            with suppress(OSError):
                folder.rmdir()
        raise


def _learned(
    source: Source, answers: Answers, vectors: Embed | None, choice: Choice, working: Working
) -> tuple[Any, Learned]:
    """The places of the prompts that were looked at for selection, and what was learned."""
    np = require("numpy", extra=EXTRA)
    prompts = Prompts(source, answers)
    places = drawn_places(answers, seed=choice.seed)
    with working("looking at prompts", len(places)) as progress:
        looked = Looked(prompts.rows(places), vectors, progress=progress)

    def rest() -> Iterator[tuple[Any, Any]]:
        with working("fitting on all prompts", len(answers)) as told:
            for where, rows in prompts.batches(np.ones(len(answers), bool)):
                yield where, rows
                told(len(rows))

    with working("learning", 0) as progress:
        return places, learn(
            answers,
            looked,
            places,
            embed=vectors,
            choice=choice,
            rest=rest,
            step=lambda what: progress(0),
        )


def _facts(
    source: Source,
    answers: Answers,
    learned: Learned,
    pairs: tuple[PairCard, ...],
    *,
    names: Sequence[str],
    seed: int,
    command: str,
) -> dict[str, Any]:
    layout = learned.model.features.layout
    facts: dict[str, Any] = _shortened(
        {
            "candidates": list(names),
            "table_names": list(answers.candidates),
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
            "selected_on": len(learned.places),
            "categories": len(layout.categories),
            "mode": layout.mode,
            "head": learned.model.head,
            "penalties": list(learned.penalties),
            "price_power": learned.model.price.power,
            "errors": learned.selected.errors,
            "standard_errors_beyond_best": learned.selected.beyond,
            "command": command,
            "pairs": msgspec.to_builtins(pairs),
        }
    )
    return facts


def _shortened(value: Any) -> Any:
    """The same with six digits of each number: processors differ in the last ones."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _shortened(one) for key, one in value.items()}
    return [_shortened(one) for one in value] if isinstance(value, (list, tuple)) else value


def _vectors(features: Features, prompts: int, embed: Embed | None) -> Embed | None:
    if features == "ngrams":
        return None
    if features == "auto" and prompts > MOST_SELECTED:
        return None
    vectors = RememberedVectors(embed)
    if embed is not None:
        return vectors
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
