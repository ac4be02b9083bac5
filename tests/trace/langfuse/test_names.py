from __future__ import annotations

from langfuse._client.attributes import LangfuseOtelSpanAttributes as Sdk

from turnout.trace.langfuse import names


def test_the_names_are_those_of_the_sdk() -> None:
    assert names.TRACE_NAME == Sdk.TRACE_NAME
    assert names.TAGS == Sdk.TRACE_TAGS
    assert names.SESSION == Sdk.TRACE_SESSION_ID
    assert names.USER == Sdk.TRACE_USER_ID
    assert names.ENVIRONMENT == Sdk.ENVIRONMENT
    assert names.RELEASE == Sdk.RELEASE
    assert names.VERSION == Sdk.VERSION
    assert names.TYPE == Sdk.OBSERVATION_TYPE
    assert names.LEVEL == Sdk.OBSERVATION_LEVEL
    assert names.STATUS_MESSAGE == Sdk.OBSERVATION_STATUS_MESSAGE
    assert names.MODEL == Sdk.OBSERVATION_MODEL
    assert names.USAGE_DETAILS == Sdk.OBSERVATION_USAGE_DETAILS
    assert names.COST_DETAILS == Sdk.OBSERVATION_COST_DETAILS
    assert names.FIRST_CONTENT == Sdk.OBSERVATION_COMPLETION_START_TIME
    assert names.METADATA == Sdk.OBSERVATION_METADATA + "."
