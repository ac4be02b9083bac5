"""Which providers' APIs the settings use, and what each needs: nothing is read from it, and nothing called.

Defaults are those of the gateway: a provider that settings do not name is called at its own address with the variable
that its own SDK reads.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from turnout.config import Settings
from turnout.core.catalog import Catalog
from turnout.deploy.preflight.finding import Finding

LOCAL = "local"
"""The provider of models that run in this process."""

_URLS = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}
_KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY", "bedrock": "AWS_BEARER_TOKEN_BEDROCK"}

_AWS_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


class WayOut(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's API.

    Attributes:
        name: Its name in the settings, else the provider's.
        provider: Whose models of the catalog it serves.
        protocol: What it speaks: ``openai``, ``anthropic`` or ``bedrock``; empty where nobody knows.
        base_url: Where it is; empty: where boto3 finds it.
        auth: ``none`` where no credentials are sent, ``sigv4``, else a key.
        key_env: The variable that holds the key, for a key.
        region: The AWS region, or empty.
        proxy: The proxy that settings name, ``none`` where they want none; empty: as the environment says.
        proxy_env: The variable that holds the proxy's URL, or empty.
        models: The provider's own ids of the models that are used, lowest rank first.
    """

    name: str
    provider: str
    protocol: str
    base_url: str = ""
    auth: str
    key_env: str = ""
    region: str = ""
    proxy: str = ""
    proxy_env: str = ""
    models: tuple[str, ...] = ()


def models_in_use(settings: Settings) -> list[str]:
    """The catalog ids of all models that may be called: candidates by rank, and the classifier's."""
    candidates = sorted(settings.rules.candidates, key=lambda candidate: candidate.rank)
    used = [candidate.model for candidate in candidates]
    if settings.classifier.kind in ("llm", "cascade"):
        used.append(settings.classifier.model)
    return list(dict.fromkeys(used))


def ways_out(settings: Settings, catalog: Catalog, environment: Mapping[str, str] = os.environ) -> list[WayOut]:
    """The APIs that candidates and classifier need, models in this process apart.

    Args:
        settings: The settings.
        catalog: Knows the models.
        environment: Where regions are looked for.
    """
    used: dict[str, list[str]] = {}
    for model in models_in_use(settings):
        used.setdefault(catalog[model].provider, []).append(catalog[model].model_id)
    # Settings of a Turnout without a gateway know no upstreams.
    named: Mapping[str, Any] = getattr(settings, "upstreams", {})
    by_provider = {(one.provider or name): (name, one) for name, one in named.items()}
    region = settings.region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""
    found = []
    for provider, models in used.items():
        if provider == LOCAL:
            continue
        name, given = by_provider.get(provider, (provider, None))
        protocol = getattr(given, "protocol", None) or (provider if provider in _KEYS else "")
        base_url = getattr(given, "base_url", None) or _URLS.get(protocol, "")
        key_env = getattr(given, "key_env", None) or ""
        auth = getattr(given, "auth", None)
        if auth is None:
            own_server = given is not None and bool(given.base_url) and not key_env
            auth = "sigv4" if protocol == "bedrock" else "none" if own_server else "key"
        found.append(
            WayOut(
                name=name,
                provider=provider,
                protocol=protocol,
                base_url=base_url,
                auth="key" if auth in ("bearer", "api_key") else auth,
                key_env=key_env or (_KEYS.get(protocol, "") if auth not in ("none", "sigv4") else ""),
                region=(getattr(given, "region", None) or region) if protocol == "bedrock" else "",
                proxy=getattr(given, "proxy", None) or "",
                proxy_env=getattr(given, "proxy_env", None) or "",
                models=tuple(models),
            )
        )
    return found


def way_findings(ways: list[WayOut], environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Whether each API's credentials and place are known; they are not tried."""
    return [_way(way, environment) for way in ways]


def _way(way: WayOut, environment: Mapping[str, str]) -> Finding:
    what = f"upstream {way.name}"
    if not way.protocol:
        needed = f"nothing serves the models of {way.provider!r}: add [upstreams.{way.provider}]"
        return Finding(what, "missing", f"{needed} with protocol and base_url")
    if way.protocol == "bedrock" and not way.base_url and not way.region and not environment.get("AWS_PROFILE"):
        return Finding(what, "missing", "no AWS region: set region in the settings, or AWS_REGION")
    where = way.base_url or f"Amazon Bedrock{f' in {way.region}' if way.region else ''}"
    if way.proxy_env and not environment.get(way.proxy_env):
        return Finding(what, "missing", f"{way.proxy_env} is not set: it holds the URL of the proxy to {where}")
    if way.proxy_env or way.proxy not in ("", "none"):
        where += f" through the proxy {way.proxy or f'in {way.proxy_env}'}"
    if way.auth == "none":
        return Finding(what, "ok", f"{where}, without credentials (key_env would name the variable of a key)")
    if way.auth == "sigv4":
        sources = aws_credential_sources(environment)
        if not sources:
            hint = "no AWS credentials in the environment or ~/.aws; a role of the machine is found with --online"
            return Finding(what, "missing", hint)
        return Finding(what, "ok", f"{where}, credentials by {', '.join(sources)} (not checked)")
    if not environment.get(way.key_env, "").strip():
        return Finding(what, "missing", f"{way.key_env} is not set: it holds the key of {where}")
    return Finding(what, "ok", f"{where}, key in {way.key_env} (not checked)")


def aws_credential_sources(environment: Mapping[str, str] = os.environ) -> list[str]:
    """What AWS credentials seem to be configured by: variables and files, which are not read. No network is used."""
    found = [name for name in _AWS_VARIABLES if environment.get(name)]
    shared = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")).expanduser()
    return [*found, str(shared)] if shared.is_file() else found
