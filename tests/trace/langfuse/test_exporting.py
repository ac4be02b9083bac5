from __future__ import annotations

import pytest

from tests.trace.langfuse.events import call, decision
from tests.trace.langfuse.sending import export, new_trace_id, sent_for
from turnout.testing.langfuse import LangfuseDouble
from turnout.trace.langfuse import Labels, LangfuseSettings, attributes_of, span_decorator, trace_decorator


def test_spans_go_as_gzipped_protobuf_with_the_keys_and_the_version(
    settings: LangfuseSettings, double: LangfuseDouble
) -> None:
    export(settings, [sent_for(call(), new_trace_id())])
    (exchange,) = double.exchanges
    assert (exchange.path, exchange.status) == ("/api/public/otel/v1/traces", 200)
    assert exchange.headers["content-type"] == "application/x-protobuf"
    assert exchange.headers["content-encoding"] == "gzip"
    assert exchange.headers["x-langfuse-ingestion-version"] == "4"
    assert [span.type for span in double.spans] == ["GENERATION"]


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"])
def test_headers_for_another_backend_do_not_go_to_langfuse(
    name: str, settings: LangfuseSettings, double: LangfuseDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "api-key=another-backends-secret,x-tenant=me,authorization=Basic another-backends-secret")
    export(settings, [sent_for(call(), new_trace_id())])
    (exchange,) = double.exchanges
    assert exchange.status == 200
    assert "another-backends-secret" not in str(exchange)
    assert "x-tenant" not in exchange.headers


def test_decorators_fill_labels_from_the_settings() -> None:
    settings = LangfuseSettings(public_key="p", secret_key="s", environment="staging", release="r1")
    event = decision()
    found = span_decorator(settings, Labels(release="r2", user_id="u"))(event)
    assert (found["langfuse.environment"], found["langfuse.release"], found["user.id"]) == ("staging", "r2", "u")
    assert found == attributes_of(event, labels=Labels(environment="staging", release="r2", user_id="u"))


def test_other_spans_of_the_trace_get_what_is_the_traces() -> None:
    settings = LangfuseSettings(public_key="p", secret_key="s", environment="staging")
    found = trace_decorator(settings, Labels(trace_name="support"))(call())
    assert found == {
        "langfuse.trace.name": "support",
        "session.id": "session-1",
        "langfuse.environment": "staging",
        "langfuse.trace.tags": ("run:agent",),
    }
