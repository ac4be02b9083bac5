from __future__ import annotations

import numpy as np
import pytest

from turnout.classify.learned.features import fitted_map, looked_at
from turnout.classify.learned.likeness import SHARES, centres_of, fitted_likeness, likeness_of
from turnout.classify.learned.rows import Row

WORDS = ["parcel", "refund", "order", "delivery", "invoice", "voucher", "address", "return"]
DRAW = np.random.default_rng(4)
TEXTS = [" ".join(DRAW.choice(WORDS, 6)) for _ in range(120)]


def around(centre: int, count: int) -> np.ndarray:
    """Vectors of unit length near one of three directions."""
    found = np.eye(3, 8)[centre] + 0.1 * DRAW.standard_normal((count, 8))
    unit: np.ndarray = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def test_by_n_grams_other_words_are_unlike() -> None:
    raw = looked_at([Row(text) for text in TEXTS], None)
    likeness, centres = fitted_likeness(raw, np.arange(120) % 5, seed=0)
    assert centres is None
    idf = fitted_map(raw, seed=0).numbers["idf"]
    known, other = (
        likeness_of(looked_at([Row(text)], None), idf, None)[0] for text in (TEXTS[3], "Prove Zorn's lemma!")
    )
    assert other < likeness.cut <= known
    assert 0.0 <= other <= known <= 1.0


def test_by_vectors_other_directions_are_unlike() -> None:
    vectors = np.vstack([around(one, 60) for one in range(3)])
    places = {str(place): vector for place, vector in enumerate(vectors)}
    raw = looked_at([Row(name) for name in places], lambda texts: np.array([places[text] for text in texts]))
    likeness, centres = fitted_likeness(raw, np.arange(180) % 5, seed=0)
    assert centres is not None
    assert np.allclose(np.linalg.norm(centres, axis=1), 1.0, atol=1e-3)
    fresh, other = around(1, 50), np.tile(np.eye(8)[7], (50, 1))

    def shares(of: np.ndarray) -> float:
        asked = looked_at([Row("x")] * 50, lambda texts: of)
        return float((likeness_of(asked, None, centres) < likeness.cut).mean())

    assert shares(fresh) < 0.3
    assert shares(other) == 1.0


def test_quantiles_are_of_prompts_that_were_not_seen() -> None:
    raw = looked_at([Row(f"{text} {number}") for number, text in enumerate(TEXTS)], None)
    likeness, _ = fitted_likeness(raw, np.arange(120) % 5, seed=0)
    assert len(likeness.quantiles) == len(SHARES)
    assert list(likeness.quantiles) == sorted(likeness.quantiles)
    seen = likeness_of(raw, fitted_map(raw, seed=0).numbers["idf"], None)
    assert likeness.quantiles[2] < np.median(seen)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_few_vectors_have_few_centres(count: int) -> None:
    assert centres_of(around(0, count), seed=0).shape == (1, 8)


def test_centres_are_the_same_for_the_same_seed() -> None:
    vectors = np.vstack([around(one, 40) for one in range(3)])
    assert np.array_equal(centres_of(vectors, seed=1), centres_of(vectors, seed=1))
