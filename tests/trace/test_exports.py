from collections.abc import Iterator

import pytest

from tests.core.price_table import HAIKU_4_5
from tests.testing.langfuse.contract import checked
from tests.trace.otel import fresh_tracing
from turnout.core.catalog import Catalog
from turnout.core.policy import Candidate, Policy
from turnout.core.usage import Usage
from turnout.messages.conversation import conversation_of
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import request_of
from turnout.router import Router
from turnout.testing.langfuse import LangfuseDouble
from turnout.trace.exports import configure_exports
from turnout.trace.langfuse import Labels, LangfuseReader, LangfuseSettingsError, langfuse_settings


@pytest.fixture
def langfuse(monkeypatch: pytest.MonkeyPatch) -> Iterator[LangfuseDouble]:
    with checked(LangfuseDouble()) as double, fresh_tracing(monkeypatch):
        yield double


def test_without_variables_nothing_is_exported(langfuse: LangfuseDouble) -> None:
    assert configure_exports(environment={}) is None


def test_half_set_variables_are_told(langfuse: LangfuseDouble) -> None:
    with pytest.raises(LangfuseSettingsError, match="LANGFUSE_SECRET_KEY"):
        configure_exports(environment={"LANGFUSE_PUBLIC_KEY": "pk-lf-1"})


async def test_langfuses_variables_switch_it_on(langfuse: LangfuseDouble) -> None:
    tracing = configure_exports(labels=Labels(trace_name="support"), environment=langfuse.environment)
    assert tracing is not None
    router = Router(Policy(candidates=(Candidate(HAIKU_4_5.id, 1),)), Catalog.of([HAIKU_4_5]), run="monday")
    conversation = conversation_of("hello")
    request = request_of(conversation, PrefixHasher(b"key"))
    call = router.begin_call(await router.route(conversation, request, router.begin_turn("s")))
    call.usage(Usage(input_tokens=100, output_tokens=10))
    call.end()
    assert tracing.close()
    settings = langfuse_settings(langfuse.environment)
    assert settings is not None
    with LangfuseReader(settings) as reader:
        # 100 x $1 + 10 x $5 per million tokens
        assert reader.run("monday").totals.cost_pico == 150_000_000
