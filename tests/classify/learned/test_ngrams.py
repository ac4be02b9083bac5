from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from turnout.classify.learned.ngrams import BUCKETS, FIRST_RUN, MOST_BYTES, grams_of

TEXTS = st.lists(st.text(max_size=40), min_size=1, max_size=6)


@given(texts=TEXTS)
def test_texts_together_are_counted_as_alone(texts: list[str]) -> None:
    together = grams_of(texts)
    for index, text in enumerate(texts):
        alone = grams_of([text])
        assert together.buckets[together.texts == index].tolist() == alone.buckets.tolist()
        assert together.times[together.texts == index].tolist() == alone.times.tolist()
        for name in ("bytes_", "words", "numbers", "longest"):
            assert np.array_equal(getattr(together, name)[index], getattr(alone, name)[0])


@given(texts=TEXTS)
def test_buckets_are_in_range_and_in_order(texts: list[str]) -> None:
    found = grams_of(texts)
    assert ((found.buckets >= 0) & (found.buckets < BUCKETS)).all()
    assert (np.diff(found.texts) >= 0).all()


def test_words_are_counted() -> None:
    found = grams_of(["Two words, 12 and 3.5: naïve_one"])
    # two, words, 12, and, 3, 5, naïve_one
    assert (found.words[0], found.numbers[0], found.longest[0]) == (7, 3, len("naïve_one".encode()))
    assert found.bytes_[0, ord("T")] == 1


def test_the_same_words_have_the_same_buckets_wherever_they_stand() -> None:
    short, long = set(grams_of(["stone river"]).buckets), set(grams_of(["Here: STONE river!"]).buckets)
    # Two words, their pair, and the runs of characters inside "stone river" with the blank before it.
    assert len(short & long) >= 2 + 1 + len(" stone river") - 3
    assert not set(grams_of(["stone"]).buckets) & set(grams_of(["xyz"]).buckets)


def test_no_run_goes_from_one_text_into_the_next() -> None:
    found = grams_of(["ab", "cd"])
    crossing = set(grams_of(["ab cd"]).buckets) - set(grams_of(["ab"]).buckets) - set(grams_of(["cd"]).buckets)
    assert not crossing & set(found.buckets)


def test_long_texts_are_read_in_part() -> None:
    text = "begin " + "middle " * 5_000 + "end"
    found = grams_of([text])
    assert found.bytes_.sum() == MOST_BYTES
    assert set(grams_of(["begin"]).buckets) & set(found.buckets)
    assert set(grams_of(["end"]).buckets) & set(found.buckets)


def test_it_is_counted_how_often_each_is_there() -> None:
    found, once = grams_of(["stone river stone"]), grams_of(["stone"])
    word = once.buckets[once.buckets < FIRST_RUN]
    assert found.times[np.isin(found.buckets, word)].tolist() == [2]
    # Three words, two pairs, and all runs of four characters of " stone river stone ".
    assert found.times.sum() == 3 + 2 + len(" stone river stone ") - 3
    assert set(once.times.tolist()) == {1}


def test_words_and_runs_have_buckets_of_their_own() -> None:
    found = grams_of(["stone river"])
    # Two words and their pair; all runs of four characters of " stone river ".
    assert int((found.buckets < FIRST_RUN).sum()) == 3
    assert int((found.buckets >= FIRST_RUN).sum()) == len(" stone river ") - 3
