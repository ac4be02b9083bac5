"""The length rule."""

from __future__ import annotations

import pytest

from turnout.classify.calibrate import with_share
from turnout.classify.length import LengthClassifier
from turnout.messages.conversation import conversation_of


@pytest.mark.parametrize(("words", "label"), [(1, "simple"), (8, "simple"), (9, "complex"), (4000, "complex")])
async def test_more_than_eight_words_is_complex(words: int, label: str) -> None:
    verdict = await LengthClassifier().classify(conversation_of("word " * words))
    assert verdict.label == label
    for share in (0.05, 0.65, 0.95):
        corrected = with_share(verdict.p_simple or 0.0, set_share=share, simple_share=0.5)
        assert (corrected >= 0.5) == (label == "simple")


async def test_it_ranks_by_length() -> None:
    ranked = [(await LengthClassifier().classify(conversation_of("w " * n))).p_simple or 0.0 for n in range(1, 60)]
    assert ranked == sorted(ranked, reverse=True)
    assert len(set(ranked)) == len(ranked)


async def test_no_text_is_no_label() -> None:
    assert (await LengthClassifier().classify(conversation_of(" "))).failure is not None
