from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.eventstream import ChecksumMismatch
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EventStreamError,
    ReadTimeoutError,
)
from urllib3.exceptions import ProtocolError

from turnout.testing.bedrock import (
    BedrockDouble,
    Fault,
    access_denied,
    dropped,
    garbage,
    internal_error,
    mid_stream,
    model_error,
    model_not_ready,
    model_timeout,
    service_unavailable,
    stall,
    throttling,
    truncated,
    validation,
)

SONNET = "global.anthropic.claude-sonnet-4-6"
HAIKU = "us.anthropic.claude-haiku-5-5"
BARE = "anthropic.claude-sonnet-4-6"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]

ERRORS: list[tuple[Callable[..., Fault], str, int]] = [
    (throttling, "ThrottlingException", 429),
    (validation, "ValidationException", 400),
    (service_unavailable, "ServiceUnavailableException", 503),
    (internal_error, "InternalServerException", 500),
    (model_timeout, "ModelTimeoutException", 408),
    (access_denied, "AccessDeniedException", 403),
    (model_not_ready, "ModelNotReadyException", 429),
    (model_error, "ModelErrorException", 424),
]


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
@pytest.mark.parametrize(("fault", "name", "status"), ERRORS)
def test_errors_before_the_first_byte(
    client: Any, double: BedrockDouble, operation: str, fault: Callable[..., Fault], name: str, status: int
) -> None:
    double.faults.add(fault())
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(modelId=SONNET, messages=HELLO)
    assert type(caught.value) is getattr(client.exceptions, name)
    assert caught.value.response["Error"] == {"Code": name, "Message": fault().message}
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-turnout-simulated"] == "true"
    assert [(call.error, call.usage) for call in double.calls] == [(name, None)]
    _read(client, [])  # and then it is over


def test_any_error_of_the_service_model(client: Any, double: BedrockDouble) -> None:
    double.faults.add(Fault(error="ResourceNotFoundException", message="gone"))
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="gone"):
        client.converse(modelId=SONNET, messages=HELLO)


STREAM_ERRORS = [
    ("ThrottlingException", "throttlingException"),
    ("ModelStreamErrorException", "modelStreamErrorException"),
    ("InternalServerException", "internalServerException"),
    ("ServiceUnavailableException", "serviceUnavailableException"),
    ("ValidationException", "validationException"),
]


def _read(client: Any, received: list[str]) -> None:
    """Read a stream; what came before it broke stays in ``received``."""
    with contextlib.closing(client.converse_stream(modelId=SONNET, messages=HELLO)["stream"]) as stream:
        for event in stream:
            received.extend(event)


def _received_before(client: Any, double: BedrockDouble, fault: Fault) -> list[str]:
    double.faults.add(fault)
    received: list[str] = []
    with pytest.raises((EventStreamError, ProtocolError)):
        _read(client, received)
    return received


@pytest.mark.parametrize(("name", "code"), STREAM_ERRORS)
def test_errors_in_mid_stream(client: Any, double: BedrockDouble, name: str, code: str) -> None:
    double.faults.add(mid_stream(3, name))
    received: list[str] = []
    with pytest.raises(EventStreamError) as caught:
        _read(client, received)
    assert caught.value.response["Error"] == {"Code": code, "Message": "The stream broke off."}
    assert received == ["messageStart", "contentBlockDelta", "contentBlockDelta"]
    assert double.calls[-1].error == name


def test_after_no_event_and_after_the_last(client: Any, double: BedrockDouble) -> None:
    assert _received_before(client, double, mid_stream(0)) == []
    assert _received_before(client, double, mid_stream(1)) == ["messageStart"]
    assert _received_before(client, double, mid_stream(10_000))[-1] == "metadata"


def test_a_connection_that_drops_in_mid_stream(client: Any, double: BedrockDouble) -> None:
    assert _received_before(client, double, dropped(2)) == ["messageStart", "contentBlockDelta"]
    assert double.calls[-1].error == "dropped"
    received: list[str] = []
    _read(client, received)
    assert received[-1] == "metadata"


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_a_connection_that_drops_before_the_first_byte(client: Any, double: BedrockDouble, operation: str) -> None:
    double.faults.add(dropped())
    with pytest.raises(ConnectionClosedError):
        getattr(client, operation)(modelId=SONNET, messages=HELLO)
    assert [(call.error, call.usage) for call in double.calls] == [("dropped", None)]


def test_a_stream_that_is_cut_looks_as_if_it_had_ended(client: Any, double: BedrockDouble) -> None:
    for cut in (2, 4):
        double.faults.add(truncated(cut))
        received: list[str] = []
        _read(client, received)
        assert received == ["messageStart", *["contentBlockDelta"] * (cut - 1)]
        assert double.calls[-1].error == "truncated"


def test_bytes_that_are_no_event(client: Any, double: BedrockDouble) -> None:
    double.faults.add(garbage(2))
    received: list[str] = []
    with pytest.raises(ChecksumMismatch):
        _read(client, received)
    assert received == ["messageStart", "contentBlockDelta"]
    assert (double.calls[-1].error, double.calls[-1].usage) == ("garbage", None)


def test_a_damaged_answer_that_is_not_streamed(client: Any, double: BedrockDouble) -> None:
    double.faults.add(truncated())
    # botocore takes half a document for an answer without content.
    assert "output" not in client.converse(modelId=SONNET, messages=HELLO)
    double.faults.add(garbage())
    with pytest.raises(UnicodeDecodeError):
        client.converse(modelId=SONNET, messages=HELLO)
    assert [call.error for call in double.calls] == ["truncated", "garbage"]
    _read(client, [])


def test_a_fault_in_mid_stream_waits_for_a_stream(client: Any, double: BedrockDouble) -> None:
    double.faults.add(mid_stream(1))
    client.converse(modelId=SONNET, messages=HELLO)
    assert len(double.faults) == 1
    with pytest.raises(EventStreamError):
        _read(client, [])
    assert len(double.faults) == 0


def test_a_stall_runs_into_the_clients_time_out(double: BedrockDouble) -> None:
    impatient = double.client(Config(read_timeout=0.2))
    before = double.left
    double.faults.add(stall(30))
    with pytest.raises(ReadTimeoutError):
        impatient.converse(modelId=SONNET, messages=HELLO)
    assert impatient.converse(modelId=SONNET, messages=HELLO)["stopReason"] == "end_turn"
    impatient.close()
    _wait_until_left(double, before + 1)
    assert len(double.calls) == 2


def test_a_caller_that_leaves_a_slow_stream_is_noticed(client: Any, double: BedrockDouble) -> None:
    before = double.left
    double.faults.add(Fault(delay_s=0.1, after_events=2, slow=True))
    stream = client.converse_stream(modelId=SONNET, messages=HELLO)["stream"]
    assert next(iter(stream)) == {"messageStart": {"role": "assistant"}}
    stream.close()
    _wait_until_left(double, before + 1)


def _wait_until_left(double: BedrockDouble, count: int) -> None:
    ends = time.monotonic() + 5
    while double.left < count:
        assert time.monotonic() < ends, "nobody has left"
        time.sleep(0.005)


def test_a_short_stall_goes_on_as_if_nothing_had_been(client: Any, double: BedrockDouble) -> None:
    double.faults.add(stall(0.01))
    double.faults.add(Fault(delay_s=0.01, after_events=1))
    assert client.converse(modelId=SONNET, messages=HELLO)["stopReason"] == "end_turn"
    received: list[str] = []
    _read(client, received)
    assert received[-1] == "metadata"
    assert [call.error for call in double.calls] == [None, None]


def test_a_stall_ends_with_the_double() -> None:
    ended = threading.Event()

    def ask(url: str) -> None:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        body = json.dumps({"messages": HELLO})
        connection.request("POST", f"/model/{SONNET}/converse", body, {"Authorization": "any"})
        try:
            connection.getresponse().read()
        except ConnectionError:
            pass
        finally:
            connection.close()
            ended.set()

    with BedrockDouble() as own:
        own.faults.add(stall(600))
        threading.Thread(target=ask, args=(own.url,)).start()
        while len(own.faults):
            threading.Event().wait(0.005)
    assert ended.wait(10)


@pytest.mark.parametrize(("meant", "hit", "spared"), [(HAIKU, HAIKU, SONNET), (BARE, SONNET, HAIKU)])
def test_faults_of_one_model(client: Any, double: BedrockDouble, meant: str, hit: str, spared: str) -> None:
    double.faults.add(throttling(model=meant))
    client.converse(modelId=spared, messages=HELLO)
    with pytest.raises(client.exceptions.ThrottlingException):
        client.converse(modelId=hit, messages=HELLO)
    client.converse(modelId=hit, messages=HELLO)


def test_faults_of_one_operation(client: Any, double: BedrockDouble) -> None:
    double.faults.add(Fault(error="ThrottlingException", operation="CountTokens"))
    client.converse(modelId=SONNET, messages=HELLO)
    with pytest.raises(client.exceptions.ThrottlingException):
        client.count_tokens(modelId=BARE, input={"converse": {"messages": HELLO}})
    double.faults.add(throttling())
    client.count_tokens(modelId=BARE, input={"converse": {"messages": HELLO}})
    assert len(double.faults) == 1


def test_times_and_order(client: Any, double: BedrockDouble) -> None:
    double.faults.add(throttling(), times=2)
    double.faults.add(service_unavailable())
    codes = []
    for _ in range(4):
        try:
            codes.append(client.converse(modelId=SONNET, messages=HELLO)["stopReason"])
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert codes == ["ThrottlingException", "ThrottlingException", "ServiceUnavailableException", "end_turn"]
    double.faults.add(throttling(), times=None)
    for _ in range(3):
        with pytest.raises(client.exceptions.ThrottlingException):
            client.converse(modelId=SONNET, messages=HELLO)
    double.faults.clear()
    client.converse(modelId=SONNET, messages=HELLO)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"error": "ThrottleException"}, "'ThrottleException' before the first byte; the nearest one is 'ThrottlingE"),
        ({"error": "AccessDeniedException", "after_events": 1}, "'AccessDeniedException' in mid-stream"),
        ({"error": "ThrottlingException", "drop": True}, "either an error, a dropped connection or damage"),
        ({"operation": "ApplyGuardrail"}, "unknown operation 'ApplyGuardrail'; there are Converse"),
        ({"delay_s": -1}, "not negative"),
        ({"after_events": -1}, "not negative"),
    ],
)
def test_faults_that_bedrock_does_not_have(fault: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault(**fault)


def test_a_fault_happens_at_least_once(double: BedrockDouble) -> None:
    with pytest.raises(ValueError, match="not 0 times"):
        double.faults.add(throttling(), times=0)
