"""From what a user writes behind ``--router`` to a router.

- a name: ``random``, ``length``, ``keyword``, ``category``, ``tfidf``, or one of the classifiers in settings;
- ``module:object``: a function ``scores(batch)``, or an object or class with ``scores`` or ``fit``;
- ``http://...``: a server with ``/v1/route``;
- a file of saved predictions, ending in .csv, .jsonl or .parquet;
- a folder that ``turnout train`` wrote;
- ``learned``, ``learned-text`` without categories, or ``learned-ngrams`` without MiniLM: what ``turnout train`` makes
  of each training part.

``NAME=`` before any of them is the name in tables.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from turnout.classify.learned.artefact import MODEL, read_manifest
from turnout.classify.protocol import Classifier
from turnout.core.catalog import unknown
from turnout.evaluate.outcomes.files import ENDINGS
from turnout.evaluate.outcomes.table import Batch, OutcomesError
from turnout.evaluate.own_code import OwnCodeError, object_named, told
from turnout.evaluate.scoreboard.baselines import CategoryRouter, KeywordRouter, LengthRouter, RandomRouter
from turnout.evaluate.scoreboard.classifiers import ClassifierRouter
from turnout.evaluate.scoreboard.predictions import SavedRouter
from turnout.evaluate.scoreboard.router import Examples, Router, Scorer, TrainedRouter
from turnout.evaluate.scoreboard.served import ServedRouter
from turnout.evaluate.scoreboard.tfidf import TfidfRouter
from turnout.evaluate.training.learning import Choice
from turnout.evaluate.training.router import ArtefactRouter, LearnedRouter

OWN: dict[str, Callable[[], Router | TrainedRouter]] = {
    "random": RandomRouter,
    "length": LengthRouter,
    "keyword": KeywordRouter,
    "category": CategoryRouter,
    "tfidf": TfidfRouter,
    "learned": LearnedRouter,
    "learned-text": lambda: LearnedRouter("learned-text", choice=Choice(categories=False)),
    "learned-ngrams": lambda: LearnedRouter("learned-ngrams", embedding=False),
}
"""Routers of the scoreboard's own, by name."""


class FunctionRouter:
    """A function ``scores(batch)`` as a router.

    Args:
        function: The function; an attribute ``meaning`` of it says what its scores are.
        name: The name in tables.
    """

    def __init__(self, function: Callable[[Batch], Any], *, name: str) -> None:
        self.name = name
        self.meaning = getattr(function, "meaning", None)
        self._function = function

    def scores(self, batch: Batch) -> Any:
        """What the function gives."""
        return self._function(batch)


class _Renamed:
    """Whatever a router has, under another name, and with what people should know of its figures."""

    note = ""

    def __init__(self, router: Any, name: str) -> None:
        self._router = router
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._router, attribute)


class _RenamedRouter(_Renamed):
    # Stated, since protocols are asked for by what a class says and not by `__getattr__`.
    def scores(self, batch: Batch) -> Any:
        return self._router.scores(batch)


class _RenamedTrained(_Renamed):
    def fit(self, examples: Examples) -> Scorer:
        scorer: Scorer = self._router.fit(examples)
        return scorer


def _renamed(router: Any, name: str) -> Router | TrainedRouter:
    return _RenamedTrained(router, name) if hasattr(router, "fit") else _RenamedRouter(router, name)


def router_of(
    written: str,
    *,
    cheap: str,
    capable: str,
    classifier: Callable[[str], Classifier | None] = lambda name: None,
    classifiers: tuple[str, ...] = (),
) -> Router | TrainedRouter:
    """The router that is meant.

    Args:
        written: What the user wrote.
        cheap: The cheap model's name, in verdicts and in what servers say.
        capable: The capable model's name.
        classifier: Gives a classifier of settings by its name.
        classifiers: The names of classifiers that settings know.

    Raises:
        OutcomesError: There is no such router, or what is named is none.
    """
    name, mark, spec = written.partition("=")
    if not mark or "/" in name or ":" in name or "." in name:
        name, spec = "", written
    if spec.startswith(("http://", "https://")):
        return ServedRouter(spec, cheap=cheap, capable=capable, name=name)
    if spec.lower().endswith(ENDINGS):
        return SavedRouter(Path(spec), name=name)
    if (Path(spec) / MODEL).is_file():
        artefact = ArtefactRouter(Path(spec), cheap=cheap, capable=capable, name=name)
        if not read_manifest(Path(spec)).layout.categories:
            return artefact
        noted = _RenamedRouter(artefact, artefact.name)
        noted.note = (
            f"{artefact.name} was trained with categories: its figures are with those of the table, and requests carry "
            "none (turnout train --no-category)"
        )
        return noted
    if spec in OWN:
        router = OWN[spec]()
        return _renamed(router, name) if name else router
    if spec in classifiers:
        found = classifier(spec)
        if found is not None:
            return ClassifierRouter(found, name=name or spec, cheap=cheap)
    if ":" in spec:
        return _imported(spec, name or spec)
    raise OutcomesError(
        f"{unknown('router', spec, {*OWN, *classifiers})}; or give module:function, a URL, or a file of predictions"
    )


def _imported(spec: str, name: str) -> Router | TrainedRouter:
    try:
        found = object_named(spec, "router")
        if isinstance(found, type):
            found = found()
    except OwnCodeError as error:
        raise OutcomesError(str(error)) from error
    except Exception as error:
        raise OutcomesError(f"the router {spec!r} cannot be made: {told(error)}") from error
    if hasattr(found, "fit") or hasattr(found, "scores"):
        return _renamed(_OwnTrained(found) if hasattr(found, "fit") else _Own(found), name)
    if not callable(found):
        raise OutcomesError(f"{spec!r} is neither a function nor has it 'scores' or 'fit'")
    return FunctionRouter(_Own(found), name=name)


class _Own:
    """The user's own code: what it raises is told in one line, with the place in it."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def __call__(self, *given: Any) -> Any:
        try:
            return self._own(*given)
        except Exception as error:
            raise OutcomesError(told(error)) from error

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._own, attribute)
        return _Own(found) if callable(found) else found


class _OwnTrained(_Own):
    def fit(self, examples: Examples) -> Scorer:
        return _Own(_Own(self._own.fit)(examples))
