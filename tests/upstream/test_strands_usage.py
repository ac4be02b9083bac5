import pytest
from strands.models.openai import OpenAIModel

from tests.doors.strands.support import CAPABLE, bedrock
from turnout.core.usage import Usage, UsageError
from turnout.testing.bedrock import BedrockDouble
from turnout.upstream.local.strands_model import LocalModel
from turnout.upstream.strands_usage import cached_tokens_of, splits_writes, usage_of

REPORT = {"inputTokens": 100, "outputTokens": 7, "cacheReadInputTokens": 60, "cacheWriteInputTokens": 30}


def test_cached_tokens_are_counted_once_under_either_convention() -> None:
    beside, inside = usage_of(REPORT, "beside"), usage_of(REPORT, "inside")
    assert beside == Usage(input_tokens=100, cache_read_tokens=60, cache_write_5m_tokens=30, output_tokens=7)
    assert inside == Usage(input_tokens=10, cache_read_tokens=60, cache_write_5m_tokens=30, output_tokens=7)


def test_a_report_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(UsageError):
        usage_of({"inputTokens": 10, "cacheReadInputTokens": 60}, "inside")


@pytest.mark.parametrize("report", [None, "many", 7, [], {}, {"prompt_tokens": 7}])
def test_what_is_no_report_is_refused(report: object) -> None:
    with pytest.raises(UsageError):
        usage_of(report, "beside")


def test_only_a_report_with_details_splits_its_writes() -> None:
    assert splits_writes({**REPORT, "cacheDetails": [{"ttl": "1h", "inputTokens": 30}]})
    assert not splits_writes(REPORT)
    assert not splits_writes(None)


def test_the_convention_is_the_providers() -> None:
    with BedrockDouble() as double:
        assert cached_tokens_of(bedrock(double, CAPABLE)) == "beside"
    openai = OpenAIModel(client_args={"api_key": "none"}, model_id="gpt-5-mini")
    assert cached_tokens_of(openai) == "inside"
    assert cached_tokens_of(type("Mine", (OpenAIModel,), {})(client_args={"api_key": "none"}, model_id="m")) == "inside"
    assert cached_tokens_of(LocalModel()) == "beside"
