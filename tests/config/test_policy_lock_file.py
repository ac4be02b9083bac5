from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config.locks import CATALOG, KEYWORD, LOCK, POLICY, changed, written
from turnout.config import ConfigError
from turnout.config.pairs import PAIR_4, PAIR_5_5
from turnout.config.policy_lock import LockedClassifier, LockedPrediction, LockedWindow, lock_of
from turnout.config.policy_lock_changes import differences
from turnout.config.policy_lock_file import is_lock, read_lock
from turnout.config.policy_lock_text import lock_text
from turnout.core.policy import Budget, Candidate, Policy
from turnout.core.spend_bound import SpendBound


@given(
    pair=st.sampled_from([PAIR_4, PAIR_5_5]),
    bars=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    share=st.floats(0.01, 0.99),
    horizon=st.sampled_from([("call", "user"), ("call", "fill"), ("session", "manage")]),
    budget=st.none() | st.builds(Budget, limit_pico=st.integers(1, 10**18), when_spent=st.just("cheapest")),
    bound=st.none() | st.builds(SpendBound, epsilon=st.floats(0, 3), kappa_pico=st.integers(0, 10**15)),
    kind=st.sampled_from([KEYWORD, LockedClassifier(kind="llm", model=PAIR_4.capable, sha256={"examples": "ab"})]),
    quality=st.none() | st.floats(0, 1),
)
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory,
    pair: tuple[str, str],
    bars: tuple[float, float],
    share: float,
    horizon: tuple[str, str],
    budget: Budget | None,
    bound: SpendBound | None,
    kind: LockedClassifier,
    quality: float | None,
) -> None:
    policy = msgspec.convert(
        {
            "candidates": [{"model": pair[1], "rank": 7}, {"model": pair[0], "rank": -2}],
            "simple_bar": bars[0],
            "quality_bar": bars[1],
            "simple_share": share,
            "horizon": horizon[0],
            "markers": horizon[1],
        },
        Policy,
    )
    policy = msgspec.structs.replace(policy, budget=budget)
    window = LockedWindow(
        first_day="2026-11-17", last_day="2026-11-23", days=7, decisions=5, calls=6, sessions=2, simulated=True
    )
    predicted = LockedPrediction(
        spend_usd="1.25",
        spend_low_usd="1.00",
        spend_high_usd="2.50",
        exact_usd="0.50",
        spend_usd_per_day="0.178571",
        spend_usd_per_1000_requests="250.000000",
        quality=quality,
        quality_source="none" if quality is None else "classifier",
        share={pair[0]: 0.25, pair[1]: 0.75},
    )
    alone = msgspec.structs.replace(policy, candidates=policy.candidates[:1], simple_bar=bars[1])
    routes = {"gpt-4o": alone, 'a "name".b': policy}
    lock = lock_of(policy, bound, CATALOG, kind, routes=routes, window=window, predicted=predicted)
    path = written(tmp_path_factory.mktemp("lock"), lock)
    found = read_lock(path)
    assert found == lock
    assert lock_text(found) == path.read_text()
    assert not found.edited
    assert is_lock(path)
    assert not differences(lock, found)
    assert found.catalog.content_hash == CATALOG.only(one.id for one in lock.models).content_hash


def test_every_model_of_the_catalog_can_be_locked(tmp_path: Path) -> None:
    ids = [model.id for model in CATALOG.models]
    policy = Policy(candidates=tuple(Candidate(model, rank) for rank, model in enumerate(ids)))
    assert read_lock(written(tmp_path, lock_of(policy, None, CATALOG, KEYWORD))).models == CATALOG.models


def test_a_price_that_was_edited_by_hand_is_known(tmp_path: Path) -> None:
    found = read_lock(changed(tmp_path, 'input = "3"', 'input = "2.5"'))
    assert found.edited
    assert {one.old for one in differences(LOCK, found)} == {"3"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 1", "format = 2", "format: this version reads format 1"),
        (
            "simple_bar = 0.5",
            "simple_barr = 0.5",
            "policy: unknown key 'simple_barr'; the nearest known one is 'simple_",
        ),
        ("simple_bar = 0.5", 'simple_bar = "0.5"', "policy.simple_bar: expected `float`, got `str`"),
        ("simple_bar = 0.5", "simple_bar = 1.5", "simple_bar must be between 0 and 1, got 1.5"),
        ("rank = 1", "rank = 0", "two candidates have the same rank"),
        ('input = "3"', "input = 3.0", "models[0].price[0].input: must be a number in quotes"),
        ('input = "3"', 'input = "dear"', "input must be a number in quotes, such as \"0.25\", got 'dear'"),
        ('input = "3"', 'input = "-3"', "input must be a price of 0 or more"),
        ('"vision"', '"sight"', "unknown capability 'sight'"),
        ('id = "bedrock/', 'id = "', "lacks its provider"),
        ('kind = "keyword"', 'kind = "llm"\nmodel = "bedrock/x"', "classifier.model: unknown model 'bedrock/x'"),
        ("simple_bar = 0.5\n", "", "policy: object missing required field `simple_bar`"),
        ("[policy]", "[policy", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_lock(changed(tmp_path, old, new))
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'policy.toml'}: ")
    assert "\n" not in str(caught.value)


def test_amounts_are_named_too(tmp_path: Path) -> None:
    lock = lock_of(msgspec.structs.replace(POLICY, budget=Budget(limit_pico=10**12)), None, CATALOG, KEYWORD)
    with pytest.raises(ConfigError, match=r"policy\.budget\.usd: must be an amount in quotes"):
        read_lock(changed(tmp_path, 'usd = "1.00"', 'usd = "one"', lock))


def test_a_file_that_is_not_there_or_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        read_lock(tmp_path / "policy.toml")
    (tmp_path / "empty.toml").write_text("")
    assert not is_lock(tmp_path / "empty.toml")
    with pytest.raises(ConfigError, match="format: this version reads format 1"):
        read_lock(tmp_path / "empty.toml")
