from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from turnout.classify.learned.rows import Row, Tool
from turnout.classify.likeness import Likeness, references_of
from turnout.config.calibration import References
from turnout.messages.conversation import conversation_of

WORDS = ["where", "is", "my", "order", "parcel", "invoice", "address", "when", "will", "it", "come", "please", "today"]
SHARE = 0.05


def orders(count: int, seed: int) -> list[Row]:
    """Questions of one trade."""
    draw = random.Random(seed)
    return [Row(" ".join(draw.choices(WORDS, k=draw.randint(5, 15))) + "?") for _ in range(count)]


def made(rows: Sequence[Row], **more: Any) -> References:
    found = references_of(rows, space=more.pop("space", "ngrams"), share=more.pop("share", SHARE), **more)
    assert found is not None
    return found


def letters(texts: Sequence[str]) -> Any:
    """Vectors of unit length without MiniLM: counts of letters."""
    counts = np.array([[text.count(chr(97 + letter)) + 0.01 for letter in range(26)] for text in texts])
    return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.mark.parametrize(("space", "embed"), [("ngrams", None), ("minilm", letters)])
def test_of_requests_like_the_references_no_more_than_the_share_is_beyond_the_cut(space: str, embed: Any) -> None:
    """Over 40 sets of references, so that the luck of one does not count."""
    beyond = []
    for seed in range(40):
        likeness = Likeness(made(orders(100, seed), space=space, embed=embed), embed=embed)
        beyond.append((likeness.of_rows(orders(50, 1_000 + seed)) > 1.0).mean())
    spread = np.std(beyond) / np.sqrt(len(beyond))
    assert np.mean(beyond) <= SHARE + 3 * spread
    assert np.mean(beyond) > 0.0


def test_other_languages_trades_and_shapes_are_beyond_it() -> None:
    likeness = Likeness(made(orders(100, 1)))
    assert not likeness.embeds
    assert likeness.share == SHARE
    for text in (
        "Докажите, что существует бесконечно много простых чисел.",
        "def f(x):\n    return {k: v for k, v in x.items() if v > 0}\n" * 4,
        "Prove that every bounded entire function is constant, by Cauchy's estimates.",
    ):
        assert likeness.unlikeness(conversation_of(text)) > 1.0
    assert likeness.unlikeness(conversation_of("when will my parcel come today please?")) < 1.0


def test_tools_that_no_reference_had_count() -> None:
    likeness = Likeness(made(orders(100, 1)))
    text = "where is my order please tell me?"
    tool = Tool("refund_order", "Refund an order", ())
    plain, offered = likeness.of_rows([Row(text), Row(text, tools=(tool,) * 3)])
    assert offered > plain


def test_a_cut_needs_enough_references() -> None:
    # Of 18 like requests and a new one each is the furthest with probability 1 in 19, which is more than a 20th.
    assert references_of(orders(18, 1), space="ngrams", share=0.05) is None
    assert references_of(orders(19, 1), space="ngrams", share=0.05) is not None
    assert references_of([], space="ngrams", share=0.05) is None


def test_the_references_of_one_text_still_have_a_cut() -> None:
    likeness = Likeness(made([Row("hello")] * 40))
    assert likeness.of_rows([Row("hello")])[0] <= 1.0
    assert likeness.of_rows([Row("good bye then")])[0] > 1.0


def test_they_survive_storage_bit_for_bit() -> None:
    references = made(orders(60, 3))
    stored = msgspec.json.decode(msgspec.json.encode(references), type=References)
    rows = orders(20, 4)
    assert (Likeness(stored).of_rows(rows) == Likeness(references).of_rows(rows)).all()
