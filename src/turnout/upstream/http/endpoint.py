"""Where and how a provider's API is called: one endpoint for each ``[upstreams.<name>]``.

Known limitation: an endpoint serves the models of one provider of the catalog.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Literal
from urllib.parse import quote, urlsplit

from turnout.config.errors import ConfigError
from turnout.config.settings import Settings, UpstreamSettings
from turnout.core.catalog import Model
from turnout.messages.wire.asked import WireProtocol
from turnout.upstream.http.auth import Auth, KeyAuth, NoAuth, SigV4Auth
from turnout.upstream.http.client import Answer, HttpClient, Origin

Operation = Literal["answer", "stream", "count"]
"""What is asked of a model: an answer as a whole, one that is streamed, or how many tokens a prompt has."""

_PROTOCOLS = {
    "openai": WireProtocol.OPENAI_CHAT,
    "anthropic": WireProtocol.ANTHROPIC,
    "bedrock": WireProtocol.CONVERSE,
}


class Endpoint:
    """One provider's API.

    Args:
        name: Its name in the settings.
        provider: Whose models it serves, by the catalog.
        protocol: What it speaks.
        base_url: Where it is, as the provider's own SDK is given it.
        auth: Proves who calls.
        region: The AWS region; empty where the provider has none.

    Raises:
        ValueError: ``base_url`` cannot be used.
    """

    def __init__(
        self, name: str, *, provider: str, protocol: WireProtocol, base_url: str, auth: Auth, region: str = ""
    ) -> None:
        self.name = name
        self.provider = provider
        self.protocol = protocol
        self.region = region
        self.auth = auth
        self.origin = Origin.of(base_url)
        self._prefix = urlsplit(base_url).path.rstrip("/")
        self._root = f"{'https' if self.origin.secure else 'http'}://{self.origin.authority}"
        self._targets: dict[tuple[str, Operation], str] = {}

    def __repr__(self) -> str:
        """Name and place, no key."""
        return f"Endpoint({self.name!r}, {self.protocol.value!r}, {self._root + self._prefix!r})"

    def target(self, model: Model, operation: Operation) -> str:
        """The path of a call.

        Raises:
            ValueError: The protocol has no such operation.
        """
        key = (model.model_id, operation)
        if key not in self._targets:
            self._targets[key] = self._prefix + self._path(model.model_id, operation)
        return self._targets[key]

    async def call(
        self,
        client: HttpClient,
        model: Model,
        operation: Operation,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
        until: float,
        *,
        query: bytes = b"",
    ) -> Answer:
        """Send a body and wait for status and headers of the answer.

        Args:
            client: Sends it.
            model: Whom it is for.
            operation: What is asked.
            headers: The headers that go through (`turnout.upstream.http.headers.sent_on`).
            body: The body, in this endpoint's protocol.
            until: The time of the event loop's clock to wait for at most.
            query: What the client has after the path's question mark.

        Raises:
            ConnectionError: As of `HttpClient.send`.
            StalledError: No answer began in time.
        """
        target = self.target(model, operation)
        if query:
            target += "?" + query.decode("ascii")
        proof = await self.auth.fields("POST", self._root + target, body)
        return await client.send(self.origin, b"POST", target.encode(), [*headers, *proof], body, until)

    def _path(self, model_id: str, operation: Operation) -> str:
        match self.protocol, operation:
            case WireProtocol.OPENAI_CHAT, "answer" | "stream":
                return "/chat/completions"
            case WireProtocol.ANTHROPIC, "answer" | "stream":
                return "/v1/messages"
            case WireProtocol.ANTHROPIC, "count":
                return "/v1/messages/count_tokens"
            case WireProtocol.CONVERSE, "answer" | "stream":
                return f"/model/{quote(model_id, safe='')}/converse{'-stream' if operation == 'stream' else ''}"
        raise ValueError(f"{self.protocol.value} has no operation {operation!r}")


def endpoints_of(
    settings: Settings, providers: Iterable[str], environment: Mapping[str, str] = os.environ
) -> dict[str, Endpoint]:
    """The endpoints that settings name, and for providers that they do not name those that Turnout knows.

    Args:
        settings: The settings.
        providers: Whose models are candidates.
        environment: Where keys are looked for.

    Raises:
        ConfigError: A key, a region or credentials are missing, or a provider has no endpoint.
    """
    found = {name: _endpoint(name, one, settings, environment) for name, one in settings.upstreams.items()}
    served = {endpoint.provider for endpoint in found.values()}
    for provider in dict.fromkeys(providers):
        if provider in served:
            continue
        if provider not in KNOWN:
            raise ConfigError(
                f"{settings.file or 'settings'}: upstreams: nothing serves the models of {provider!r}: "
                f"add [upstreams.{provider}] with protocol and base_url"
            )
        found[provider] = _endpoint(provider, KNOWN[provider], settings, environment)
    return found


KNOWN: Mapping[str, UpstreamSettings] = {
    "anthropic": UpstreamSettings(protocol="anthropic"),
    "openai": UpstreamSettings(protocol="openai"),
    "bedrock": UpstreamSettings(protocol="bedrock"),
}
"""What is called where settings say nothing."""

_URLS = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}
_KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY", "bedrock": "AWS_BEARER_TOKEN_BEDROCK"}


def _endpoint(name: str, one: UpstreamSettings, settings: Settings, environment: Mapping[str, str]) -> Endpoint:
    where = f"{settings.file or 'settings'}: upstreams.{name}"
    region = one.region or settings.region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    base_url = one.base_url or _URLS.get(one.protocol, "")
    if one.protocol == "bedrock" and not base_url:
        if not region:
            raise ConfigError(f"{where}.region: is needed (or AWS_REGION)")
        base_url = f"https://bedrock-runtime.{region}.amazonaws.com"
    auth = one.auth or _usual_auth(one, environment)
    try:
        return Endpoint(
            name,
            provider=one.provider or name,
            protocol=_PROTOCOLS[one.protocol],
            base_url=base_url,
            auth=_auth(auth, one, where, region or "", environment),
            region=(region or "") if one.protocol == "bedrock" else "",
        )
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{where}.base_url: {error}") from None


def _usual_auth(one: UpstreamSettings, environment: Mapping[str, str]) -> str:
    if one.protocol == "bedrock":
        # As boto3 has it: a bearer token in the environment comes before credentials to sign with.
        return "bearer" if one.key_env or environment.get(_KEYS["bedrock"], "").strip() else "sigv4"
    if one.base_url and not one.key_env:
        return "none"  # a server of one's own
    return "api_key" if one.protocol == "anthropic" else "bearer"


def _auth(auth: str, one: UpstreamSettings, where: str, region: str, environment: Mapping[str, str]) -> Auth:
    if auth == "none":
        return NoAuth()
    if auth == "sigv4":
        if not region:
            raise ConfigError(f"{where}.region: is needed (or AWS_REGION)")
        try:
            return SigV4Auth(region)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
    variable = one.key_env or _KEYS[one.protocol]
    key = environment.get(variable, "").strip()
    if not key:
        raise ConfigError(f"{where}: the environment variable {variable} is not set: it holds the key")
    try:
        return KeyAuth("x-api-key" if auth == "api_key" else "authorization", key)
    except ValueError as error:
        raise ConfigError(f"{where}: environment variable {variable}: {error}") from None
