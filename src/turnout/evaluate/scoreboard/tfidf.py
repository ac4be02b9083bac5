"""The learned baseline: TF-IDF of words and word pairs, and logistic regression, as in any first course.

It is scikit-learn's (extra ``train``) and nothing is tuned: `TfidfVectorizer` with ``ngram_range=(1, 2)``,
``min_df=2``, ``sublinear_tf=True``, then `LogisticRegression` with its default ``C=1.0``. What it learns is where the
capable model's answer is better than the cheap one's. Its text is the prompt, and nothing else: neither tools nor
category. More than `MOST_PROMPTS` training prompts are thinned to that many, drawn with a seed.
"""

from __future__ import annotations

from typing import Any

from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.outcomes.table import Batch
from turnout.evaluate.scoreboard.router import Examples, Meaning, Scorer

MOST_PROMPTS = 100_000
"""As many prompts are trained on at the most: about 2 GB."""

_TRAIN_EXTRA = "train"
_SEED = 20_261_123


class TfidfRouter:
    """TF-IDF with logistic regression."""

    name = "tfidf"

    def fit(self, examples: Examples) -> Scorer:
        """Learn where the capable model's answer is better.

        Raises:
            MissingExtraError: scikit-learn is not installed.
        """
        np = require("numpy", extra=EXTRA)
        text = require("sklearn.feature_extraction.text", extra=_TRAIN_EXTRA)
        linear = require("sklearn.linear_model", extra=_TRAIN_EXTRA)
        pair = examples.pair
        better = pair.capable_scores > pair.cheap_scores
        kept = np.ones(len(examples), bool)
        if len(examples) > MOST_PROMPTS:
            kept[:] = False
            kept[np.random.default_rng(_SEED).choice(len(examples), MOST_PROMPTS, replace=False)] = True
        prompts: list[str] = []
        places: list[int] = []
        for batch, where in examples.batches():
            chosen = np.flatnonzero(kept[where]).tolist()
            prompts.extend(batch.prompt[row] for row in chosen)
            places.extend(where[chosen].tolist())
        labels = better[places]
        if labels.all() or not labels.any():
            return _Constant(float(labels.mean()))
        vectorizer = text.TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
        try:
            vectors = vectorizer.fit_transform(prompts)
        except ValueError:
            # No word stands in two prompts: there is nothing to learn from.
            return _Constant(float(labels.mean()))
        model = linear.LogisticRegression(max_iter=1_000)
        model.fit(vectors, labels, sample_weight=pair.weights[places])
        return _Fitted(vectorizer, model)


class _Fitted:
    """Probabilities of a fitted model."""

    meaning: Meaning = "better"

    def __init__(self, vectorizer: Any, model: Any) -> None:
        self._vectorizer = vectorizer
        self._model = model

    def __call__(self, batch: Batch) -> Any:
        return self._model.predict_proba(self._vectorizer.transform(batch.prompt))[:, 1]


class _Constant:
    """The same probability for every prompt, where the training prompts know only one answer."""

    meaning: Meaning = "better"

    def __init__(self, value: float) -> None:
        self._value = value

    def __call__(self, batch: Batch) -> Any:
        return require("numpy", extra=EXTRA).full(len(batch), self._value)
