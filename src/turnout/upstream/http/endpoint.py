"""Where and how a provider's API is called: an endpoint for each ``[upstreams.<name>]`` and protocol that it speaks.

A server with OpenAI's API may speak Chat Completions and Responses; Bedrock speaks Converse and, for Claude, the
Messages API in InvokeModel.

Known limitations: an endpoint serves the models of one provider of the catalog; there is no way through an HTTP proxy.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterable, Mapping
from typing import Literal
from urllib.parse import quote, urlsplit

from turnout.config.errors import ConfigError
from turnout.config.settings import Settings, UpstreamSettings
from turnout.core.catalog import Model
from turnout.messages.wire.asked import WireProtocol
from turnout.upstream.http.auth import Auth, KeyAuth, NoAuth, SigV4Auth
from turnout.upstream.http.client import Answer, ConnectionRules, HttpClient, Origin
from turnout.upstream.http.proxies import ProxyServer, check_environment

Operation = Literal["answer", "stream", "count"]
"""What is asked of a model: an answer as a whole, one that is streamed, or how many tokens a prompt has."""

_PROTOCOLS: Mapping[str, tuple[WireProtocol, ...]] = {
    "anthropic": (WireProtocol.ANTHROPIC,),
    "bedrock": (WireProtocol.CONVERSE, WireProtocol.INVOKE),
}
_SPEECH = {"chat": WireProtocol.OPENAI_CHAT, "responses": WireProtocol.OPENAI_RESPONSES}
_SUFFIX = {
    WireProtocol.OPENAI_CHAT: ":chat",
    WireProtocol.OPENAI_RESPONSES: ":responses",
    WireProtocol.INVOKE: ":invoke",
}
_PROFILE = re.compile(r"(?:global|us-gov|us|eu|jp|au|apac)\.")
"""An inference profile before a model's id: CountTokens takes ids without one."""


class Endpoint:
    """One provider's API.

    Args:
        name: Its name in the settings.
        provider: Whose models it serves, by the catalog.
        protocol: What it speaks.
        base_url: Where it is, as the provider's own SDK is given it.
        auth: Proves who calls.
        region: The AWS region; empty where the provider has none.
        api_version: That of Azure's API with deployments in its paths; none: another API.
        models: Names that the server has for models, by the provider's own ids.
        headers: Headers that every request carries; they take the place of the client's.
        stall_s: Seconds that it may send nothing; none: as the rules for calls have it.

    Raises:
        ValueError: ``base_url`` cannot be used.
    """

    def __init__(
        self,
        name: str,
        *,
        provider: str,
        protocol: WireProtocol,
        base_url: str,
        auth: Auth,
        region: str = "",
        api_version: str | None = None,
        models: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        stall_s: float | None = None,
    ) -> None:
        self.name = name
        self.provider = provider
        self.protocol = protocol
        self.region = region
        self.auth = auth
        self.stall_s = stall_s
        self._models = models or {}
        self._fields = [(key.lower().encode(), value.encode()) for key, value in (headers or {}).items()]
        self._set = frozenset(key for key, _ in self._fields)
        self._version = "" if api_version is None else f"api-version={quote(api_version)}"
        self.origin = Origin.of(base_url)
        self._prefix = urlsplit(base_url).path.rstrip("/")
        if self._version and not self._prefix.endswith("/openai"):
            self._prefix += "/openai"
        self._root = f"{'https' if self.origin.secure else 'http'}://{self.origin.authority}"
        self._targets: dict[tuple[str, Operation], str] = {}

    def __repr__(self) -> str:
        """Name and place, no key."""
        return f"Endpoint({self.name!r}, {self.protocol.value!r}, {self._root + self._prefix!r})"

    def serves(self, model: Model) -> bool:
        """Whether it can be asked for a model."""
        claude = self.protocol is not WireProtocol.INVOKE or "anthropic." in model.model_id
        return model.provider == self.provider and claude

    def called(self, model: Model) -> str:
        """What it calls a model."""
        return self._models.get(model.model_id, model.model_id)

    def target(self, model: Model, operation: Operation) -> str:
        """The path of a call, and what of its query is this server's own.

        Raises:
            ValueError: The protocol has no such operation.
        """
        key = (model.model_id, operation)
        if key not in self._targets:
            self._targets[key] = self._prefix + self._path(self.called(model), operation)
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
        return await self._send(client, "POST", target, headers, body, until, query)

    async def request(
        self,
        client: HttpClient,
        method: str,
        path: str,
        headers: Iterable[tuple[bytes, bytes]],
        until: float,
        *,
        query: bytes = b"",
    ) -> Answer:
        """Send a request without a body for something else than a model, and wait for status and headers.

        Args:
            client: Sends it.
            method: Such as ``GET``.
            path: What follows the base URL.
            headers: As of `call`.
            until: As of `call`.
            query: As of `call`.

        Raises:
            ConnectionError: As of `HttpClient.send`.
            StalledError: No answer began in time.
        """
        target = self._prefix + path + (f"?{self._version}" if self._version else "")
        return await self._send(client, method, target, headers, b"", until, query)

    async def _send(
        self,
        client: HttpClient,
        method: str,
        target: str,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
        until: float,
        query: bytes,
    ) -> Answer:
        if query:
            target += ("&" if "?" in target else "?") + query.decode("ascii")
        if self._set:
            headers = [*(field for field in headers if field[0] not in self._set), *self._fields]
        proof = await self.auth.fields(method, self._root + target, body)
        return await client.send(self.origin, method.encode(), target.encode(), [*headers, *proof], body, until)

    def _path(self, model_id: str, operation: Operation) -> str:
        match self.protocol, operation:
            case WireProtocol.OPENAI_CHAT, "answer" | "stream" if self._version:
                return f"/deployments/{quote(model_id, safe='')}/chat/completions?{self._version}"
            case WireProtocol.OPENAI_CHAT, "answer" | "stream":
                return "/chat/completions"
            case WireProtocol.OPENAI_RESPONSES, _:
                path = "/responses/input_tokens" if operation == "count" else "/responses"
                return f"{path}?{self._version}" if self._version else path
            case WireProtocol.ANTHROPIC, "answer" | "stream":
                return "/v1/messages"
            case WireProtocol.ANTHROPIC, "count":
                return "/v1/messages/count_tokens"
            case WireProtocol.CONVERSE, "answer" | "stream":
                return f"/model/{quote(model_id, safe='')}/converse{'-stream' if operation == 'stream' else ''}"
            case WireProtocol.CONVERSE, "count":
                return f"/model/{quote(_PROFILE.sub('', model_id, count=1), safe='')}/count-tokens"
            case WireProtocol.INVOKE, "answer" | "stream":
                tail = "invoke-with-response-stream" if operation == "stream" else "invoke"
                return f"/model/{quote(model_id, safe='')}/{tail}"
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
    found: dict[str, Endpoint] = {}
    for name, one in settings.upstreams.items():
        found |= _endpoints(name, one, settings, environment)
    served = {endpoint.provider for endpoint in found.values()}
    for provider in dict.fromkeys(providers):
        if provider in served:
            continue
        if provider not in KNOWN:
            raise ConfigError(
                f"{settings.file or 'settings'}: upstreams: nothing serves the models of {provider!r}: "
                f"add [upstreams.{provider}] with protocol and base_url"
            )
        found |= _endpoints(provider, KNOWN[provider], settings, environment)
    return found


def connection_rules(settings: Settings, environment: Mapping[str, str] = os.environ) -> dict[Origin, ConnectionRules]:
    """What settings say of connections to single servers.

    Args:
        settings: The settings.
        environment: Where regions and proxies are looked for.

    Raises:
        ConfigError: A file of certificates cannot be read, a proxy is none, or two upstreams at one server want
            different things.
    """
    try:
        check_environment(environment)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    found: dict[Origin, ConnectionRules] = {}
    said: dict[Origin, tuple[object, ...]] = {}
    for name, one in settings.upstreams.items():
        wanted = (one.ca_file, one.connect_seconds, one.max_connections, one.proxy, one.proxy_env)
        if not any(wanted):
            continue
        where = f"{settings.file or 'settings'}: upstreams.{name}"
        origin = Origin.of(_base_url(one, where, _region(one, settings, environment)))
        if said.setdefault(origin, wanted) != wanted:
            raise ConfigError(f"{where}: another upstream at {origin.authority} has other rules for its connections")
        try:
            tls = None if one.ca_file is None else ssl.create_default_context(cafile=one.ca_file)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{where}.ca_file: cannot be used: {type(error).__name__}") from None
        proxy = _proxy(one, where, environment)
        found[origin] = ConnectionRules(tls, one.connect_seconds, one.max_connections, one.proxy == "none", proxy)
    return found


def _proxy(one: UpstreamSettings, where: str, environment: Mapping[str, str]) -> ProxyServer | None:
    """The proxy that settings name for an upstream."""
    name, url = "proxy", one.proxy
    if one.proxy_env is not None:
        name, url = "proxy_env", environment.get(one.proxy_env)
        if not url:
            raise ConfigError(f"{where}.proxy_env: the environment has no {one.proxy_env}: set it, or remove proxy_env")
    if url is None or url == "none":
        return None
    try:
        return ProxyServer.of(url)
    except ValueError as error:
        raise ConfigError(f"{where}.{name}: {error}") from None


KNOWN: Mapping[str, UpstreamSettings] = {
    "anthropic": UpstreamSettings(protocol="anthropic"),
    "openai": UpstreamSettings(protocol="openai"),
    "bedrock": UpstreamSettings(protocol="bedrock"),
}
"""What is called where settings say nothing."""

_URLS = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}
_KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY", "bedrock": "AWS_BEARER_TOKEN_BEDROCK"}


def _endpoints(
    name: str, one: UpstreamSettings, settings: Settings, environment: Mapping[str, str]
) -> dict[str, Endpoint]:
    """An endpoint for each protocol, the first under the upstream's own name."""
    where = f"{settings.file or 'settings'}: upstreams.{name}"
    region = _region(one, settings, environment)
    base_url = _base_url(one, where, region)
    auth = _auth(one.auth or _usual_auth(one, environment), one, where, region, environment)
    headers = {**one.headers, **_from_environment(one, where, environment)}
    found: dict[str, Endpoint] = {}
    for protocol in _protocols(one, name):
        key = name + _SUFFIX[protocol] if found else name
        try:
            found[key] = Endpoint(
                key,
                provider=one.provider or name,
                protocol=protocol,
                base_url=base_url,
                auth=auth,
                region=region if one.protocol == "bedrock" else "",
                api_version=one.api_version,
                models=one.models,
                headers=headers,
                stall_s=one.stall_seconds,
            )
        except ValueError as error:
            raise ConfigError(f"{where}.base_url: {error}") from None
    return found


def _protocols(one: UpstreamSettings, name: str) -> tuple[WireProtocol, ...]:
    if one.protocol != "openai":
        return _PROTOCOLS[one.protocol]
    if one.speaks is not None:
        return tuple(_SPEECH[said] for said in one.speaks)
    both = (one.provider or name) == "openai" and one.api_version is None
    return tuple(_SPEECH.values()) if both else (WireProtocol.OPENAI_CHAT,)


def _region(one: UpstreamSettings, settings: Settings, environment: Mapping[str, str]) -> str:
    usual = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    return one.region or settings.region or usual or ""


def _base_url(one: UpstreamSettings, where: str, region: str) -> str:
    base_url = one.base_url or _URLS.get(one.protocol, "")
    if one.protocol == "bedrock" and not base_url:
        if not region:
            raise ConfigError(f"{where}.region: is needed (or AWS_REGION)")
        return f"https://bedrock-runtime.{region}.amazonaws.com"
    return base_url


def _from_environment(one: UpstreamSettings, where: str, environment: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for header, variable in one.headers_env.items():
        value = environment.get(variable, "").strip()
        if not value or not value.isascii() or not value.isprintable():
            raise ConfigError(
                f"{where}.headers_env.{header}: the environment variable {variable} is not set, or holds what a header "
                "may not hold"
            )
        found[header] = value
    return found


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
    header = {"anthropic": "x-api-key", "openai": "api-key", "bedrock": "x-api-key"}[one.protocol]
    try:
        return KeyAuth(header if auth == "api_key" else "authorization", key)
    except ValueError as error:
        raise ConfigError(f"{where}: environment variable {variable}: {error}") from None
