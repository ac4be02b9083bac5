from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.catalog import load_catalog
from turnout.config.errors import ConfigError
from turnout.config.facts import load_facts
from turnout.config.model_names import model_names, resolve_bedrock_id
from turnout.core.catalog import UnknownModelError

NAMES = model_names(load_facts())
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
APPLICATION = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"


@pytest.mark.parametrize(
    ("text", "catalog_id"),
    [
        (f"global.{HAIKU}", f"bedrock/global.{HAIKU}"),
        (f"us.{HAIKU}", f"bedrock/us.{HAIKU}"),
        (f"us-gov.{HAIKU}", f"bedrock/us-gov.{HAIKU}"),
        (f"bedrock/jp.{HAIKU}", f"bedrock/jp.{HAIKU}"),
        ("apac.anthropic.claude-sonnet-4-6", "bedrock/apac.anthropic.claude-sonnet-4-6"),
        ("au.anthropic.claude-sonnet-4-6-v1:0", "bedrock/au.anthropic.claude-sonnet-4-6"),
        ("global.anthropic.claude-haiku-4-5", f"bedrock/global.{HAIKU}"),
        ("eu.anthropic.claude-opus-4-6", "bedrock/eu.anthropic.claude-opus-4-6-v1"),
        ("global.haiku-4.5", f"bedrock/global.{HAIKU}"),
        ("us.sonnet-5.5", "bedrock/us.anthropic.claude-sonnet-5-5"),
        ("us-gov.opus-5", "bedrock/us-gov.anthropic.claude-opus-5"),
        (f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{HAIKU}", f"bedrock/us.{HAIKU}"),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/global.anthropic.claude-sonnet-4-6",
            "bedrock/global.anthropic.claude-sonnet-4-6",
        ),
        (
            f"arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.{HAIKU}",
            f"bedrock/us-gov.{HAIKU}",
        ),
        (f"arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/{HAIKU}", f"bedrock/us-gov.{HAIKU}"),
        (
            "bedrock/arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-5-5",
            "bedrock/us.anthropic.claude-opus-5-5",
        ),
        ("openai/gpt-4.1-mini-2025-04-14", "openai/gpt-4.1-mini"),
        ("anthropic/claude-haiku-4-5", "anthropic/claude-haiku-4-5-20251001"),
        ("anthropic/haiku-4.5", "anthropic/claude-haiku-4-5-20251001"),
        ("local/smollm2", "local/smollm2-135m-instruct"),
    ],
)
def test_names_that_say_everything(text: str, catalog_id: str) -> None:
    assert resolve_bedrock_id(text) == catalog_id
    # A default changes nothing about a name that needs none.
    assert resolve_bedrock_id(text, "jp") == catalog_id


@pytest.mark.parametrize(
    "text",
    [
        HAIKU,
        "anthropic.claude-haiku-4-5",
        "haiku-4.5",
        f"bedrock/{HAIKU}",
        f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}",
    ],
)
def test_names_without_a_profile_get_the_default_or_are_refused(text: str) -> None:
    assert resolve_bedrock_id(text, "eu") == f"bedrock/eu.{HAIKU}"
    with pytest.raises(ConfigError) as caught:
        resolve_bedrock_id(text)
    named = text.removeprefix("bedrock/").rpartition("foundation-model/")[2]
    assert str(caught.value) == (
        f"the model {named!r} has no inference profile: put one of global., us., eu., jp., au., apac., us-gov. "
        f"before it, such as 'global.{HAIKU}', or set default_profile for requests that name none"
    )


def test_a_system_profile_arn_that_names_no_profile_is_not_given_the_default() -> None:
    with pytest.raises(ConfigError, match="has no inference profile"):
        resolve_bedrock_id(f"arn:aws:bedrock:us-east-1:1:inference-profile/{HAIKU}", "eu")


@pytest.mark.parametrize("key", [APPLICATION, "a1b2c3"])
def test_application_profiles_are_found_by_arn_or_by_its_last_part(key: str) -> None:
    mapped = {key: "us.haiku-4.5"}
    assert resolve_bedrock_id(APPLICATION, application_profiles=mapped) == f"bedrock/us.{HAIKU}"


def test_any_arn_that_does_not_say_its_model_can_be_mapped() -> None:
    arn = "arn:aws:bedrock:us-east-1:1:provisioned-model/xyz"
    assert resolve_bedrock_id(arn, application_profiles={arn: "us.opus-5"}) == "bedrock/us.anthropic.claude-opus-5"


def test_a_mapped_model_needs_its_profile_too() -> None:
    with pytest.raises(ConfigError, match="has no inference profile"):
        resolve_bedrock_id(APPLICATION, "eu", {APPLICATION: "haiku-4.5"})


@pytest.mark.parametrize("kind", ["application-inference-profile", "provisioned-model", "prompt-router"])
def test_an_arn_that_is_not_mapped_says_how_to_map_it(kind: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_bedrock_id(f"arn:aws:bedrock:us-east-1:1:{kind}/xyz", "eu")
    assert str(caught.value) == (
        f"an ARN of the kind {kind!r} does not say which model serves it: "
        "add 'xyz' = 'PROFILE.MODEL' to application_profiles"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "global.anthropic.claude-haiku-4-6",
            "unknown model 'global.anthropic.claude-haiku-4-6'; "
            "the nearest known one is 'global.anthropic.claude-haiku-4-5'",
        ),
        ("haiku-4.4", "unknown model 'haiku-4.4'; the nearest known one is 'haiku-4.5'"),
        (
            f"ca.{HAIKU}",
            f"unknown inference profile 'ca'; the nearest known one is 'au' (in 'ca.{HAIKU}')",
        ),
        (
            "openai/gpt-4.1-minni",
            "unknown model 'openai/gpt-4.1-minni'; the nearest known one is 'openai/gpt-4.1-mini'",
        ),
        ("opneai/gpt-5", "unknown model 'opneai/gpt-5'; the nearest known one is 'openai/gpt-5'"),
        (
            "arn:aws:s3:::bucket/key",
            "not an ARN of a Bedrock model: 'arn:aws:s3:::bucket/key'",
        ),
        (
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-9",
            "unknown model 'us.anthropic.claude-opus-9'; the nearest known one is 'us.anthropic.claude-opus-5'",
        ),
        (
            f"arn:aws-us-gov:bedrock:us-gov-west-1:1:inference-profile/us.{HAIKU}",
            "AWS GovCloud has the inference profile 'us-gov.' only: "
            f"'arn:aws-us-gov:bedrock:us-gov-west-1:1:inference-profile/us.{HAIKU}'",
        ),
    ],
)
def test_unknown_names_name_the_nearest_known_one(text: str, message: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        resolve_bedrock_id(text, "eu")
    assert str(caught.value) == message


def test_a_name_that_is_too_long_is_not_compared_with_others() -> None:
    with pytest.raises(UnknownModelError, match=r"^unknown model 'x{40}\.\.\.': no name has 300000 characters$"):
        resolve_bedrock_id("x" * 300_000)


def test_a_default_profile_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown inference profile 'eurp'; the nearest known one is 'eu'"):
        resolve_bedrock_id("haiku-4.5", "eurp")


def test_every_name_leads_into_the_catalog() -> None:
    catalog = load_catalog()
    for spelling in NAMES.bedrock:
        for profile in NAMES.profiles:
            assert NAMES.resolve(f"{profile}.{spelling}") in catalog
            assert NAMES.resolve(spelling, profile) == NAMES.resolve(f"{profile}.{spelling}")
    for spelling in NAMES.others:
        assert NAMES.resolve(spelling) in catalog


def test_every_catalog_id_is_its_own_name() -> None:
    for model in load_catalog().models:
        assert NAMES.resolve(model.id) == model.id


@given(
    text=st.text(max_size=60)
    | st.builds("".join, st.lists(st.sampled_from(["arn:aws:bedrock:", "us.", "::", "/", HAIKU, "bedrock/", "x"])))
)
def test_no_name_raises_anything_else(text: str) -> None:
    with contextlib.suppress(UnknownModelError, ConfigError):
        assert NAMES.resolve(text, "us") in load_catalog()


def test_a_users_models_have_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[models.mine]\nname = "M"\naliases = ["m"]\nat.bedrock = { id = "acme.mine" }')
    assert resolve_bedrock_id("us.m", overrides=path) == "bedrock/us.acme.mine"


def test_two_models_cannot_share_a_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[models.mine]\nname = "M"\naliases = ["haiku-4.5"]\nat.bedrock = { id = "acme.mine" }')
    facts = load_facts(path)
    with pytest.raises(ConfigError, match=f"two models are called 'haiku-4.5': '{HAIKU}' and 'acme.mine'"):
        model_names(facts)
