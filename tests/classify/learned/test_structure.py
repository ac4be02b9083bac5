from __future__ import annotations

import numpy as np

from turnout.classify.learned.ngrams import grams_of
from turnout.classify.learned.structure import NAMES, structure


def of(text: str, turns: int = 1) -> dict[str, float]:
    return dict(zip(NAMES, structure(grams_of([text]), [turns])[0].tolist(), strict=True))


def test_what_is_counted() -> None:
    found = of("Is 3*4=12?\nYes, it is.", turns=4)
    assert found["characters"] == np.log1p(22)
    assert found["questions"] == np.log1p(1)
    assert found["lines"] == np.log1p(1)
    assert found["numbers"] == np.log1p(3)
    assert found["math"] == np.log1p(2)
    assert found["sentences"] == np.log1p(2)
    assert found["turns"] == np.log1p(4)
    assert found["digits_share"] == 4 / 23
    assert found["beyond_ascii"] == 0.0
    assert of("ä")["beyond_ascii"] > 0.5


def test_code_is_seen() -> None:
    assert of("def f(x): return [x]")["code"] > of("define a function of x")["code"]


def test_nothing_is_no_error() -> None:
    assert all(np.isfinite(list(of("").values())))
