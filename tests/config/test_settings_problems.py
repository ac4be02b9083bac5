from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from turnout.config.errors import ConfigError
from turnout.config.settings_problems import check_variables, one_line, origin
from turnout.config.settings_schema import SettingsTable

FILE = Path("mine.toml")


def test_the_variable_that_states_a_key_is_named_else_the_file() -> None:
    environment = {"TURNOUT_POLICY__SIMPLE_BAR": "x", "TURNOUT_CLASSIFIER": "{}"}
    assert origin(("policy", "simple_bar"), FILE, environment) == "environment variable TURNOUT_POLICY__SIMPLE_BAR"
    assert origin(("classifier", "kind"), FILE, environment) == "environment variable TURNOUT_CLASSIFIER"
    assert origin(("policy", "quality_bar"), FILE, environment) == "mine.toml"
    assert origin(("policy", "candidates", 0, "rank"), None, {}) == "settings"


def test_of_several_problems_the_one_that_explains_most_is_told() -> None:
    with pytest.raises(ValidationError) as caught:
        SettingsTable.model_validate({"policy": {"candidates": [{"model": "m", "rnk": 1}]}})
    message = str(one_line(caught.value, FILE, {}))
    assert message == "mine.toml: policy.candidates[0]: unknown key 'rnk'; the nearest known one is 'rank'"


def test_values_are_never_repeated() -> None:
    for wrong in (
        {"api_key": "sk-very-secret"},
        {"ledger": ["sk-very-secret"]},
        {"policy": {"simple_bar": "sk-very-secret", "markers": "sk-very-secret", "budget": {"usd": "sk-very-secret"}}},
        {"classifier": "sk-very-secret"},
        {"application_profiles": "sk-very-secret"},
    ):
        with pytest.raises(ValidationError) as caught:
            SettingsTable.model_validate(wrong)
        assert "secret" not in str(one_line(caught.value, FILE, {}))


@pytest.mark.parametrize(
    "variable",
    [
        "TURNOUT_LEDGER",
        "TURNOUT_POLICY",
        "TURNOUT_POLICY__BUDGET__USD",
        "TURNOUT_POLICY__CANDIDATES",
        "TURNOUT_CLASSIFIER__DOUBT",
        "TURNOUT_APPLICATION_PROFILES",
        "TURNOUT_APPLICATION_PROFILES__ABC",
        "TURNOUT_CONFIG",
        "LEDGER",
        "TURNOUTS",
    ],
)
def test_variables_that_may_be_set(variable: str) -> None:
    check_variables([variable], reserved=["TURNOUT_CONFIG"])


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("TURNOUT_LEDGR", "TURNOUT_LEDGER"),
        ("TURNOUT_POLICY__SIMPEL_BAR", "TURNOUT_POLICY__SIMPLE_BAR"),
        ("TURNOUT_POLICY_SIMPLE_BAR", "TURNOUT_POLICY__SIMPLE_BAR"),
        ("TURNOUT_CLASSIFIER__TIMEOUT_SECOND", "TURNOUT_CLASSIFIER__TIMEOUT_SECONDS"),
        ("TURNOUT_POLICY__CANDIDATES__RANK", "TURNOUT_POLICY__CANDIDATES"),
        ("TURNOUT_LEDGER__PATH", "TURNOUT_LEDGER"),
        ("TURNOUT_CONF", "TURNOUT_CONFIG"),
    ],
)
def test_variables_that_look_like_ours_and_are_not_name_the_nearest(variable: str, nearest: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_variables(["PATH", variable], reserved=["TURNOUT_CONFIG"])
    assert str(caught.value) == f"environment: unknown variable {variable!r}; the nearest known one is {nearest!r}"
