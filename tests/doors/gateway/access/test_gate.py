from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import boto3
import msgspec
import openai
import pytest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.doors.gateway.access.support import MADE, Door, entered, headers, key, serving, signed, time_of
from turnout.doors.gateway.access.denial import Denial
from turnout.doors.gateway.access.gate import Gate, Unverified
from turnout.doors.gateway.access.keys import ANYBODY, Key, KeyRing, NewKey
from turnout.doors.gateway.access.listening import Listening
from turnout.doors.gateway.access.sigv4 import Head

OPEN = Listening(open=True, bedrock_bearer=False, unsigned_payload=True)
PLAIN = Listening(open=False, bedrock_bearer=False, unsigned_payload=True)
SECURE = Listening(open=False, bedrock_bearer=True, unsigned_payload=True)
NOW_S = 1_795_392_000.0
MESSAGES = [{"role": "user", "content": [{"text": "Grüße 日本"}]}]


@pytest.fixture(scope="module")
def made() -> NewKey:
    return key("ci", signing=True)


@pytest.fixture(scope="module")
def ring(made: NewKey) -> KeyRing:
    return KeyRing([made.stored, key("other", signing=True).stored])


def credentials(made: NewKey) -> Credentials:
    assert made.stored.signing is not None
    return Credentials(made.stored.signing.access_key_id, made.stored.signing.secret)


def enter(ring: KeyRing, *fields: tuple[str, str], listening: Listening = SECURE, bedrock: bool = False) -> Any:
    head = Head("POST", b"/v1/messages", b"", headers(("host", "127.0.0.1"), *fields))
    return Gate(lambda: ring, listening).enter(head, NOW_S, bedrock=bedrock)


def code(outcome: object) -> tuple[int, str]:
    assert isinstance(outcome, Denial)
    return outcome.status, outcome.code


def test_a_key_is_shown_in_either_header(made: NewKey, ring: KeyRing) -> None:
    shown = made.stored.public
    assert enter(ring, ("authorization", f"Bearer {made.token}")) == shown
    assert enter(ring, ("authorization", f"bearer  {made.token} ")) == shown
    assert enter(ring, ("x-api-key", made.token)) == shown
    assert enter(ring, ("x-api-key", made.token), ("authorization", f"Bearer {made.token}")) == shown
    # Beside the provider's own key, in whichever header.
    assert enter(ring, ("x-api-key", "sk-ant-1"), ("authorization", f"Bearer {made.token}")) == shown
    assert enter(ring, ("x-api-key", made.token), ("authorization", "Bearer sk-1")) == shown


def test_without_a_key_nobody_gets_in(made: NewKey, ring: KeyRing) -> None:
    assert code(enter(ring)) == (401, "no_key")
    assert code(enter(ring, ("authorization", "Bearer "))) == (401, "no_key")
    assert code(enter(ring, bedrock=True)) == (401, "no_key")
    assert code(enter(ring, ("authorization", f"Basic {made.token}"))) == (401, "invalid_key")
    assert code(enter(ring, ("x-api-key", "sk-ant-1"))) == (401, "invalid_key")
    assert code(enter(ring, ("x-api-key", key().token))) == (401, "invalid_key")
    assert code(enter(ring, ("x-api-key", made.token), ("authorization", f"Bearer {key().token}"))) == (401, "two_keys")


def test_the_bedrock_door_takes_a_bearer_key_over_tls_only(made: NewKey, ring: KeyRing) -> None:
    bearer = ("authorization", f"Bearer {made.token}")
    assert enter(ring, bearer, bedrock=True) == made.stored.public
    assert code(enter(ring, bearer, bedrock=True, listening=PLAIN)) == (403, "needs_tls")
    assert enter(ring, bearer, listening=PLAIN) == made.stored.public


def test_without_keys_programs_on_this_machine_get_in_and_nobody_once_there_is_one(made: NewKey, ring: KeyRing) -> None:
    assert enter(KeyRing(), listening=OPEN) is ANYBODY
    assert enter(KeyRing(), ("authorization", "Bearer dummy"), listening=OPEN, bedrock=True) is ANYBODY
    assert code(enter(KeyRing(), ("origin", "https://evil.example"), listening=OPEN)) == (403, "foreign_page")
    assert code(enter(ring, listening=OPEN)) == (401, "no_key")
    assert code(enter(KeyRing([msgspec.structs.replace(made.stored, revoked=MADE)]), listening=OPEN)) == (401, "no_key")
    # Keys that are gone since the start let nobody in.
    assert code(enter(KeyRing(), listening=SECURE)) == (401, "no_key")


def test_a_signature_is_decided_when_the_body_is_there(made: NewKey, ring: KeyRing) -> None:
    head, body = signed(credentials(made))
    gate = Gate(lambda: ring, PLAIN)
    found = gate.enter(head, time_of(head), bedrock=True)
    assert isinstance(found, Unverified)
    assert found.verify(body) == made.stored.public
    assert code(found.verify(body + b" ")) == (403, "invalid_signature")
    assert code(gate.enter(head, time_of(head))) == (401, "no_key")  # at another door
    assert code(gate.enter(head, time_of(head) + 301, bedrock=True)) == (403, "clock_skew")


def test_a_pair_that_was_not_given_out_or_whose_key_was_revoked(made: NewKey, ring: KeyRing) -> None:
    gate = Gate(lambda: ring, PLAIN)
    head, body = signed(Credentials("AKIAIOSFODNN7EXAMPLE", "s"))
    assert code(entered(gate, head, body, time_of(head))) == (403, "unknown_access_key")
    head, body = signed(Credentials(credentials(made).access_key, "another"))
    assert code(entered(gate, head, body, time_of(head))) == (403, "invalid_signature")
    revoked = KeyRing([msgspec.structs.replace(made.stored, revoked=MADE)])
    head, body = signed(credentials(made))
    assert code(entered(Gate(lambda: revoked, PLAIN), head, body, time_of(head))) == (401, "key_revoked")
    # Whoever has not the secret does not learn that.
    assert code(entered(Gate(lambda: revoked, PLAIN), head, body + b" ", time_of(head))) == (403, "invalid_signature")


def test_a_body_that_is_not_signed_needs_tls_or_this_machine(made: NewKey, ring: KeyRing) -> None:
    head, body = signed(credentials(made), unsigned_payload=True)
    exposed = Listening(open=False, bedrock_bearer=False, unsigned_payload=False)
    assert entered(Gate(lambda: ring, PLAIN), head, body, time_of(head)) == made.stored.public
    assert code(entered(Gate(lambda: ring, exposed), head, body, time_of(head))) == (403, "invalid_signature")


def test_no_secret_is_shown(made: NewKey, ring: KeyRing, caplog: pytest.LogCaptureFixture) -> None:
    head, _ = signed(credentials(made))
    pair = made.stored.signing
    assert pair is not None
    with caplog.at_level(logging.DEBUG, logger="turnout"):
        found = Gate(lambda: ring, PLAIN).enter(head, time_of(head), bedrock=True)
        assert isinstance(found, Unverified)
        wrong = made.token[:-4] + "AAAA"
        outcomes = [found.verify(b""), enter(ring, ("x-api-key", wrong)), enter(ring, ("authorization", wrong))]
    for text in (repr(found), *map(repr, outcomes), caplog.text):
        assert pair.secret not in text
        assert made.token[12:51] not in text


class _Clients:
    """Clients of Bedrock on one server."""

    def __init__(self, url: str, made: NewKey) -> None:
        self.url = url
        self.pair = credentials(made)

    def boto(self, *, token: str | None = None, secret: str | None = None) -> Any:
        session = boto3.Session(
            aws_access_key_id=self.pair.access_key,
            aws_secret_access_key=secret or self.pair.secret_key,
            aws_session_token=token,
            region_name="us-east-1",
        )
        config = Config(retries={"total_max_attempts": 1})
        return session.client("bedrock-runtime", endpoint_url=self.url, config=config)


@pytest.fixture(scope="module")
def door(ring: KeyRing) -> Iterator[tuple[Door, str]]:
    door = Door(Gate(lambda: ring, PLAIN))
    with serving(door) as url:
        yield door, url


@pytest.mark.parametrize("token", [None, "a-session-token"])
@pytest.mark.parametrize(
    "model",
    [
        "global.anthropic.claude-haiku-5-5",
        "anthropic.claude-v2:1",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab1",
        "modèle/日本 +%41;~!$&'()*,=@",
    ],
)
def test_boto3_signs_for_converse(door: tuple[Door, str], made: NewKey, model: str, token: str | None) -> None:
    client = _Clients(door[1], made).boto(token=token)
    client.converse(modelId=model, messages=MESSAGES, requestMetadata={"note": "a  b"})
    assert list(client.converse_stream(modelId=model, messages=MESSAGES)["stream"]) == []
    client.invoke_model(modelId=model, body=b'{"a": 1}', accept="application/json", contentType="application/json")
    assert door[0].outcomes[-3:] == [made.stored.public] * 3
    assert (token is not None) == (b"x-amz-security-token" in dict(door[0].heads[-1].headers))
    client.close()


def test_boto3_with_another_secret_is_refused(door: tuple[Door, str], made: NewKey) -> None:
    client = _Clients(door[1], made).boto(secret="another")
    with pytest.raises(ClientError, match=r"AccessDeniedException.*signature is not that of this request"):
        client.converse(modelId="m", messages=MESSAGES)
    client.close()


def test_a_model_whose_id_is_dots_is_refused_and_breaks_nothing(door: tuple[Door, str], made: NewKey) -> None:
    client = _Clients(door[1], made).boto()
    with pytest.raises(ClientError):
        client.converse(modelId="..", messages=MESSAGES)
    client.converse(modelId="m", messages=MESSAGES)
    client.close()


def test_anthropics_client_for_bedrock_signs(door: tuple[Door, str], made: NewKey) -> None:
    pair = credentials(made)
    with anthropic.AnthropicBedrock(
        base_url=door[1],
        aws_access_key=pair.access_key,
        aws_secret_key=pair.secret_key,
        aws_region="eu-central-1",
        max_retries=0,
    ) as client:
        client.messages.create(model="m:0", max_tokens=5, messages=[{"role": "user", "content": "Grüße"}])
    assert door[0].heads[-1].raw_path.endswith(b"/invoke")
    assert door[0].outcomes[-1] == made.stored.public


def test_openais_and_anthropics_clients_show_their_key(door: tuple[Door, str], made: NewKey) -> None:
    with openai.OpenAI(base_url=f"{door[1]}/v1", api_key=made.token, max_retries=0) as client:
        client.chat.completions.create(model="turnout", messages=[{"role": "user", "content": "hi"}])
    shown: list[Key | Denial] = [made.stored.public]
    assert door[0].outcomes[-1:] == shown
    for key_, token in ((made.token, None), (None, made.token)):
        with anthropic.Anthropic(base_url=door[1], max_retries=0, api_key=key_, auth_token=token) as other:
            other.messages.create(model="turnout", max_tokens=5, messages=[{"role": "user", "content": "hi"}])
        assert door[0].outcomes[-1:] == shown
    with (
        openai.OpenAI(base_url=f"{door[1]}/v1", api_key="sk-1", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError, match="no key of this gateway"),
    ):
        client.models.list()


def test_boto3_shows_a_bearer_key_over_tls(
    ring: KeyRing, made: NewKey, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "AWS_BEARER_TOKEN_BEDROCK", made.token)
    door = Door(Gate(lambda: ring, SECURE))
    with serving(door, certificate) as url:
        client = boto3.Session(region_name="us-east-1").client(
            "bedrock-runtime", endpoint_url=url, verify=str(certificate[0])
        )
        client.converse(modelId="m", messages=MESSAGES)
        client.close()
    assert door.outcomes == [made.stored.public]
    assert b"x-amz-date" not in dict(door.heads[0].headers)
