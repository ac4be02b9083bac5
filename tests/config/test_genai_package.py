from __future__ import annotations

from datetime import date
from importlib import metadata

import pytest

from turnout.config.errors import ConfigError
from turnout.config.genai_package import PACKAGE, package_version, read_package
from turnout.core.price import flat_price


def test_the_version_is_that_of_the_installed_package() -> None:
    assert package_version() == metadata.version("genai-prices")
    assert PACKAGE == "genai-prices"


def test_an_entry_has_the_packages_figures() -> None:
    price = read_package("openai/gpt-4o-mini").on(date(2026, 11, 23))
    assert price == flat_price("0.15", "0.6", cache_read="0.075")


def test_an_entry_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown provider 'opennai'; the nearest known one is 'openai'"):
        read_package("opennai/gpt-4o-mini")
    with pytest.raises(ConfigError, match=r"unknown model 'gpt-4o-minni'; the nearest known one is 'gpt-4o-mini"):
        read_package("openai/gpt-4o-minni")


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
