from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from turnout.config.errors import ConfigError
from turnout.config.facts import Facts, load_facts, packaged_facts

Write = Callable[[str], Path]


def value_of(facts: Facts, key: str, provider: str, name: str) -> object:
    (placed,) = [p for p in facts.placed_models() if (p.key, p.provider) == (key, provider)]
    return placed.facts[name].value


def test_without_a_file_it_is_our_facts() -> None:
    assert load_facts() is packaged_facts()


@pytest.mark.parametrize(
    "table", ["[models.claude-sonnet-4-6]", "[models.claude-sonnet-4-6.at.bedrock]", "[shared.claude]"]
)
def test_a_users_fact_wins_wherever_ours_states_it(write: Write, table: str) -> None:
    # Ours states the floor with the model, the output limit with the provider, and the lookback in a shared group.
    facts = load_facts(write(f"{table}\nmax_output_tokens = 7\ncache.floor_tokens = 8\ncache.lookback_blocks = 9"))
    for name, value in (("max_output_tokens", 7), ("cache.floor_tokens", 8), ("cache.lookback_blocks", 9)):
        assert value_of(facts, "claude-sonnet-4-6", "bedrock", name) == value
    assert value_of(facts, "claude-sonnet-4-6", "bedrock", "context_window") == 1_000_000


def test_a_fact_of_one_provider_leaves_the_others_alone(write: Write) -> None:
    facts = load_facts(write("[models.claude-sonnet-4-6.at.bedrock]\ncache.floor_tokens = 2048"))
    assert value_of(facts, "claude-sonnet-4-6", "bedrock", "cache.floor_tokens") == 2048
    assert value_of(facts, "claude-sonnet-4-6", "anthropic", "cache.floor_tokens") == 1024


def test_in_one_file_what_is_nearer_to_the_model_wins(write: Write) -> None:
    facts = load_facts(
        write(
            """
            [shared.first]
            context_window = 1
            max_output_tokens = 1
            tokenizer_ratio = 1.1
            cache.floor_tokens = 1
            [shared.second]
            max_output_tokens = 2
            tokenizer_ratio = 1.2
            cache.floor_tokens = 2
            [models.new]
            name = "New"
            shared = ["first", "second"]
            tokenizer_ratio = 1.3
            cache.floor_tokens = 3
            at.local = { id = "new", cache.floor_tokens = 4, price = "free" }
            """
        )
    )
    names = ("context_window", "max_output_tokens", "tokenizer_ratio", "cache.floor_tokens")
    assert [value_of(facts, "new", "local", name) for name in names] == [1, 2, 1.3, 4]


def test_a_model_can_be_given_another_provider_and_other_groups(write: Write) -> None:
    facts = load_facts(
        write('[models.claude-opus-5-5]\nshared = ["claude"]\nat.anthropic = { id = "claude-opus-5-5" }')
    )
    placed = {p.provider: p for p in facts.placed_models() if p.key == "claude-opus-5-5"}
    assert placed["anthropic"].model_id == "claude-opus-5-5"
    assert "tokenizer_ratio" not in placed["bedrock"].facts
    assert placed["bedrock"].facts["cache.max_markers"].value == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[models.'claude-haiku-4.5']\ncontext_window = 3",
            "models.claude-haiku-4.5: unknown model 'claude-haiku-4.5'; the nearest known one is 'claude-haiku-4-5'; "
            "a new model needs a 'name'",
        ),
        ("[models.new]\nname = 'New'", "models.new: the model needs a table 'at.PROVIDER' with its 'id' there"),
        (
            "[models.new]\nname = 'New'\nat.local = { price = 'free' }",
            "models.new.at.local: the model needs an 'id' there",
        ),
        (
            "[models.claude-opus-5]\nshared = ['cloude']",
            "models.claude-opus-5.shared: unknown group 'cloude'; the nearest known one is 'claude'",
        ),
    ],
)
def test_models_that_are_not_whole_say_what_they_lack(write: Write, text: str, message: str) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as caught:
        load_facts(path).placed_models()
    assert str(caught.value) == f"{path}: {message}"


def test_profiles_can_be_added_and_changed(write: Write) -> None:
    profiles = load_facts(write("[profiles]\nca = 1.1\nus-gov = 1.1")).profiles
    assert list(profiles) == ["global", "us", "eu", "jp", "au", "apac", "us-gov", "ca"]
    assert str(profiles["us-gov"].value) == "1.1"
