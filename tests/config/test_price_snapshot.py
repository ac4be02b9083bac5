from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from turnout.config.errors import ConfigError
from turnout.config.facts import packaged_facts
from turnout.config.price_snapshot import read_package, write_snapshot
from turnout.config.prices import SNAPSHOT, package_version, packaged_snapshot


def test_what_is_kept_is_what_the_installed_package_says() -> None:
    # If this fails after an update of genai-prices: python -m turnout.config.price_snapshot, then read the difference.
    snapshot = packaged_snapshot()
    assert snapshot.version == package_version()
    assert set(snapshot.entries) == packaged_facts().price_references()
    for reference, kept in snapshot.entries.items():
        assert kept == read_package(reference), reference


def test_writing_it_anew_gives_the_same_file(tmp_path: Path) -> None:
    written = write_snapshot(tmp_path / "prices.json")
    assert (tmp_path / "prices.json").read_bytes() == SNAPSHOT.read_bytes()
    assert written == packaged_snapshot()


def test_prices_that_are_not_per_token_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"genai-prices has no price of tokens for 'openai/whisper-1'"):
        read_package("openai/whisper-1")


def test_prices_by_time_of_day_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"prices 'deepseek/deepseek-reasoner' by time of day"):
        read_package("deepseek/deepseek-reasoner")


def test_tiers_that_only_some_prices_have_are_filled_up_with_the_others() -> None:
    price = read_package("openai/gpt-5.4").on(date(2026, 11, 23))
    low, high = price.tiers
    assert (low.above_prompt_tokens, high.above_prompt_tokens) == (0, 272_000)
    assert (str(low.input), str(high.input)) == ("2.5", "5")
