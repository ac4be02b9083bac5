"""Where Langfuse is and with which keys: from ``LANGFUSE_*`` variables, which the Langfuse SDK reads too.

Known limitation: variables that tune the SDK's own exporter (batch sizes, sampling, media) are not read here.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from turnout.trace.langfuse.errors import LangfuseSettingsError

logger = logging.getLogger(__name__)

PUBLIC_KEY = "LANGFUSE_PUBLIC_KEY"
SECRET_KEY = "LANGFUSE_SECRET_KEY"
BASE_URL = "LANGFUSE_BASE_URL"
HOST = "LANGFUSE_HOST"
"""The older name of `BASE_URL`, which wins where both are set."""
ENVIRONMENT = "LANGFUSE_TRACING_ENVIRONMENT"
RELEASE = "LANGFUSE_RELEASE"
TRACING_ENABLED = "LANGFUSE_TRACING_ENABLED"

DEFAULT_URL = "https://cloud.langfuse.com"
"""Langfuse Cloud in the EU: what the SDK takes where no address is set."""

INGESTION_VERSION = "4"
"""With this header spans can be read at once; without it Langfuse shows them about ten minutes later."""

_KEY = re.compile(r"[!-9;-~]+")  # printable ASCII but the colon, which parts the two keys in the header
_ENVIRONMENT = re.compile(r"(?!langfuse)[a-z0-9_-]{1,40}")


@dataclass(frozen=True, kw_only=True)
class LangfuseSettings:
    """One project in one Langfuse. Its representation holds no key.

    Attributes:
        public_key: Tells the project.
        secret_key: Proves the right to write and read.
        base_url: Where Langfuse is, without a slash at the end.
        environment: What the application calls this deployment, such as ``staging``; empty for Langfuse's default.
        release: The application's release; empty for none.
        tracing_enabled: Whether spans are to be sent; reading and scores do not depend on it.
    """

    public_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    base_url: str = DEFAULT_URL
    environment: str = ""
    release: str = ""
    tracing_enabled: bool = True

    @property
    def otlp_endpoint(self) -> str:
        """The base address for OpenTelemetry, as ``OTEL_EXPORTER_OTLP_ENDPOINT`` takes it."""
        return f"{self.base_url}/api/public/otel"

    @property
    def traces_endpoint(self) -> str:
        """The address that spans are posted to, as an OTLP exporter over HTTP takes it."""
        return f"{self.otlp_endpoint}/v1/traces"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of an OTLP export. **They hold the keys**: never log or store them."""
        keys = base64.b64encode(f"{self.public_key}:{self.secret_key}".encode()).decode()
        return {"Authorization": f"Basic {keys}", "x-langfuse-ingestion-version": INGESTION_VERSION}

    def without_keys(self, text: str) -> str:
        """A text of somebody else's without the keys, should it repeat them."""
        basic = self.headers["Authorization"].partition(" ")[2]
        for secret in (self.secret_key, basic, self.public_key):
            text = text.replace(secret, "***")
        return text


def langfuse_settings(environment: Mapping[str, str]) -> LangfuseSettings | None:
    """The settings that an environment holds, or none where it has no keys: then Langfuse is off.

    Args:
        environment: The variables, such as `os.environ`. An empty one counts as not set.

    Raises:
        LangfuseSettingsError: Only one key is set, or a variable cannot be used. No value is repeated.
    """
    values = {name: environment.get(name, "").strip() for name in (PUBLIC_KEY, SECRET_KEY, BASE_URL, HOST)}
    public_key, secret_key = values[PUBLIC_KEY], values[SECRET_KEY]
    address_name = BASE_URL if values[BASE_URL] else HOST
    if not public_key and not secret_key:
        if values[address_name]:
            logger.warning("variable=<%s> | langfuse has an address and no keys: it stays off", address_name)
        return None
    for missing, present in ((PUBLIC_KEY, SECRET_KEY), (SECRET_KEY, PUBLIC_KEY)):
        if not values[missing]:
            raise LangfuseSettingsError(f"{missing} is not set, but {present} is: set both, or neither")
    for name in (PUBLIC_KEY, SECRET_KEY):
        if not _KEY.fullmatch(values[name]):
            raise LangfuseSettingsError(f"{name} holds a character that no key has: copy it again from Langfuse")
    if public_key.startswith("sk-lf-") or secret_key.startswith("pk-lf-"):
        raise LangfuseSettingsError(f"{PUBLIC_KEY} and {SECRET_KEY} are swapped: public keys begin with pk-lf-")
    deployment = environment.get(ENVIRONMENT, "").strip()
    if deployment and not _ENVIRONMENT.fullmatch(deployment):
        raise LangfuseSettingsError(
            f"{ENVIRONMENT} must be up to 40 lower-case letters, digits, - and _, and not begin with langfuse"
        )
    return LangfuseSettings(
        public_key=public_key,
        secret_key=secret_key,
        base_url=_address(values[address_name] or DEFAULT_URL, address_name),
        environment=deployment,
        release=environment.get(RELEASE, "").strip(),
        tracing_enabled=environment.get(TRACING_ENABLED, "").strip().lower() != "false",
    )


def _address(url: str, name: str) -> str:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        raise LangfuseSettingsError(f"{name} is no address: it must look like {DEFAULT_URL}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LangfuseSettingsError(f"{name} must begin with https:// or http:// and name a host, like {DEFAULT_URL}")
    if parts.username is not None or parts.password is not None:
        raise LangfuseSettingsError(f"{name} must not hold a user or password: keys go into {PUBLIC_KEY}, {SECRET_KEY}")
    if parts.query or parts.fragment:
        raise LangfuseSettingsError(f"{name} must end before ? and #, like {DEFAULT_URL}")
    if "/api/public" in parts.path:
        raise LangfuseSettingsError(f"{name} must end before /api/public: Turnout adds the paths itself")
    return url.rstrip("/")
