"""The learned classifier on the scoreboard: trained on each fold's training part, or read from an artefact.

What is trained sees the grades of the prompts that the scoreboard gives it, and of the same prompts the other models'
answers. Figures in calls rank by the gain, figures in USD by the gain against the price: see
`turnout.classify.learned.model.Ranking`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from turnout.classify.learned.artefact import load
from turnout.classify.learned.features import Embed
from turnout.classify.learned.model import LearnedModel
from turnout.config.extras import require
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.outcomes.table import Batch, OutcomesError
from turnout.evaluate.scoreboard.router import Examples, Meaning
from turnout.evaluate.training.answers import Answers, Prompts, read_answers, rows_of
from turnout.evaluate.training.learning import Choice, drawn_places, learn
from turnout.evaluate.training.looking import Looked
from turnout.evaluate.training.selection import FAST, SIMPLEST_FIRST
from turnout.evaluate.training.vectors import RememberedVectors


class ModelScorer:
    """A model's scores of a batch: P(the most capable candidate does better than the cheap one).

    Args:
        model: The model.
        cheap: The place of the cheap candidate.
    """

    meaning: Meaning = "gains"

    def __init__(self, model: LearnedModel, cheap: int = 0) -> None:
        self.model = model
        self._cheap = cheap

    def __call__(self, batch: Batch) -> Any:
        """The scores for figures in calls."""
        return 1.0 - self.model.predict(rows_of(batch)).suffices[:, self._cheap]

    def usd_scores(self, batch: Batch) -> Any:
        """The scores for figures in USD."""
        return self.model.predict(rows_of(batch)).need("usd", self._cheap)


class LearnedRouter:
    """Trains the learned classifier.

    Args:
        name: The name in tables.
        embedding: With MiniLM's vectors; else n-grams and structure only.
        embed: Gives vectors instead of MiniLM.
        choice: What is to be learned.
    """

    def __init__(
        self,
        name: str = "learned",
        *,
        embedding: bool = True,
        embed: Embed | None = None,
        choice: Choice | None = None,
    ) -> None:
        self.name = name
        self._embed = RememberedVectors(embed) if embedding else None
        self._choice = choice or Choice(heads=SIMPLEST_FIRST if embedding else FAST)
        self._read: tuple[Source, tuple[str, str], Answers] | None = None

    def fit(self, examples: Examples) -> ModelScorer:
        """Learn from these prompts.

        Raises:
            MissingExtraError: An extra is not installed.
            WeightsError: MiniLM's weights are not installed.
            OutcomesError: There are too few prompts.
        """
        np = require("numpy", extra=EXTRA)
        pair, source = examples.pair, examples.texts.source
        answers = self._answers(source, (pair.cheap, pair.capable))
        answers = answers.take(np.flatnonzero(np.isin(answers.keys, pair.keys)))
        prompts = Prompts(source, answers)
        places = drawn_places(answers, seed=self._choice.seed)
        looked = Looked(prompts.rows(places), self._embed)
        everything = np.ones(len(answers), bool)
        learned = learn(
            answers,
            looked,
            places,
            embed=self._embed,
            choice=self._choice,
            rest=lambda: prompts.batches(everything),
        )
        return ModelScorer(learned.model)

    def _answers(self, source: Source, names: tuple[str, str]) -> Answers:
        if self._read is None or self._read[:2] != (source, names):
            self._read = source, names, read_answers(source, names)
        return self._read[2]


class ArtefactRouter:
    """A model that was trained before.

    Args:
        folder: The artefact.
        cheap: The cheap candidate's name in it.
        capable: The capable candidate's name in it.
        name: The name in tables; default: the folder's.

    Raises:
        ArtefactError: There is no artefact, or a damaged one.
        OutcomesError: The artefact is of other candidates.
    """

    def __init__(self, folder: Path, *, cheap: str, capable: str, name: str = "") -> None:
        model, manifest = load(folder)
        known = list(manifest.trained.get("table_names", model.candidates))
        places = {one: index for names in (known, model.candidates) for index, one in enumerate(names)}
        if cheap not in places or places.get(capable) != len(known) - 1:
            raise OutcomesError(
                f"{folder} was trained for {' -> '.join(known)}: its most capable candidate is {known[-1]!r}, and "
                f"{cheap!r} -> {capable!r} is no pair with it"
            )
        self.name = name or folder.name
        self._scorer = ModelScorer(model, places[cheap])
        self.meaning = self._scorer.meaning

    def scores(self, batch: Batch) -> Any:
        """The scores for figures in calls."""
        return self._scorer(batch)

    def usd_scores(self, batch: Batch) -> Any:
        """The scores for figures in USD."""
        return self._scorer.usd_scores(batch)
