from __future__ import annotations

import base64
import copy
import logging

import pytest

from turnout.trace.langfuse.errors import LangfuseError
from turnout.trace.langfuse.settings import DEFAULT_URL, LangfuseSettings, langfuse_settings

KEYS = {"LANGFUSE_PUBLIC_KEY": "pk-lf-public", "LANGFUSE_SECRET_KEY": "sk-lf-secret"}


def test_keys_switch_it_on() -> None:
    found = langfuse_settings(KEYS)
    assert found == LangfuseSettings(public_key="pk-lf-public", secret_key="sk-lf-secret", base_url=DEFAULT_URL)


@pytest.mark.parametrize("environment", [{}, {"LANGFUSE_PUBLIC_KEY": "", "LANGFUSE_SECRET_KEY": "  "}])
def test_without_keys_it_is_off(environment: dict[str, str]) -> None:
    assert langfuse_settings(environment) is None


def test_an_address_without_keys_is_off_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert langfuse_settings({"LANGFUSE_HOST": "https://langfuse.example"}) is None
    assert "variable=<LANGFUSE_HOST>" in caplog.text


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ({}, DEFAULT_URL),
        ({"LANGFUSE_HOST": "https://old.example"}, "https://old.example"),
        ({"LANGFUSE_BASE_URL": "https://new.example", "LANGFUSE_HOST": "https://old.example"}, "https://new.example"),
        ({"LANGFUSE_BASE_URL": "", "LANGFUSE_HOST": "http://localhost:3000/"}, "http://localhost:3000"),
        ({"LANGFUSE_BASE_URL": "https://new.example/langfuse//"}, "https://new.example/langfuse"),
    ],
)
def test_addresses(addresses: dict[str, str], expected: str) -> None:
    found = langfuse_settings({**KEYS, **addresses})
    assert found is not None
    assert found.base_url == expected


@pytest.mark.parametrize("missing", list(KEYS))
def test_half_of_the_keys(missing: str) -> None:
    environment = {name: value for name, value in KEYS.items() if name != missing}
    (present,) = environment
    with pytest.raises(LangfuseError, match=rf"^{missing} is not set, but {present} is: set both, or neither$"):
        langfuse_settings(environment)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"LANGFUSE_PUBLIC_KEY": "pk lf"}, "LANGFUSE_PUBLIC_KEY holds a character"),
        ({"LANGFUSE_PUBLIC_KEY": "pk:lf"}, "LANGFUSE_PUBLIC_KEY holds a character"),
        ({"LANGFUSE_SECRET_KEY": "sk-\nlf"}, "LANGFUSE_SECRET_KEY holds a character"),
        ({"LANGFUSE_SECRET_KEY": "sk-lf-é"}, "LANGFUSE_SECRET_KEY holds a character"),
        ({"LANGFUSE_PUBLIC_KEY": "sk-lf-a", "LANGFUSE_SECRET_KEY": "pk-lf-b"}, "are swapped"),
        ({"LANGFUSE_BASE_URL": "langfuse.example"}, "LANGFUSE_BASE_URL must begin with https"),
        ({"LANGFUSE_HOST": "ftp://langfuse.example"}, "LANGFUSE_HOST must begin with https"),
        ({"LANGFUSE_BASE_URL": "https://"}, "must begin with https"),
        ({"LANGFUSE_BASE_URL": "https://langfuse.example:port"}, "is no address"),
        ({"LANGFUSE_BASE_URL": "https://[::1"}, "is no address"),
        ({"LANGFUSE_BASE_URL": "https://me:secretword@langfuse.example"}, "must not hold a user or password"),
        ({"LANGFUSE_BASE_URL": "https://langfuse.example?key=secretword"}, r"must end before \? and #"),
        ({"LANGFUSE_BASE_URL": "https://langfuse.example/api/public/otel"}, "must end before /api/public"),
        ({"LANGFUSE_TRACING_ENVIRONMENT": "Staging"}, "LANGFUSE_TRACING_ENVIRONMENT must be"),
        ({"LANGFUSE_TRACING_ENVIRONMENT": "langfuse-x"}, "LANGFUSE_TRACING_ENVIRONMENT must be"),
    ],
)
def test_what_cannot_be_used_is_named_and_not_repeated(variables: dict[str, str], message: str) -> None:
    with pytest.raises(LangfuseError, match=message) as caught:
        langfuse_settings({**KEYS, **variables})
    assert "\n" not in str(caught.value)
    for secret in (*KEYS.values(), *variables.values(), "secretword"):
        assert secret == "https://" or secret not in str(caught.value)


def test_what_an_exporter_needs() -> None:
    found = langfuse_settings({**KEYS, "LANGFUSE_BASE_URL": "https://langfuse.example/"})
    assert found is not None
    assert found.otlp_endpoint == "https://langfuse.example/api/public/otel"
    assert found.traces_endpoint == "https://langfuse.example/api/public/otel/v1/traces"
    keys = base64.b64encode(b"pk-lf-public:sk-lf-secret").decode()
    assert found.headers == {"Authorization": f"Basic {keys}", "x-langfuse-ingestion-version": "4"}


def test_deployment_and_release() -> None:
    found = langfuse_settings({**KEYS, "LANGFUSE_TRACING_ENVIRONMENT": "staging-1", "LANGFUSE_RELEASE": "2026.11"})
    assert found is not None
    assert (found.environment, found.release) == ("staging-1", "2026.11")


@pytest.mark.parametrize(("value", "enabled"), [("", True), ("True", True), ("False", False), (" false ", False)])
def test_sending_can_be_turned_off(value: str, enabled: bool) -> None:
    found = langfuse_settings({**KEYS, "LANGFUSE_TRACING_ENABLED": value})
    assert found is not None
    assert found.tracing_enabled is enabled


def test_no_representation_holds_a_key() -> None:
    found = langfuse_settings(KEYS)
    assert found is not None
    texts = f"{found} {found!r} {copy.copy(found)} {[found]}"
    assert "public" not in texts
    assert "secret" not in texts


def test_keys_are_taken_out_of_texts_of_others() -> None:
    found = langfuse_settings(KEYS)
    assert found is not None
    basic = found.headers["Authorization"]
    assert found.without_keys(f"no pk-lf-public, sk-lf-secret, {basic}!") == "no ***, ***, Basic ***!"
