"""What a relay changes and does not change, and what becomes of a request when its provider fails at any point."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, ClassVar

import httpx
import pytest

from tests.doors.gateway.support import ANTHROPIC, BEDROCK, OPENAI, Served, Upstreams, wait_for
from turnout.messages.wire.eventstream import EventStreamParser
from turnout.testing import bedrock
from turnout.testing.completions import Fault

ANSWER = "The simulated model heard you and answers in a few words."
VERSION = {"anthropic-version": "2023-06-01"}

# As no encoder of ours would write them: order of keys, blanks, numbers, escapes, members that nobody knows.
ODD_OPENAI = (
    b'{ "seed":1e3,\n"model" :"%b","user_defined":{"b":1.50,"a":[ ]},  "messages":[{"content":"h\\u00e9 \\/ \xc3\xa9",'
    b'"role":"user"}] ,"n": 1.0 }'
)
ODD_ANTHROPIC = (
    b'{"max_tokens":100 ,"zz_new_field":[1.0,2e0,{"y":null,"x":true}],"messages":[ {"content":[{"text":"h\\u00e9",'
    b'"type":"text","cache_control":{"type":"ephemeral"}}],"role":"user"}],\t"model":"%b"}'
)
ODD_RESPONSES = (
    b'{"zz_new": [1.0,2e0] ,"input":[{"role":"user","content":"h\\u00e9 \\/"}],\n"tools":[{"type":"web_search" }],'
    b'"model":"%b","store" : false, "text":{"verbosity":"low"}}'
)
ODD_INVOKE = (
    b'{ "max_tokens":100 ,"anthropic_version":"bedrock-2023-05-31",\n"temperature":1.0,"messages":[{"content":'
    b'"h\\u00e9","role":"user"}]}'
)
ODD_CONVERSE = (
    b'{"messages" : [{"role":"user","content":[{"text":"h\\u00e9"}]}],'
    b'"inferenceConfig":{ "maxTokens" :100,"topP":5e-1}}'
)


def post(gateway: Served, path: str, body: bytes, **headers: str) -> httpx.Response:
    with gateway.http() as client:
        return client.post(path, content=body, headers={"content-type": "application/json", **headers})


class TestBytes:
    def test_without_an_edit_the_provider_gets_the_very_bytes(self, gateway: Served, doubles: Upstreams) -> None:
        body = ODD_OPENAI % b"gpt-5-mini"
        assert post(gateway, "/v1/chat/completions", body).status_code == 200
        assert doubles.openai.calls[0].body == body
        body = ODD_RESPONSES % b"gpt-5"
        assert post(gateway, "/v1/responses", body).status_code == 200
        assert doubles.openai.calls[1].body == body
        body = ODD_ANTHROPIC % b"claude-sonnet-4-6"
        assert post(gateway, "/v1/messages", body, **VERSION).status_code == 200
        assert doubles.anthropic.calls[0].body == body

    def test_the_name_of_the_model_is_all_that_changes(self, gateway: Served, doubles: Upstreams) -> None:
        post(gateway, "/v1/chat/completions", ODD_OPENAI % b"turnout")
        assert doubles.openai.calls[0].body == ODD_OPENAI % b"gpt-5"
        post(gateway, "/v1/messages", ODD_ANTHROPIC % b"turnout\\/economy", **VERSION)
        assert doubles.anthropic.calls[0].body == ODD_ANTHROPIC % b"claude-sonnet-4-6"
        post(gateway, "/v1/responses", ODD_RESPONSES % b"turnout\\/quality")
        assert doubles.openai.calls[1].body == ODD_RESPONSES % b"gpt-5"

    def test_streams_of_chat_completions_are_asked_for_usage(self, gateway: Served, doubles: Upstreams) -> None:
        body = b'{"stream":true , ' + (ODD_OPENAI % b"gpt-5-mini")[1:]
        post(gateway, "/v1/chat/completions", body)
        assert doubles.openai.calls[0].body == body[:-2] + b',"stream_options":{"include_usage":true} }'
        options = b'{"stream_options":{"x":1.0, "include_usage":false},"stream":true , '
        post(gateway, "/v1/chat/completions", options + (ODD_OPENAI % b"gpt-5-mini")[1:])
        kept = b'{"stream_options":{"x":1.0,"include_usage":true},"stream":true , '
        assert doubles.openai.calls[1].body == kept + (ODD_OPENAI % b"gpt-5-mini")[1:]

    def test_streams_of_others_are_not_changed(self, gateway: Served, doubles: Upstreams) -> None:
        body = b'{"stream":true , ' + (ODD_ANTHROPIC % b"claude-sonnet-4-6")[1:]
        post(gateway, "/v1/messages", body, **VERSION)
        assert doubles.anthropic.calls[0].body == body

    def test_what_a_provider_answers_comes_byte_for_byte(self, gateway: Served, doubles: Upstreams) -> None:
        body = b'{"model":"%b","stream":true,"max_tokens":50,"messages":[{"role":"user","content":"hi"}]}'
        direct = httpx.post(
            f"{doubles.anthropic.url}/v1/messages",
            content=body % b"claude-sonnet-4-6",
            headers={"x-api-key": "k", **VERSION},
            trust_env=False,
        )
        relayed = post(gateway, "/v1/messages", body % b"claude-sonnet-4-6", **VERSION)
        comments = re.compile(rb": turnout [^\n]*\n\n")
        assert comments.sub(b"", relayed.content) == direct.content
        (said,) = comments.findall(relayed.content)
        about = json.loads(said[len(b": turnout ") :])
        assert about["model"] == ANTHROPIC[1]
        gateway.wait_for_calls(1)
        assert about["cost_usd"] == str(gateway.events.calls[0].cost.usd)
        assert relayed.content.index(said) < relayed.content.index(b"event: message_stop")

    def test_bodies_for_bedrock_have_the_model_in_the_path(self, gateway: Served, doubles: Upstreams) -> None:
        for path in ("invoke", "invoke-with-response-stream"):
            doubles.bedrock.calls.clear()
            assert post(gateway, f"/model/turnout%2Fquality/{path}", ODD_INVOKE).status_code == 200
            (call,) = doubles.bedrock.calls
            assert call.body == ODD_INVOKE
            assert call.model == BEDROCK[1].removeprefix("bedrock/")

    def test_the_path_of_converse_and_its_body(self, gateway: Served, doubles: Upstreams) -> None:
        answer = post(gateway, "/model/turnout/converse", ODD_CONVERSE)
        assert answer.status_code == 200
        (call,) = doubles.bedrock.calls
        assert call.model == BEDROCK[1].removeprefix("bedrock/")
        assert call.body == ODD_CONVERSE


def streamed(gateway: Served, protocol: str) -> tuple[int, bytes]:
    """A streamed call: status, and all that came of it."""
    if protocol == "openai":
        path, body = "/v1/chat/completions", {"model": "turnout", "stream": True, "messages": ASKED}
    elif protocol == "anthropic":
        path, body = "/v1/messages", {"model": "turnout", "stream": True, "max_tokens": 99, "messages": ASKED}
    elif protocol == "responses":
        path, body = "/v1/responses", {"model": "turnout", "stream": True, "input": "hi"}
    elif protocol == "invoke":
        path = "/model/turnout/invoke-with-response-stream"
        body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 99, "messages": ASKED}
    else:
        path = "/model/turnout/converse-stream"
        body = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    with gateway.http() as client, client.stream("POST", path, json=body, headers=VERSION) as answer:
        return answer.status_code, b"".join(answer.iter_bytes())


ASKED: list[Any] = [{"role": "user", "content": "hi"}]


def outcome(protocol: str, data: bytes) -> tuple[str, bool, bool]:
    """Text, whether the answer came to its end, and whether an error was told."""
    if protocol == "bedrock":
        frames = EventStreamParser().feed(data)
        bodies = [json.loads(frame.payload) for frame in frames if frame.name == "contentBlockDelta"]
        text = "".join(body["delta"].get("text", "") for body in bodies)
        ended = any(frame.name == "messageStop" for frame in frames)
        return text, ended, any(frame.kind == "exception" for frame in frames)
    if protocol == "invoke":
        frames = EventStreamParser().feed(data)
        events = [
            json.loads(base64.b64decode(json.loads(one.payload)["bytes"])) for one in frames if one.name == "chunk"
        ]
        if any(frame.kind == "exception" for frame in frames):
            events.append({"type": "error"})
    else:
        events = [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: {")]
    if protocol == "responses":
        types = [event["type"] for event in events]
        text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
        failed = "error" in types or "response.failed" in types
        return text, "response.completed" in types, failed
    if protocol in ("anthropic", "invoke"):
        deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
        text = "".join(delta["text"] for delta in deltas)
        types = [event["type"] for event in events]
        return text, "message_stop" in types or "message_delta" in types, "error" in types
    choices = [choice for event in events for choice in event.get("choices", [])]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    return text, any(choice["finish_reason"] for choice in choices), any("error" in event for event in events)


class TestFaultsAtEveryEvent:
    """Whatever breaks, and wherever: an answer once and whole, or as far as it went with an error after it."""

    EVENTS = 18

    @pytest.mark.parametrize("kind", ["drop", "truncated", "garbage", "error"])
    @pytest.mark.parametrize("protocol", ["openai", "anthropic", "responses"])
    def test_of_server_sent_events(self, gateway: Served, doubles: Upstreams, protocol: str, kind: str) -> None:
        double = doubles.anthropic if protocol == "anthropic" else doubles.openai
        seen = set()
        for index in range(self.EVENTS):
            fault = {
                "drop": Fault(drop=True, after_events=index, delay_s=0.01),
                "truncated": Fault(damage="truncated", after_events=index, delay_s=0.01),
                "garbage": Fault(damage="garbage", after_events=index, delay_s=0.01),
                "error": Fault(status=503, after_events=index, delay_s=0.01),
            }[kind]
            double.faults.add(fault)
            before = len(gateway.events.calls)
            status, data = streamed(gateway, protocol)
            text, ended, failed = outcome(protocol, data)
            assert status == 200
            assert ANSWER.startswith(text)
            assert ended != failed or (ended and text == ANSWER), (index, data)
            if ended:
                assert text == ANSWER
            gateway.wait_for_calls(before + 1)
            seen.add(failed)
            double.faults.clear()
        assert seen == {True, False}  # early faults are mended, late ones are told
        wait_for(lambda: gateway.gateway.busy == 0)

    @pytest.mark.parametrize("kind", ["drop", "truncated", "garbage", "error"])
    @pytest.mark.parametrize("protocol", ["bedrock", "invoke"])
    def test_of_event_streams(self, gateway: Served, doubles: Upstreams, protocol: str, kind: str) -> None:
        whole = outcome(protocol, streamed(gateway, protocol)[1])[0]
        for index in range(11):
            error = "ModelStreamErrorException" if kind == "error" else None
            damage: Any = kind if kind in ("truncated", "garbage") else None
            doubles.bedrock.faults.add(
                bedrock.faults.Fault(error=error, drop=kind == "drop", damage=damage, after_events=index, delay_s=0.01)
            )
            status, data = streamed(gateway, protocol)
            text, ended, failed = outcome(protocol, data)
            assert status == 200
            assert whole.startswith(text)
            assert ended or failed, (index, data)
            if ended:
                assert text == whole
            doubles.bedrock.faults.clear()
        wait_for(lambda: gateway.gateway.busy == 0)


class TestFaultsBeforeTheAnswer:
    @pytest.mark.parametrize(
        "fault",
        [
            Fault(drop=True),
            Fault(status=500),
            Fault(status=503),
            Fault(damage="truncated"),
            Fault(damage="garbage"),
        ],
    )
    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
    def test_another_call_answers(self, gateway: Served, doubles: Upstreams, path: str, fault: Fault) -> None:
        double = doubles.anthropic if path == "/v1/messages" else doubles.openai
        double.faults.add(fault)
        asked = {"input": ASKED} if path == "/v1/responses" else {"max_tokens": 50, "messages": ASKED}
        body = json.dumps({"model": "turnout", **asked}).encode()
        answer = post(gateway, path, body, **VERSION)
        assert answer.status_code == 200
        assert ANSWER in answer.text
        assert [call.status for call in gateway.events.calls] == ["error", "ok"]

    @pytest.mark.parametrize(
        "fault",
        [
            bedrock.faults.Fault(drop=True),
            bedrock.service_unavailable(),
            bedrock.faults.Fault(damage="truncated"),
            bedrock.faults.Fault(damage="garbage"),
        ],
    )
    def test_another_call_answers_what_was_invoked(
        self, gateway: Served, doubles: Upstreams, fault: bedrock.faults.Fault
    ) -> None:
        doubles.bedrock.faults.add(fault)
        body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": ASKED}).encode()
        answer = post(gateway, "/model/turnout/invoke", body)
        assert answer.json()["type"] == "message"
        assert [call.status for call in gateway.events.calls] == ["error", "ok"]

    def test_a_response_that_failed_is_asked_for_again(self, gateway: Served, doubles: Upstreams) -> None:
        doubles.openai.failing = 1
        answer = post(gateway, "/v1/responses", b'{"model":"turnout","input":"hi"}')
        assert answer.json()["status"] == "completed"
        assert [call.error for call in gateway.events.calls] == ["InternalServerError", ""]
        doubles.openai.failing = 9
        answer = post(gateway, "/v1/responses", b'{"model":"turnout","input":"hi"}')
        doubles.openai.failing = 0
        assert (answer.status_code, answer.json()["error"]["code"]) == (200, "server_error")

    def test_a_provider_that_is_down_is_an_error_in_the_clients_shape(
        self, gateway: Served, doubles: Upstreams
    ) -> None:
        doubles.openai.faults.add(Fault(drop=True), times=None)
        doubles.anthropic.faults.add(Fault(drop=True), times=None)
        body = json.dumps({"model": "turnout", "max_tokens": 50, "messages": ASKED}).encode()
        answer = post(gateway, "/v1/chat/completions", body)
        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "upstream_failed"
        answer = post(gateway, "/v1/messages", body, **VERSION)
        assert answer.status_code == 502
        assert answer.json()["type"] == "error"
        assert "x-turnout-model" in answer.headers

    def test_clients_that_leave_at_every_event_leave_no_connection(self, gateway: Served, doubles: Upstreams) -> None:
        body = {"model": "turnout", "stream": True, "messages": ASKED}
        for index in range(2, 14):
            doubles.openai.faults.add(Fault(after_events=index, delay_s=30))
            with gateway.http() as client, client.stream("POST", "/v1/chat/completions", json=body) as answer:
                next(answer.iter_bytes())
            call = doubles.openai.calls[-1]
            wait_for(call.ended.is_set)
            assert call.left
        gateway.wait_for_calls(12)
        assert {call.status for call in gateway.events.calls} == {"cancelled"}
        wait_for(lambda: gateway.gateway.busy == 0)


class TestCosts:
    """The double's reports at the list prices, worked out by hand: USD per million tokens."""

    PRICES: ClassVar[dict[str, tuple[int, ...]]] = {
        "gpt-5": (1_250_000, 125_000, 1_250_000, 1_250_000, 10_000_000),
        "gpt-5-mini": (250_000, 25_000, 250_000, 250_000, 2_000_000),
        "claude-sonnet-4-6": (3_000_000, 300_000, 3_750_000, 6_000_000, 15_000_000),
        "claude-haiku-4-5-20251001": (1_000_000, 100_000, 1_250_000, 2_000_000, 5_000_000),
    }
    """Fresh, read, written for 5 minutes and for an hour, output: in 1e-12 USD a token."""

    @pytest.mark.parametrize("stream", [False, True])
    def test_the_ledger_holds_what_the_double_bills(self, gateway: Served, doubles: Upstreams, stream: bool) -> None:
        from turnout.testing.completions import Tokens

        counted = Tokens(fresh=1_234, read=5_678, write_5m=910, write_1h=1_112, output=131)
        before = doubles.anthropic.counter
        doubles.anthropic.counter = lambda request, said: counted
        try:
            for model in (*ANTHROPIC, *OPENAI):
                door = "/v1/messages" if model in ANTHROPIC else "/v1/chat/completions"
                body = {"model": model, "max_tokens": 2_000, "messages": ASKED, "stream": stream}
                assert post(gateway, door, json.dumps(body).encode(), **VERSION).status_code == 200
        finally:
            doubles.anthropic.counter = before
        gateway.wait_for_calls(4)
        billed = [*doubles.anthropic.calls, *doubles.openai.calls]
        for call, event in zip(billed, gateway.events.calls, strict=True):
            assert call.tokens is not None
            fresh, read, write_5m, write_1h, output = self.PRICES[call.model]
            tokens = call.tokens
            pico = tokens.fresh * fresh + tokens.read * read + tokens.write_5m * write_5m
            pico += tokens.write_1h * write_1h + tokens.output * output
            assert event.cost.total_pico == pico
            assert event.usage_source == "reported"

    def test_of_bedrock_too(self, gateway: Served, doubles: Upstreams) -> None:
        for path in ("converse", "converse-stream"):
            post(gateway, f"/model/turnout/{path}", ODD_CONVERSE)
        for path in ("invoke", "invoke-with-response-stream"):
            post(gateway, f"/model/turnout/{path}", ODD_INVOKE)
        gateway.wait_for_calls(4)
        for call, event in zip(doubles.bedrock.calls, gateway.events.calls, strict=True):
            assert call.usage is not None
            pico = call.usage["inputTokens"] * 3_000_000 + call.usage["outputTokens"] * 15_000_000
            assert event.cost.total_pico == pico
