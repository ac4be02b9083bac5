"""Proofs of who calls: held against botocore's own request, and never shown."""

from __future__ import annotations

import hashlib

import pytest
from botocore.credentials import Credentials, ReadOnlyCredentials

from turnout.config.errors import ConfigError
from turnout.upstream.http.auth import KeyAuth, NoAuth, SigV4Auth

URL = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/global.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse"


async def test_keys() -> None:
    assert await KeyAuth("authorization", "k-1").fields("POST", URL, b"") == [(b"authorization", b"Bearer k-1")]
    assert await KeyAuth("x-api-key", "k-1").fields("POST", URL, b"") == [(b"x-api-key", b"k-1")]
    assert await NoAuth().fields("POST", URL, b"") == []


@pytest.mark.parametrize("key", ["", "a b", "a\r\nx-evil: 1", "schlüssel"])
def test_keys_that_no_header_may_hold(key: str) -> None:
    with pytest.raises(ValueError, match="characters that a header may not hold") as caught:
        KeyAuth("x-api-key", key)
    assert not key or key not in str(caught.value)


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(KeyAuth("x-api-key", "secret"))
    assert "secret" not in repr(SigV4Auth("eu-west-1", Credentials("id", "secret")))


async def test_signature() -> None:
    auth = SigV4Auth("eu-west-1", Credentials("AKIDEXAMPLE", "secret", "token"))
    fields = dict(await auth.fields("POST", URL, b'{"a":1}'))
    assert fields[b"x-amz-security-token"] == b"token"
    text = fields[b"authorization"].decode()
    assert text.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=" in text
    assert text.rpartition("=")[2] == _signature(fields, "secret", b'{"a":1}')


def _signature(fields: dict[bytes, bytes], secret: str, body: bytes) -> str:
    """The signature worked out by hand, after AWS' description of version 4."""
    import hmac

    stamp = fields[b"x-amz-date"].decode()
    path = "/model/global.anthropic.claude-haiku-4-5-20251001-v1%253A0/converse"
    signed = "host;x-amz-date;x-amz-security-token"
    headers = f"host:bedrock-runtime.eu-west-1.amazonaws.com\nx-amz-date:{stamp}\nx-amz-security-token:token\n"
    canonical = f"POST\n{path}\n\n{headers}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{stamp[:8]}/eu-west-1/bedrock/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + secret).encode()
    for part in (stamp[:8], "eu-west-1", "bedrock", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


async def test_credentials_are_renewed_off_the_event_loop() -> None:
    import threading

    threads: list[str] = []

    class Renewing(Credentials):
        def refresh_needed(self) -> bool:
            return True

        def get_frozen_credentials(self) -> ReadOnlyCredentials:
            threads.append(threading.current_thread().name)
            return super().get_frozen_credentials()

    await SigV4Auth("eu-west-1", Renewing("id", "secret")).fields("POST", URL, b"")
    assert threads
    assert threads[0] != threading.main_thread().name


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ConfigError, match="no AWS credentials were found"):
        SigV4Auth("eu-west-1")
