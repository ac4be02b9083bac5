from __future__ import annotations

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.semconv.schemas import Schemas

from turnout.core.usage import Usage
from turnout.trace.spans import semconv


def strings(module: object) -> set[str]:
    """The constants of a module that are text."""
    return {value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)}


def test_names_under_gen_ai_are_those_of_the_conventions() -> None:
    known = strings(gen_ai_attributes) | strings(error_attributes)
    used = {name for name in strings(semconv) if name.startswith(("gen_ai.", "error."))}
    assert used - {semconv.USAGE_PREFIX} <= known
    assert set(Usage(input_tokens=1).to_opentelemetry()) <= known
    assert len(used) > 10


def test_the_rest_stands_under_our_own_prefix() -> None:
    dotted = {name for name in strings(semconv) if "." in name and "://" not in name}
    assert {name.partition(".")[0] for name in dotted} == {"gen_ai", "error", "turnout"}


def test_the_schema_is_a_released_one() -> None:
    assert semconv.SCHEMA_URL in {schema.value for schema in Schemas}


@pytest.mark.parametrize(
    ("catalog_id", "provider", "model"),
    [
        ("bedrock/global.anthropic.claude-sonnet-4-6", "aws.bedrock", "global.anthropic.claude-sonnet-4-6"),
        ("openai/gpt-5", "openai", "gpt-5"),
        ("mistral/large/2", "mistral_ai", "large/2"),
        ("tiny", "tiny", "tiny"),
    ],
)
def test_a_catalog_id_is_a_provider_and_its_model(catalog_id: str, provider: str, model: str) -> None:
    assert semconv.provider_and_model(catalog_id) == (provider, model)


def test_providers_are_called_as_the_conventions_call_them() -> None:
    assert set(semconv.PROVIDERS.values()) <= {value.value for value in gen_ai_attributes.GenAiProviderNameValues}
