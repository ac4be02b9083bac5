"""Every client against providers of every other protocol, over real sockets: the six pairs that are translated."""

from __future__ import annotations

import gc
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from botocore.exceptions import ClientError, EventStreamError, ReadTimeoutError

from tests.doors.gateway.support import BEDROCK, OPENAI, Served, Upstreams, served, settings_text, wait_for
from tests.doors.gateway.translation_support import CALLED, MODELS, PAIRS, STOPS, Ask, Door, speaking
from turnout.doors.gateway.crossing import _message_of
from turnout.testing import bedrock, completions

SAID = "The simulated model heard you and answers in a few words."
pairs = pytest.mark.parametrize(("door", "upstream"), PAIRS, ids=["-".join(pair) for pair in PAIRS])


@pytest.fixture(scope="module")
def translating(doubles: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    text = settings_text(doubles, *MODELS.values()).replace("stall_seconds = 5", "stall_seconds = 2")
    with served(tmp_path_factory.mktemp("translating"), text) as found, speaking(doubles):
        yield found


@pytest.fixture
def gateway(translating: Served, doubles: Upstreams) -> Iterator[Served]:
    doubles.clear()
    translating.events.events.clear()
    yield translating
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def fail(doubles: Upstreams, upstream: str, *, status: int, message: str, after_events: int | None = None) -> None:
    """The next call of that provider fails."""
    if upstream == "bedrock":
        names = {429: "ThrottlingException", 400: "ValidationException", 503: "ServiceUnavailableException"}
        names |= {401: "AccessDeniedException", 500: "InternalServerException"}
        doubles.bedrock.faults.add(
            bedrock.Fault(error=names[status], message=message, after_events=after_events, delay_s=0.05)
        )
        return
    double = doubles.openai if upstream == "openai" else doubles.anthropic
    wait = 60.0 if status == 429 else None
    double.faults.add(
        completions.Fault(status=status, message=message, retry_after_s=wait, after_events=after_events, delay_s=0.05)
    )


def calls_of(doubles: Upstreams, upstream: str) -> Any:
    return getattr(doubles, upstream).calls


@pairs
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_text(gateway: Served, doubles: Upstreams, door: str, upstream: str, stream: bool) -> None:
    outcome = Door(gateway, door).ask(MODELS[upstream], Ask(stream=stream))
    assert outcome.text == SAID
    assert outcome.calls == []
    assert outcome.reason == STOPS[door]
    assert outcome.headers["x-turnout-model"] == MODELS[upstream]
    assert outcome.headers["x-turnout-reason"] == "pinned"
    if door != "bedrock":
        assert outcome.model == MODELS[upstream].partition("/")[2]
    gateway.wait_for_calls(1)
    (call,) = gateway.events.calls
    assert (call.status, call.usage_source, call.finish_reason) == ("ok", "reported", "end_turn")
    assert outcome.tokens == (call.usage.input_tokens, call.usage.output_tokens)
    (asked,) = calls_of(doubles, upstream)
    assert "Be brief." in json.dumps(asked.request)
    if upstream == "openai":
        assert asked.request["max_completion_tokens"] == 500
        assert asked.headers["authorization"] == "Bearer sk-up-openai"
        assert "anthropic-version" not in asked.headers
    if upstream == "anthropic":
        assert asked.request["max_tokens"] == 500
        assert asked.headers["anthropic-version"] == "2023-06-01"
        assert asked.headers["x-api-key"] == "sk-up-anthropic"
    if upstream == "bedrock":
        assert asked.request["inferenceConfig"] == {"maxTokens": 500}


@pairs
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_tools_called_at_once_and_their_results(
    gateway: Served, doubles: Upstreams, door: str, upstream: str, stream: bool
) -> None:
    client = Door(gateway, door)
    first = client.ask(MODELS[upstream], Ask(tools=True, stream=stream))
    assert [(name, given) for _, name, given in first.calls] == [
        ("weather", {"place": "Berlin 0"}),
        ("time", {"place": "Berlin 1"}),
    ]
    assert first.reason == CALLED[door]
    assert len({given for given, _, _ in first.calls}) == 2
    if stream:
        first = client.ask(MODELS[upstream], Ask(tools=True))
    second = client.ask(MODELS[upstream], Ask(tools=True, stream=stream, rounds=(first,)))
    assert second.text == SAID
    assert second.reason == STOPS[door]


@pairs
def test_an_image(gateway: Served, door: str, upstream: str) -> None:
    assert Door(gateway, door).ask(MODELS[upstream], Ask(image=True)).text == f"I see an image. {SAID}"


def refusal(door: str, gateway: Served, model: str, ask: Ask) -> tuple[int, str, str, dict[str, str]]:
    """Status, kind, message and headers of the error that a client raises."""
    try:
        Door(gateway, door).ask(model, ask)
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        body: Any = error.body
        held = body.get("error", body)
        return error.status_code, held["type"], held["message"], dict(error.response.headers)
    except ClientError as client_error:
        said = client_error.response
        about = said["ResponseMetadata"]
        return about["HTTPStatusCode"], said["Error"]["Code"], said["Error"]["Message"], about["HTTPHeaders"]
    raise AssertionError("it was answered")


KINDS = {
    ("openai", 400): (400, "invalid_request_error"),
    ("anthropic", 400): (400, "invalid_request_error"),
    ("bedrock", 400): (400, "ValidationException"),
    ("openai", 429): (429, "rate_limit_error"),
    ("anthropic", 429): (429, "rate_limit_error"),
    ("bedrock", 429): (429, "ThrottlingException"),
    ("openai", 503): (503, "server_error"),
    ("anthropic", 503): (503, "api_error"),
    ("bedrock", 503): (503, "ServiceUnavailableException"),
}


@pairs
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", [400, 429, 503])
def test_an_error_comes_in_the_clients_own_shape(
    gateway: Served, doubles: Upstreams, door: str, upstream: str, status: int, stream: bool
) -> None:
    for _ in range(8):
        fail(doubles, upstream, status=status, message="no good")
    got, kind, message, headers = refusal(door, gateway, MODELS[upstream], Ask(stream=stream))
    assert ((got, kind), message) == (KINDS[door, status], "no good")
    assert headers["x-turnout-model"] == MODELS[upstream]
    if status == 429 and upstream != "bedrock":
        assert headers["retry-after"] == "60"


@pairs
def test_a_prompt_that_is_too_long_is_told_in_the_words_that_clients_know(
    gateway: Served, doubles: Upstreams, door: str, upstream: str
) -> None:
    words = {
        "openai": "This model's maximum context length is",
        "anthropic": "prompt is too long",
        "bedrock": "Input is too long for requested model.",
    }
    theirs = {"openai": "This model's maximum context length is 9 tokens.", **{one: words[one] for one in words}}
    fail(doubles, upstream, status=400, message=theirs[upstream])
    got, kind, message, _ = refusal(door, gateway, MODELS[upstream], Ask())
    assert (got, kind) == KINDS[door, 400]
    assert message.startswith(words[door])


@pytest.mark.parametrize(("door", "upstream"), [pair for pair in PAIRS if pair[1] != "bedrock"])
def test_turnouts_own_credentials_are_its_own_affair(
    gateway: Served, doubles: Upstreams, door: str, upstream: str
) -> None:
    fail(doubles, upstream, status=401, message="bad key sk-up")
    got, _, message, _ = refusal(door, gateway, MODELS[upstream], Ask())
    assert got in (502, 503)
    assert "sk-up" not in message
    assert "answered 401 to Turnout's own credentials (`turnout check --online` looks into it)" in message


@pairs
def test_an_error_in_mid_stream(gateway: Served, doubles: Upstreams, door: str, upstream: str) -> None:
    fail(doubles, upstream, status=429, message="slow down", after_events=4)
    with pytest.raises((openai.APIError, anthropic.APIError, EventStreamError)) as caught:
        Door(gateway, door).ask(MODELS[upstream], Ask(stream=True))
    assert "slow down" in str(caught.value)
    gateway.wait_for_calls(1)
    assert gateway.events.calls[0].error in ("RateLimitError", "ThrottlingException")


@pairs
@pytest.mark.parametrize("damage", ["drop", "truncated", "garbage"])
@pytest.mark.parametrize("after", [1, 5])
def test_a_stream_that_breaks_ends_with_an_error(
    gateway: Served, doubles: Upstreams, door: str, upstream: str, damage: str, after: int
) -> None:
    how: Any = {"drop": True} if damage == "drop" else {"damage": damage}
    if upstream == "bedrock":
        doubles.bedrock.faults.add(bedrock.Fault(after_events=after, **how))
    else:
        double = doubles.openai if upstream == "openai" else doubles.anthropic
        double.faults.add(completions.Fault(after_events=after, **how))
    try:
        outcome = Door(gateway, door).ask(MODELS[upstream], Ask(stream=True))
    except (openai.APIError, anthropic.APIError, EventStreamError):
        return
    # Before the first content it was simply asked again.
    assert len(calls_of(doubles, upstream)) == 2
    assert outcome.text == SAID


@pairs
def test_cancel(gateway: Served, doubles: Upstreams, door: str, upstream: str) -> None:
    if upstream == "bedrock":
        doubles.bedrock.faults.add(bedrock.stall(30))
    else:
        (doubles.openai if upstream == "openai" else doubles.anthropic).faults.add(completions.Fault(delay_s=30))
    options = {"read_timeout": 0.3} if door == "bedrock" else {"timeout": 0.3}
    with pytest.raises((openai.APITimeoutError, anthropic.APITimeoutError, ReadTimeoutError)):
        Door(gateway, door, options).ask(MODELS[upstream])
    gateway.wait_for_calls(1)
    assert gateway.events.calls[0].status == "cancelled"
    if upstream != "bedrock":
        wait_for(lambda: bool(calls_of(doubles, upstream)[0].left))


def test_what_cannot_be_said_elsewhere_goes_where_it_can(gateway: Served) -> None:
    """Without a pin the request stays with the candidates that take all of it."""
    asked: list[Any] = [{"role": "user", "content": "Hello."}]
    with gateway.openai() as client:
        raw = client.chat.completions.with_raw_response.create(model="turnout", messages=asked, seed=7)
        assert raw.headers["x-turnout-model"] == OPENAI[1]
        with pytest.raises(openai.BadRequestError, match="untranslatable:logit_bias"):
            client.chat.completions.create(model=BEDROCK[1], messages=asked, logit_bias={"1": 5})

    assert gateway.events.decisions[0].decision.estimate(BEDROCK[1]).ineligible == ("history:untranslatable:seed",)


def test_failover_to_a_provider_of_another_protocol(gateway: Served, doubles: Upstreams) -> None:
    doubles.bedrock.faults.add(bedrock.throttling())
    with gateway.bedrock() as client:
        answer = client.converse(modelId="turnout", messages=[{"role": "user", "content": [{"text": "Hello."}]}])
    assert answer["output"]["message"]["content"] == [{"text": SAID}]
    assert len(doubles.bedrock.calls) == 1
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-turnout-model"] != BEDROCK[1]


def test_tokens_are_not_counted_by_a_model_of_another_protocol(gateway: Served) -> None:
    with gateway.anthropic() as client, pytest.raises(anthropic.BadRequestError, match="no candidate counts tokens"):
        client.messages.count_tokens(model=OPENAI[1], messages=[{"role": "user", "content": "Hello."}])


def test_an_overloaded_provider_is_a_503_where_there_is_no_529(gateway: Served, doubles: Upstreams) -> None:
    for _ in range(8):
        doubles.anthropic.faults.add(completions.Fault(status=529, message="busy", retry_after_s=60))
    got, kind, message, _ = refusal("openai", gateway, MODELS["anthropic"], Ask())
    assert (got, kind, message) == (503, "server_error", "busy")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"error":{"message":"a"}}', "a"),
        (b'{"message":"b"}', "b"),
        (b'{"Message":"c"}', "c"),
        (b'{"error":"d"}', "d"),
        (b"[]", ""),
        (b"no json", ""),
        (b'{"error":{"message":"' + b"x" * 9_999 + b'"}}', "x" * 2_000),
    ],
)
def test_the_providers_own_words(data: bytes, said: str) -> None:
    assert _message_of(data) == said


def test_headers_of_one_provider_mean_nothing_to_another(gateway: Served, doubles: Upstreams) -> None:
    own = {"anthropic-beta": "context-1m", "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01", "x-own": "1"}
    asked: list[Any] = [{"role": "user", "content": "Hello."}]
    with gateway.anthropic() as client:
        raw = client.messages.with_raw_response.create(
            model=MODELS["openai"], max_tokens=9, messages=asked, extra_headers=own
        )
    (call,) = doubles.openai.calls
    assert call.headers["traceparent"] == own["traceparent"]
    assert not {"anthropic-beta", "anthropic-version", "x-own", "x-stainless-lang"} & set(call.headers)
    assert raw.headers["request-id"] == "req_simulated"
    assert "x-ratelimit-remaining-requests" not in raw.headers


def test_without_translation_there_are_relays_only(doubles: Upstreams, tmp_path: Path) -> None:
    text = settings_text(doubles, *MODELS.values(), extra="[gateway]\ntranslate = false")
    asked: list[Any] = [{"role": "user", "content": "Hello."}]
    with (
        served(tmp_path, text) as found,
        found.anthropic() as client,
        pytest.raises(anthropic.BadRequestError, match="untranslatable:protocol"),
    ):
        client.messages.create(model=MODELS["openai"], max_tokens=9, messages=asked)


@pytest.mark.parametrize("door", ["anthropic", "bedrock"])
@pytest.mark.parametrize("events", [13, 14], ids=["without-usage", "without-done"])
def test_a_whole_answer_counts_though_its_stream_breaks_after_it(
    gateway: Served, doubles: Upstreams, door: str, events: int
) -> None:
    """The role, eleven words and the reason are 13 chunks; usage and ``[DONE]`` follow."""
    doubles.openai.faults.add(completions.Fault(after_events=events, drop=True))
    outcome = Door(gateway, door).ask(MODELS["openai"], Ask(stream=True))
    assert (outcome.text, outcome.reason) == (SAID, "end_turn")
    gateway.wait_for_calls(1)
    (call,) = gateway.events.calls
    assert (call.status, call.usage_source) == ("ok", "reported" if events == 14 else "estimated")
