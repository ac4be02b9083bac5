"""all-MiniLM-L6-v2 on numpy, against another runtime's vectors and against the same net in double precision."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from turnout.classify.minilm import DIMENSIONS, MiniLM, shared_minilm
from turnout.upstream.local.weights import MINILM_TOKENIZER, MINILM_WEIGHTS, verified

TEXTS = [
    "Hello",
    "Do you ship to Norway?",
    "The screen flickers since the update, and I already reset it twice.",
    "",
    "Können Sie mir 请 helfen? 🙂",
]


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return shared_minilm()


def test_it_agrees_with_another_runtime(minilm: MiniLM) -> None:
    # The reference's weights are 8-bit ones, so the cosine is near 1 and not 1.
    reference = json.loads(Path(__file__).with_name("minilm_reference.json").read_text(encoding="utf-8"))
    cosines = (minilm.embed(reference["texts"]) * np.array(reference["vectors"])).sum(axis=1)
    assert cosines.min() > 0.999


def test_it_agrees_with_double_precision(minilm: MiniLM) -> None:
    for text, layers in ((TEXTS[1], 6), (TEXTS[2], 5)):
        assert np.abs(minilm.embed([text], layers=layers)[0] - double_precision(text, layers)).max() < 2e-6


def test_vectors_have_unit_length_and_the_order_of_the_texts(minilm: MiniLM) -> None:
    vectors = minilm.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    for text, vector in zip(TEXTS, vectors, strict=True):
        assert np.abs(minilm.embed([text])[0] - vector).max() < 1e-5


def test_batches_do_not_change_vectors(minilm: MiniLM) -> None:
    many = TEXTS * 8
    assert np.abs(minilm.embed(many) - np.tile(minilm.embed(TEXTS), (8, 1))).max() < 1e-5


def test_a_text_that_came_alone_is_remembered_and_nobody_can_spoil_it(minilm: MiniLM) -> None:
    first = minilm.embed(["Is it remembered?"], layers=5)
    kept = first.copy()
    first[:] = 0.0
    assert (minilm.embed(["Is it remembered?"], layers=5) == kept).all()
    # Another layer is another vector, and many texts push the oldest out.
    assert not np.allclose(minilm.embed(["Is it remembered?"], layers=6), kept)
    for number in range(10):
        minilm.embed([str(number)])
    assert np.allclose(minilm.embed(["Is it remembered?"], layers=5), kept)


def test_what_is_alike_is_near(minilm: MiniLM) -> None:
    a, b, c = minilm.embed(["How do I return shoes?", "Sending footwear back", "The printer is out of ink"])
    assert a @ b > a @ c + 0.2


def test_text_beyond_256_tokens_is_cut_off(minilm: MiniLM) -> None:
    long, longer = minilm.embed(["word " * 300, "word " * 300 + "other"])
    assert np.array_equal(long, longer)


def test_no_texts(minilm: MiniLM) -> None:
    assert minilm.embed([]).shape == (0, DIMENSIONS)


@pytest.mark.parametrize("layers", [0, 7])
def test_layers_that_are_not_there(minilm: MiniLM, layers: int) -> None:
    with pytest.raises(ValueError, match="layers must be between 1 and 6"):
        minilm.embed(["text"], layers=layers)


def test_it_is_loaded_once() -> None:
    assert shared_minilm() is shared_minilm()


def double_precision(text: str, layers: int) -> Any:
    """The encoder as its paper writes it, one text, one head at a time, in 64 bits and with the library's erf."""
    tokenizer = Tokenizer.from_file(str(verified(MINILM_TOKENIZER)))
    tokenizer.no_padding()
    ids = tokenizer.encode(text).ids
    w = {name: array.astype(np.float64) for name, array in load_file(verified(MINILM_WEIGHTS)).items() if array.ndim}
    erf = np.vectorize(math.erf)

    def dense(x: Any, name: str) -> Any:
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def norm(x: Any, name: str) -> Any:
        return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-12) * w[name + ".weight"] + w[
            name + ".bias"
        ]

    x = (
        w["embeddings.word_embeddings.weight"][ids]
        + w["embeddings.position_embeddings.weight"][: len(ids)]
        + w["embeddings.token_type_embeddings.weight"][0]
    )
    x = norm(x, "embeddings.LayerNorm")
    for index in range(layers):
        at = f"encoder.layer.{index}."
        query, key, value = (dense(x, at + f"attention.self.{part}") for part in ("query", "key", "value"))
        heads = []
        for head in range(12):
            own = slice(32 * head, 32 * head + 32)
            scores = np.exp(query[:, own] @ key[:, own].T / math.sqrt(32.0))
            heads.append(scores / scores.sum(1, keepdims=True) @ value[:, own])
        x = norm(x + dense(np.hstack(heads), at + "attention.output.dense"), at + "attention.output.LayerNorm")
        raised = dense(x, at + "intermediate.dense")
        raised = 0.5 * raised * (1.0 + erf(raised / math.sqrt(2.0)))
        x = norm(x + dense(raised, at + "output.dense"), at + "output.LayerNorm")
    pooled = x.mean(0)
    return pooled / np.linalg.norm(pooled)
