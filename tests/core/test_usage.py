"""Usage: the same call comes out alike, however its provider reports it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.completion_usage import CompletionUsage
from openai.types.responses.response_usage import ResponseUsage

from tests.core.strategies import usages
from turnout.core.usage import NO_USAGE, Usage, UsageError

# One call: 1,207 fresh, 3,486 read and 1,743 written tokens (of which 1,000 for an hour), 510 of output, 90 of it
# thinking. The whole prompt is 1,207 + 3,486 + 1,743 = 6,436 tokens.
CALL = Usage(
    input_tokens=1_207,
    cache_read_tokens=3_486,
    cache_write_5m_tokens=743,
    cache_write_1h_tokens=1_000,
    output_tokens=510,
    reasoning_tokens=90,
)
BEDROCK: dict[str, Any] = {
    "inputTokens": 1_207,
    "outputTokens": 510,
    "totalTokens": 6_946,
    "cacheReadInputTokens": 3_486,
    "cacheWriteInputTokens": 1_743,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 1_000}, {"ttl": "5m", "inputTokens": 743}],
}
ANTHROPIC: dict[str, Any] = {
    "input_tokens": 1_207,
    "output_tokens": 510,
    "cache_read_input_tokens": 3_486,
    "cache_creation_input_tokens": 1_743,
    "cache_creation": {"ephemeral_5m_input_tokens": 743, "ephemeral_1h_input_tokens": 1_000},
    "output_tokens_details": {"thinking_tokens": 90},
    "service_tier": "standard",
}
OPENAI_CHAT: dict[str, Any] = {
    "prompt_tokens": 6_436,
    "completion_tokens": 510,
    "total_tokens": 6_946,
    "prompt_tokens_details": {"cached_tokens": 3_486, "cache_write_tokens": 1_743},
    "completion_tokens_details": {"reasoning_tokens": 90},
}
OPENAI_RESPONSES: dict[str, Any] = {
    "input_tokens": 6_436,
    "output_tokens": 510,
    "total_tokens": 6_946,
    "input_tokens_details": {"cached_tokens": 3_486, "cache_write_tokens": 1_743},
    "output_tokens_details": {"reasoning_tokens": 90},
}
OPENTELEMETRY: dict[str, Any] = {
    "gen_ai.usage.input_tokens": 6_436,
    "gen_ai.usage.output_tokens": 510,
    "gen_ai.usage.cache_read.input_tokens": 3_486,
    "gen_ai.usage.cache_creation.input_tokens": 1_743,
    "gen_ai.usage.reasoning.output_tokens": 90,
    "gen_ai.request.model": "m",
}
# The same call where a convention does not tell the TTL of writes: all are then 5 minute ones.
CALL_WITHOUT_TTL = msgspec.structs.replace(CALL, cache_write_5m_tokens=1_743, cache_write_1h_tokens=0)


def test_the_parts_of_a_prompt_do_not_overlap() -> None:
    assert CALL.prompt_tokens == 6_436
    assert CALL.cache_write_tokens == 1_743
    assert CALL.total_tokens == 6_946


def test_bedrock_counts_cached_tokens_beside_the_input() -> None:
    assert Usage.from_bedrock(BEDROCK) == msgspec.structs.replace(CALL, reasoning_tokens=0)


def test_anthropic_counts_cached_tokens_beside_the_input() -> None:
    assert Usage.from_anthropic(ANTHROPIC) == CALL


@pytest.mark.parametrize("report", [OPENAI_CHAT, OPENAI_RESPONSES])
def test_openai_counts_cached_tokens_inside_the_prompt(report: dict[str, Any]) -> None:
    assert Usage.from_openai(report) == CALL_WITHOUT_TTL


def test_the_openai_reports_are_those_of_the_openai_package() -> None:
    # The package's own types take them, so no key above is misspelt.
    chat = CompletionUsage.model_validate(OPENAI_CHAT).model_dump(exclude_none=True)
    responses = ResponseUsage.model_validate(OPENAI_RESPONSES).model_dump(exclude_none=True)
    assert (chat, responses) == (OPENAI_CHAT, OPENAI_RESPONSES)


def test_opentelemetry_counts_cached_tokens_inside_the_input() -> None:
    assert Usage.from_opentelemetry(OPENTELEMETRY) == CALL_WITHOUT_TTL


def test_missing_counts_and_nulls_are_zero() -> None:
    expected = Usage(input_tokens=10, output_tokens=5)
    assert Usage.from_bedrock({"inputTokens": 10, "outputTokens": 5}) == expected
    assert Usage.from_bedrock({"inputTokens": 10, "outputTokens": 5, "cacheDetails": []}) == expected
    assert Usage.from_anthropic({"input_tokens": 10, "output_tokens": 5, "cache_creation": None}) == expected
    assert Usage.from_openai({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": None}) == expected
    assert Usage.from_opentelemetry({"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}) == expected


@pytest.mark.parametrize("read", [Usage.from_bedrock, Usage.from_anthropic, Usage.from_openai])
@pytest.mark.parametrize("report", [{}, {"promptTokenCount": 7}, {"inputTokens": None, "input_tokens": None}])
def test_a_report_in_another_convention_is_refused_and_not_free(
    read: Callable[[dict[str, Any]], Usage], report: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="the report has none of"):
        read(report)


def test_writes_without_a_split_are_five_minute_ones() -> None:
    assert Usage.from_bedrock({"inputTokens": 1, "outputTokens": 1, "cacheWriteInputTokens": 7}) == Usage(
        input_tokens=1, output_tokens=1, cache_write_5m_tokens=7
    )
    assert Usage.from_anthropic({"input_tokens": 0, "cache_creation_input_tokens": 7}) == Usage(cache_write_5m_tokens=7)


def test_a_split_without_a_total_is_enough() -> None:
    details = [{"ttl": "5m", "inputTokens": 3}, {"ttl": "1h", "inputTokens": 4}, {"ttl": "5m", "inputTokens": 1}]
    assert Usage.from_bedrock({"outputTokens": 0, "cacheDetails": details}) == Usage(
        cache_write_5m_tokens=4, cache_write_1h_tokens=4
    )
    creation = {"ephemeral_1h_input_tokens": 4}
    assert Usage.from_anthropic({"output_tokens": 0, "cache_creation": creation}) == Usage(cache_write_1h_tokens=4)


def test_a_split_of_nothing_but_zeros_is_no_split() -> None:
    creation = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
    assert Usage.from_anthropic(
        {"input_tokens": 0, "cache_creation_input_tokens": 7, "cache_creation": creation}
    ) == Usage(cache_write_5m_tokens=7)


def changed(report: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The report with one value changed; ``path`` has a dot before each key of an inner object, if it has a space."""
    copied: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(report))
    *outer, key = path.split(" ")
    inner: Any = copied
    for step in outer:
        inner = inner[int(step) if step.isdigit() else step]
    inner[key] = value
    return copied


Constructor = Callable[[dict[str, Any]], Usage]
COUNTS: list[tuple[Constructor, dict[str, Any], str, str]] = [
    (Usage.from_bedrock, BEDROCK, "inputTokens", "inputTokens"),
    (Usage.from_bedrock, BEDROCK, "outputTokens", "outputTokens"),
    (Usage.from_bedrock, BEDROCK, "cacheReadInputTokens", "cacheReadInputTokens"),
    (Usage.from_bedrock, BEDROCK, "cacheWriteInputTokens", "cacheWriteInputTokens"),
    (Usage.from_bedrock, BEDROCK, "cacheDetails 1 inputTokens", "cacheDetails[1].inputTokens"),
    (Usage.from_anthropic, ANTHROPIC, "input_tokens", "input_tokens"),
    (Usage.from_anthropic, ANTHROPIC, "output_tokens", "output_tokens"),
    (Usage.from_anthropic, ANTHROPIC, "cache_read_input_tokens", "cache_read_input_tokens"),
    (Usage.from_anthropic, ANTHROPIC, "cache_creation_input_tokens", "cache_creation_input_tokens"),
    (
        Usage.from_anthropic,
        ANTHROPIC,
        "cache_creation ephemeral_1h_input_tokens",
        "cache_creation.ephemeral_1h_input_tokens",
    ),
    (
        Usage.from_anthropic,
        ANTHROPIC,
        "cache_creation ephemeral_5m_input_tokens",
        "cache_creation.ephemeral_5m_input_tokens",
    ),
    (
        Usage.from_anthropic,
        ANTHROPIC,
        "output_tokens_details thinking_tokens",
        "output_tokens_details.thinking_tokens",
    ),
    (Usage.from_openai, OPENAI_CHAT, "prompt_tokens", "prompt_tokens"),
    (Usage.from_openai, OPENAI_CHAT, "completion_tokens", "completion_tokens"),
    (Usage.from_openai, OPENAI_CHAT, "prompt_tokens_details cached_tokens", "prompt_tokens_details.cached_tokens"),
    (
        Usage.from_openai,
        OPENAI_CHAT,
        "completion_tokens_details reasoning_tokens",
        "completion_tokens_details.reasoning_tokens",
    ),
    (Usage.from_openai, OPENAI_RESPONSES, "input_tokens", "input_tokens"),
    (Usage.from_openai, OPENAI_RESPONSES, "output_tokens", "output_tokens"),
    (
        Usage.from_openai,
        OPENAI_RESPONSES,
        "input_tokens_details cache_write_tokens",
        "input_tokens_details.cache_write_tokens",
    ),
    (Usage.from_opentelemetry, OPENTELEMETRY, "gen_ai.usage.input_tokens", "gen_ai.usage.input_tokens"),
    (
        Usage.from_opentelemetry,
        OPENTELEMETRY,
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read.input_tokens",
    ),
]


@pytest.mark.parametrize("value", [-1, 1.5, 12.0, "12", True, [], {}], ids=repr)
@pytest.mark.parametrize(("read", "report", "path", "named"), COUNTS, ids=[f"{c[0].__name__} {c[3]}" for c in COUNTS])
def test_a_count_that_is_none_is_an_error_that_names_the_key(
    read: Constructor, report: dict[str, Any], path: str, named: str, value: object
) -> None:
    with pytest.raises(UsageError) as raised:
        read(changed(report, path, value))
    assert str(raised.value) == f"{named} must be a whole number of tokens, 0 or more, got {value!r}"


@pytest.mark.parametrize(
    ("read", "report", "path"),
    [
        (Usage.from_bedrock, BEDROCK, "cacheDetails"),
        (Usage.from_anthropic, ANTHROPIC, "cache_creation"),
        (Usage.from_anthropic, ANTHROPIC, "output_tokens_details"),
        (Usage.from_openai, OPENAI_CHAT, "prompt_tokens_details"),
        (Usage.from_openai, OPENAI_RESPONSES, "output_tokens_details"),
    ],
)
@pytest.mark.parametrize("value", [5, "text", [1]], ids=repr)
def test_details_of_another_shape_are_an_error_that_names_the_key(
    read: Constructor, report: dict[str, Any], path: str, value: object
) -> None:
    with pytest.raises(UsageError, match=f"^{path} must be "):
        read(changed(report, path, value))


def test_an_unknown_ttl_is_an_error_that_names_the_key() -> None:
    with pytest.raises(UsageError, match=r"cacheDetails\[0\]\.ttl must be 5m or 1h, got '2h'"):
        Usage.from_bedrock(changed(BEDROCK, "cacheDetails 0 ttl", "2h"))


def test_a_split_that_does_not_add_up_is_an_error_that_names_the_key() -> None:
    with pytest.raises(UsageError, match="cacheWriteInputTokens is 1742, but its split by TTL adds up to 1743"):
        Usage.from_bedrock(changed(BEDROCK, "cacheWriteInputTokens", 1_742))
    with pytest.raises(UsageError, match="cache_creation_input_tokens is 0, but its split by TTL adds up to 1743"):
        Usage.from_anthropic(changed(ANTHROPIC, "cache_creation_input_tokens", 0))


@pytest.mark.parametrize(
    ("read", "report", "key"),
    [
        (Usage.from_openai, OPENAI_CHAT, "prompt_tokens"),
        (Usage.from_openai, OPENAI_RESPONSES, "input_tokens"),
        (Usage.from_opentelemetry, OPENTELEMETRY, "gen_ai.usage.input_tokens"),
    ],
)
def test_more_cached_than_prompt_tokens_is_an_error_that_names_the_key(
    read: Constructor, report: dict[str, Any], key: str
) -> None:
    # 3,486 + 1,743 = 5,229 cached tokens do not fit into a prompt of 5,228.
    assert read(changed(report, key, 5_229)).input_tokens == 0
    with pytest.raises(UsageError, match=f"^{key} is 5228, but 3486 read and 1743 written tokens are counted inside"):
        read(changed(report, key, 5_228))


@pytest.mark.parametrize(
    ("read", "report", "path", "named"),
    [
        (Usage.from_anthropic, ANTHROPIC, "output_tokens", "output_tokens_details.thinking_tokens is 90"),
        (Usage.from_openai, OPENAI_CHAT, "completion_tokens", "completion_tokens_details.reasoning_tokens is 90"),
        (Usage.from_openai, OPENAI_RESPONSES, "output_tokens", "output_tokens_details.reasoning_tokens is 90"),
        (
            Usage.from_opentelemetry,
            OPENTELEMETRY,
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.reasoning.output_tokens is 90",
        ),
    ],
)
def test_more_reasoning_than_output_is_an_error_that_names_the_key(
    read: Constructor, report: dict[str, Any], path: str, named: str
) -> None:
    assert read(changed(report, path, 90)).reasoning_tokens == 90
    with pytest.raises(UsageError, match=f"^{named}, but it is a part of {path}, which is 89"):
        read(changed(report, path, 89))


def test_more_reasoning_than_output_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"reasoning_tokens \(6\) is a part of output_tokens \(5\)"):
        Usage(output_tokens=5, reasoning_tokens=6)


@pytest.mark.parametrize("name", Usage.__struct_fields__)
def test_a_negative_count_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} must not be negative, got -1"):
        Usage(**{name: -1})


def beside_bedrock(usage: Usage) -> dict[str, Any]:
    details = [
        {"ttl": "1h", "inputTokens": usage.cache_write_1h_tokens},
        {"ttl": "5m", "inputTokens": usage.cache_write_5m_tokens},
    ]
    return {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.total_tokens,
        "cacheReadInputTokens": usage.cache_read_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
        "cacheDetails": [detail for detail in details if detail["inputTokens"]],
    }


def beside_anthropic(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }


def inside_openai(usage: Usage, *, responses: bool) -> dict[str, Any]:
    prompt, output = ("input", "output") if responses else ("prompt", "completion")
    cached = usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    return {
        f"{prompt}_tokens": usage.input_tokens + cached,
        f"{output}_tokens": usage.output_tokens,
        f"{prompt}_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        },
        f"{output}_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


@given(usages())
def test_a_call_comes_out_alike_from_every_convention(usage: Usage) -> None:
    without_ttl = msgspec.structs.replace(
        usage, cache_write_5m_tokens=usage.cache_write_tokens, cache_write_1h_tokens=0
    )
    read = {
        "bedrock": Usage.from_bedrock(beside_bedrock(usage)),
        "anthropic": Usage.from_anthropic(beside_anthropic(usage)),
        "chat": Usage.from_openai(inside_openai(usage, responses=False)),
        "responses": Usage.from_openai(inside_openai(usage, responses=True)),
        "opentelemetry": Usage.from_opentelemetry(usage.to_opentelemetry()),
    }
    assert read["bedrock"] == msgspec.structs.replace(usage, reasoning_tokens=0)
    assert read["anthropic"] == usage
    assert read["chat"] == read["responses"] == read["opentelemetry"] == without_ttl
    assert {one.total_tokens for one in read.values()} == {usage.total_tokens}
    assert {one.prompt_tokens for one in read.values()} == {usage.prompt_tokens}


@given(usages())
def test_an_opentelemetry_report_counts_every_prompt_token_once(usage: Usage) -> None:
    report = usage.to_opentelemetry()
    assert report["gen_ai.usage.input_tokens"] + report["gen_ai.usage.output_tokens"] == usage.total_tokens


@given(usages(), usages(), usages())
def test_usages_add_up(first: Usage, second: Usage, third: Usage) -> None:
    assert (first + second) + third == first + (second + third)
    assert first + second == second + first
    assert first + NO_USAGE == first
    assert (first + second).total_tokens == first.total_tokens + second.total_tokens


def refusal(read: Constructor, report: dict[str, Any]) -> str | None:
    """Why a constructor refuses a report; none if it reads it."""
    try:
        read(report)
    except UsageError as error:
        return str(error)
    return None


KEYS = sorted({*BEDROCK, *ANTHROPIC, *OPENAI_CHAT, *OPENAI_RESPONSES, *OPENTELEMETRY})


@given(
    st.dictionaries(
        st.sampled_from(KEYS),
        st.integers() | st.text() | st.none() | st.lists(st.integers()) | st.dictionaries(st.text(), st.integers()),
    )
)
def test_any_report_is_read_or_refused_by_the_name_of_a_key(report: dict[str, Any]) -> None:
    for read in (Usage.from_bedrock, Usage.from_anthropic, Usage.from_openai, Usage.from_opentelemetry):
        message = refusal(read, report)
        assert message is None or any(key in message for key in KEYS)
