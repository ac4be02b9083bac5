from __future__ import annotations

import tomllib

from turnout.config import load_catalog
from turnout.config.pairs import PAIR_5_5
from turnout.config.policy_lock import LockedClassifier, lock_of
from turnout.config.policy_lock_text import lock_text
from turnout.core.policy import Policy

LOCK = lock_of(Policy(candidates=PAIR_5_5.candidates), None, load_catalog(), LockedClassifier(kind="keyword"))


def test_it_is_toml_with_exact_prices_as_text_and_the_most_capable_first() -> None:
    text = lock_text(LOCK)
    found = tomllib.loads(text)
    assert [model["id"] for model in found["models"]] == [PAIR_5_5.capable, PAIR_5_5.cheap]
    cheap = found["models"][1]
    assert cheap["price"][0] == {
        "input": "0.1",
        "output": "0.5",
        "cache_read": "0.01",
        "cache_write_5m": "0.125",
        "cache_write_1h": "0.2",
    }
    assert cheap["price"][1]["above_prompt_tokens"] == 100_000
    assert found["catalog"]["sha256"] == LOCK.catalog_sha256
    assert "Nothing was predicted" in text


def test_the_same_values_give_the_same_bytes_in_short_lines() -> None:
    assert lock_text(LOCK) == lock_text(LOCK)
    assert max(map(len, lock_text(LOCK).splitlines())) <= 120
