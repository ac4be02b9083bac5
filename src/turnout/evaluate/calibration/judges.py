"""What is calibrated: whatever says of a prompt, for each cheaper candidate, how sure it is that it suffices.

A candidate clears a bar where what is said of it is at least the bar, as in `turnout.core.decide`. What the judge says
here must be what the classifier says of the same request in use: so nothing but the conversation and its tools is shown
to it, no category of the table, which requests do not carry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from turnout.classify.examples import LabelledExample
from turnout.classify.identity import artefact_hash
from turnout.classify.learned.artefact import load
from turnout.classify.learned.features import Embed
from turnout.classify.learned.rows import row_of
from turnout.classify.learned.trained_on import trained_on
from turnout.classify.protocol import Classifier
from turnout.config.extras import require
from turnout.core.verdict import Verdict
from turnout.evaluate.outcomes.content import conversations, text_key
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.outcomes.table import Batch, OutcomesError
from turnout.evaluate.scoreboard.router import Router, checked_scores, meaning_of

Basis = Literal["label", "outcome", "score"]
"""Of what verdicts the bar is; ``score``: of a router that settings cannot name."""

NEVER = -1.0
"""What is said of a prompt that goes to the most capable candidate whatever the bar, where what is said is 0 to 1."""


class Judge(Protocol):
    """What is calibrated.

    Attributes:
        name: Its name, for people.
        basis: Of what verdicts the bar is.
        probability: Whether what it says is a probability, 0 to 1; else any number.
        embeds: Whether it has MiniLM's vectors.
        identity: What it is; see `turnout.classify.identity`.
        names: What verdicts call the candidates, where that is known.
    """

    name: str
    basis: Basis
    probability: bool
    embeds: bool
    identity: Mapping[str, str]
    names: Sequence[str] | None

    def suffices(self, batch: Batch) -> Any:
        """What it says of each prompt and each cheaper candidate: shape (prompts, cheaper candidates)."""

    def trained_on(self) -> Any | None:
        """Hashes of the groups and texts that it was trained on, ascending; none where that is not known."""


class ArtefactJudge:
    """A model that ``turnout train`` wrote.

    Args:
        folder: Its folder.
        candidates: The models as the table names them, the least capable first.
        embed: Gives vectors instead of MiniLM.

    Raises:
        ArtefactError: There is no artefact, or a damaged one.
        OutcomesError: It is of other candidates.
    """

    basis: Basis = "outcome"
    probability = True

    def __init__(self, folder: Path, candidates: Sequence[str], *, embed: Embed | None = None) -> None:
        self._model, self._manifest = load(folder, embed=embed)
        if self._manifest.basis != "outcome":
            raise OutcomesError(f"{folder} learned from labels of queries, not from graded answers")
        self._folder = folder
        known = list(self._manifest.trained.get("table_names", self._model.candidates))
        places = {one: index for names in (self._model.candidates, known) for index, one in enumerate(names)}
        self._places = [places.get(one, -1) for one in candidates]
        if self._places[-1] != len(known) - 1 or any(
            not 0 <= one < after for one, after in zip(self._places, self._places[1:], strict=False)
        ):
            raise OutcomesError(
                f"{folder} was trained for {' -> '.join(known)}, and {' -> '.join(candidates)} are not some of them in "
                f"that order with {known[-1]!r} as the most capable"
            )
        self.name = folder.name
        self.embeds = self._manifest.layout.mode == "embedding"
        self.identity: Mapping[str, str] = {"kind": "learned", "artefact": artefact_hash(folder)}
        self.names: Sequence[str] | None = [self._model.candidates[place] for place in self._places]

    @property
    def uses_categories(self) -> bool:
        """Whether it was trained with categories, which requests do not carry."""
        return bool(self._manifest.layout.categories)

    def suffices(self, batch: Batch) -> Any:
        """P(suffices) of each cheaper candidate."""
        np = require("numpy", extra=EXTRA)
        rows = [row_of(conversation) for conversation in conversations(batch)]
        found = self._model.predict(rows).suffices[:, self._places[:-1]]
        found[np.array([not row.text for row in rows], bool)] = NEVER
        return found

    def trained_on(self) -> Any | None:
        """What the artefact says of it."""
        return trained_on(self._folder, self._manifest)


class ClassifierJudge:
    """A classifier of Turnout's.

    Args:
        classifier: The classifier.
        identity: What it is.
        names: What its verdicts call the candidates, the least capable first.
        examples: The labelled examples that it learned from.
        embeds: Whether it has MiniLM's vectors.
    """

    probability = True

    def __init__(
        self,
        classifier: Classifier,
        *,
        identity: Mapping[str, str],
        names: Sequence[str],
        examples: Sequence[LabelledExample] = (),
        embeds: bool = False,
    ) -> None:
        self.name = classifier.name
        self.basis: Basis = "label"
        self.identity = identity
        self.embeds = embeds
        self.names: Sequence[str] | None = None
        self.failures = 0
        self._classifier = classifier
        self._cheaper = list(names[:-1])
        self._examples = examples

    def suffices(self, batch: Batch) -> Any:
        """P(label is simple) for every candidate, or P(suffices) of each; a failed verdict clears nothing."""
        np = require("numpy", extra=EXTRA)
        return np.array(asyncio.run(self._asked(batch)), float).reshape(len(batch), len(self._cheaper))

    async def _asked(self, batch: Batch) -> list[list[float]]:
        return [self._said(await self._classifier.classify(one)) for one in conversations(batch)]

    def _said(self, verdict: Verdict) -> list[float]:
        if verdict.failure is not None:
            self.failures += 1
            return [NEVER] * len(self._cheaper)
        if verdict.basis == "outcome":
            self.basis = "outcome"
            return [verdict.p_suffices.get(name, NEVER) for name in self._cheaper]
        assert verdict.p_simple is not None
        return [verdict.p_simple] * len(self._cheaper)

    def trained_on(self) -> Any | None:
        """The texts of its examples."""
        np = require("numpy", extra=EXTRA)
        return np.unique(np.array([text_key(one.text, None) for one in self._examples], np.uint64))


class RouterJudge:
    """Any router of the scoreboard: saved predictions, a function, a server. Two candidates.

    Args:
        router: The router; the higher its score, the more a prompt needs the capable model.
        spec: How the user names it.
    """

    basis: Basis = "score"
    embeds = False

    def __init__(self, router: Router, spec: str) -> None:
        self.name = router.name
        self.identity: Mapping[str, str] = {"kind": "router", "router": spec}
        self.names: Sequence[str] | None = None
        self._router = router
        # What a score means may be known only once one was given: a file says it, a classifier's verdict does.
        self.probability = meaning_of(router) is not None

    def suffices(self, batch: Batch) -> Any:
        """One less the score, or the score the other way round where it is no probability.

        Raises:
            OutcomesError: The router fails, or its scores are not one finite number for each prompt.
        """
        np = require("numpy", extra=EXTRA)
        try:
            scores = checked_scores(np, self._router.scores(batch), len(batch))[:, None]
        except ValueError as error:
            raise OutcomesError(f"{self.name}: {error}") from error
        # 0 less a score, and not the score negated: there is no bar -0.
        return 1.0 - scores if self.probability else 0.0 - scores

    def trained_on(self) -> Any | None:
        """Nobody knows."""
        return None
