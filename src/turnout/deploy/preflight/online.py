"""One call to each provider's API that answers nothing and is not billed: does it know the credentials?

- OpenAI and what is compatible with it: ``GET {base_url}/models``.
- Anthropic: ``GET {base_url}/v1/models``.
- Amazon Bedrock: ``CountTokens`` of the word "hello" with the lowest-ranked model's bare id. Not every model counts
  tokens; that it says so proves the credentials too.

Known limitation: that a model may be called, in a profile and within its quota, only a call shows.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Mapping

from turnout.config.extras import require
from turnout.deploy.preflight.finding import Finding
from turnout.deploy.preflight.ways_out import WayOut

TIMEOUT_S = 10.0
"""How long an answer may take, in seconds."""

ANTHROPIC_VERSION = "2023-06-01"


def called(way: WayOut) -> str:
    """In words what `ask` calls."""
    if way.protocol == "bedrock":
        return f"CountTokens of {_bare(way.models[0])} {f'in {way.region}' if way.region else ''}".rstrip()
    return f"GET {_models_url(way)}"


def ask(way: WayOut, environment: Mapping[str, str] = os.environ) -> Finding:
    """Call it once, and say what came of it; no text of an answer is shown."""
    what = f"call to {way.name}"
    if way.protocol == "bedrock":
        state, detail = _count_tokens(way, environment)
    else:
        state, detail = _list_models(way, environment)
    return Finding(what, "ok" if state else "wrong", f"{called(way)}: {detail}")


def _models_url(way: WayOut) -> str:
    base = way.base_url.rstrip("/")
    return f"{base}/v1/models" if way.protocol == "anthropic" else f"{base}/models"


def _list_models(way: WayOut, environment: Mapping[str, str]) -> tuple[bool, str]:
    key = environment.get(way.key_env, "").strip() if way.auth == "key" else ""
    headers = {"accept": "application/json", "user-agent": "turnout-check"}
    if way.protocol == "anthropic":
        headers["anthropic-version"] = ANTHROPIC_VERSION
        headers |= {"x-api-key": key} if key else {}
    elif key:
        headers["authorization"] = f"Bearer {key}"
    if not way.base_url.startswith(("http://", "https://")):
        return False, "base_url must begin with http:// or https://"
    try:
        request = urllib.request.Request(_models_url(way), headers=headers)
        with _opener(_proxies(way, environment)).open(request, timeout=TIMEOUT_S) as answer:
            return True, f"answered with status {answer.status}"
    except urllib.error.HTTPError as error:
        with error:
            return False, f"answered with status {error.code}{_HINTS.get(error.code, '')}"
    except urllib.error.URLError as error:
        return False, f"cannot be reached ({_cause(error.reason)})"
    except (OSError, ValueError) as error:
        return False, f"cannot be reached ({_cause(error)})"


class _StaysThere(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the key is for this host and no other."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        """None: it is not followed."""


def _proxies(way: WayOut, environment: Mapping[str, str]) -> dict[str, str] | None:
    """The proxy that settings name, for each scheme; none: as the environment says, which both libraries read."""
    url = environment.get(way.proxy_env, "") if way.proxy_env else way.proxy
    return None if not url else {} if url == "none" else {"http": url, "https": url}


def _opener(proxies: dict[str, str] | None) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_StaysThere, urllib.request.ProxyHandler(proxies))


_HINTS = {401: ": the key is not known", 403: ": the key may not do this", 404: ": is base_url right?"}


def _cause(reason: object) -> str:
    return getattr(reason, "strerror", None) or type(reason).__name__ if isinstance(reason, Exception) else str(reason)


def _count_tokens(way: WayOut, environment: Mapping[str, str]) -> tuple[bool, str]:
    require("boto3", extra="strands")
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    settings = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=TIMEOUT_S,
        read_timeout=TIMEOUT_S,
        proxies=_proxies(way, environment),
    )
    try:
        # A session of its own: the default one keeps the credentials that it found first.
        client = boto3.Session().client(
            "bedrock-runtime", region_name=way.region or None, endpoint_url=way.base_url or None, config=settings
        )
        hello = {"converse": {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}}
        answer = client.count_tokens(modelId=_bare(way.models[0]), input=hello)
        return True, f"{answer['inputTokens']} tokens"
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code == "ValidationException":
            return True, "reached; this model does not count tokens"
        return False, f"refused ({code})"
    except BotoCoreError as error:
        return False, f"not possible ({type(error).__name__})"


def _bare(model_id: str) -> str:
    """A Bedrock id without its inference profile, which CountTokens does not take."""
    first, _, rest = model_id.partition(".")
    return rest if rest.count(".") and not first.startswith("arn") else model_id
