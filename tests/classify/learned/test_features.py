from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.classify.learned import features as module
from turnout.classify.learned.features import FEW, FOLDED, WAVES, fitted_map, looked_at, rounded
from turnout.classify.learned.ngrams import FIRST_RUN
from turnout.classify.learned.rows import Row, tools_of

TOOL = tools_of([{"name": "area", "description": "The area.", "parameters": {}}])
ROWS = [
    Row(f"text {number} " + "word " * (number % 9), TOOL if number % 2 else (), ("a", "b", "c")[number % 3])
    for number in range(60)
]


def vectors(texts: Sequence[str]) -> Any:
    """Vectors of unit length that depend on the text."""
    raw = np.array([[len(text), text.count("o") + 1, hash(len(text)) % 7] for text in texts], float)
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def test_blocks_have_about_one_length() -> None:
    raw = looked_at(ROWS, vectors)
    features = fitted_map(raw, seed=1)
    wide = features.wide(raw)
    assert wide.shape == (60, features.width)
    blocks = {name: wide[:, block] for name, block in features.blocks.items()}
    grams = blocks.pop("ngrams")
    known = np.flatnonzero(features.numbers["idf"])
    half = int((known < FIRST_RUN).sum())
    for name, block in [*blocks.items(), ("words", grams[:, :half]), ("runs", grams[:, half:])]:
        assert 0.5 < (block**2).sum(axis=1).mean() < 2.0, name


@pytest.mark.parametrize("categories", [False, True])
def test_waves_are_a_gaussian_kernel_within_a_category(categories: bool) -> None:
    raw = looked_at(ROWS, vectors)
    features = fitted_map(raw, seed=1, categories=categories)
    waves = features.dense(raw)["embedding_waves"]
    distances = ((raw.vectors[:, None] - raw.vectors) ** 2).sum(axis=-1)
    width = np.median(distances[distances > 1e-12])
    of = np.array(raw.categories)
    kernel = np.exp(-distances / width) * ((of[:, None] == of) if categories else 1.0)
    assert np.abs(waves @ waves.T - kernel).max() < 5.0 / WAVES["embedding"] ** 0.5


@pytest.mark.parametrize("prompts", [60, FEW, FEW + 1])
def test_bucket_weights_are_those_of_the_columns(prompts: int) -> None:
    raw = looked_at(ROWS, None)
    features = fitted_map(raw, seed=1, prompts=prompts)
    block = features.blocks["ngrams"]
    weights = np.random.default_rng(0).standard_normal((block.stop - block.start, 2))
    by_columns = features.wide(raw)[:, block] @ weights
    scales = features.gram_scales(raw.grams, 60)
    added = features.bucket_weights(weights)[raw.grams.buckets] * scales[:, None]
    sums = np.column_stack([np.bincount(raw.grams.texts, weights=added[:, one], minlength=60) for one in range(2)])
    assert np.allclose(by_columns, sums, atol=1e-4)


def test_what_says_nothing_is_left_out() -> None:
    raw = looked_at([Row(f"text {number}", (), "same") for number in range(30)], None)
    layout = fitted_map(raw, seed=0).layout
    assert layout.categories == ()
    assert "tools" not in layout.plain
    assert "turns" not in layout.plain


def test_categories_can_be_left_out() -> None:
    raw = looked_at(ROWS, None)
    assert fitted_map(raw, seed=0).layout.categories == ("a", "b", "c")
    without = fitted_map(raw, seed=0, categories=False)
    assert without.layout.categories == ()
    assert "category_shares" not in without.numbers


def test_a_request_without_a_known_category_is_as_requests_are_on_the_whole() -> None:
    rows = [Row("x", (), name) for name in ("a", "a", "a", "b", "c", "c", "c", "c", "")]
    fitted = fitted_map(looked_at(rows, None), seed=0)
    assert fitted.layout.categories == ("a", "c")  # one request of b says nothing of the next
    asked = [Row("x", (), name) for name in ("a", "new", "", "b")]
    hot = fitted.dense(looked_at(asked, None))["category"]
    assert hot[0].tolist() == [1.0, 0.0]
    assert np.allclose(hot[1:], [3 / 7, 4 / 7], atol=1e-4)


def test_waves_without_a_known_category_are_the_mean_of_all() -> None:
    features = fitted_map(looked_at(ROWS, vectors), seed=0)
    waves = features.dense(looked_at([Row("a text", (), name) for name in ("a", "b", "c", "")], vectors))["plain_waves"]
    assert np.allclose(waves[:3].mean(axis=0), waves[3], atol=1e-4)


def test_many_prompts_get_fewer_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = looked_at(ROWS, None)
    few = fitted_map(raw, seed=0)
    block = few.blocks["ngrams"]
    assert (few.layout.folded, block.stop - block.start) == (0, np.count_nonzero(few.numbers["idf"]))
    many = fitted_map(raw, seed=0, prompts=FEW + 1)
    block = many.blocks["ngrams"]
    assert (many.layout.folded, block.stop - block.start) == (FOLDED["many"], 2 * FOLDED["many"])
    monkeypatch.setattr(module, "MOST_CELLS", 60 * 10)
    assert fitted_map(raw, seed=0).layout.folded == FOLDED["few"]


def test_what_is_not_folded_is_tf_idf() -> None:
    raw = looked_at([Row("stone stone stone river"), Row("stone lake"), Row("river lake bird")], None)
    features = fitted_map(raw, seed=0)
    block = features.wide(raw)[:, features.blocks["ngrams"]]
    known = np.flatnonzero(features.numbers["idf"])
    words = block[:, known < FIRST_RUN]
    # "stone", "river" and "lake" are in two texts each, so of one IDF; "bird" and all pairs are in one.
    assert words.shape == (3, 3)
    often = 1.0 + np.log(3.0)
    assert np.allclose(np.sort(words[0]), np.array([0.0, 1.0, often]) / np.hypot(1.0, often), atol=1e-4)
    assert np.allclose(np.sort(words[1]), np.array([0.0, 1.0, 1.0]) / 2.0**0.5, atol=1e-4)


def test_nothing_that_two_texts_have_is_nothing() -> None:
    raw = looked_at([Row("stone"), Row("xyz 12")], None)
    features = fitted_map(raw, seed=0)
    block = features.blocks["ngrams"]
    assert block.stop - block.start == 1
    assert not features.wide(raw)[:, block].any()


def test_the_same_seed_gives_the_same_numbers() -> None:
    raw = looked_at(ROWS, vectors)
    one, same, other = (fitted_map(raw, seed=seed).numbers["plain_directions"] for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@given(values=st.lists(st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False, width=32), min_size=1, max_size=8))
def test_rounding_is_small_and_forgets_the_last_bits(values: list[float]) -> None:
    found = rounded(values)
    assert np.allclose(found, values, rtol=2.0**-13, atol=1e-300)
    assert np.array_equal(rounded(found), found)
    assert np.array_equal(found.astype(np.float32), found)
