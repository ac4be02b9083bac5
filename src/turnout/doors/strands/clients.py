"""What can be seen of a Strands model's own client: its region, its retries, its connections, whether it thinks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from strands.models import Model

from turnout.core.catalog import Model as Entry
from turnout.upstream.errors import TruncatedStreamError
from turnout.upstream.sockets import follow

logger = logging.getLogger(__name__)


def prepare(model_id: str, model: Model) -> None:
    """Have a candidate's calls followed and checked, and say in the log where its client would retry by itself."""
    client: Any = getattr(model, "client", None)
    if follow(client):
        client.meta.events.register("after-call.bedrock-runtime.Converse", _whole, unique_id="turnout-whole-answer")
    retries = own_retries(model)
    if retries:
        logger.warning(
            "model=<%s>, retries=<%s> | the model's own client retries too, which multiplies waits and calls and hides "
            "them from the record: build it without",
            model_id,
            retries,
        )


def _whole(*, http_response: Any, parsed: Mapping[str, Any], **_: Any) -> None:
    """Refuse an answer that is not one: botocore takes bytes that it cannot read for an answer without content."""
    if http_response.status_code == 200 and "output" not in parsed:
        raise TruncatedStreamError("the answer could not be read")


def own_retries(model: Model) -> str:
    """How the client of a Strands model is set to retry; empty where it does not, or where that cannot be seen.

    boto3 retries up to twice unless it is told ``retries={"total_max_attempts": 1}``, the openai and anthropic SDKs
    unless they are told ``max_retries=0``.
    """
    retries = getattr(getattr(getattr(getattr(model, "client", None), "meta", None), "config", None), "retries", None)
    if isinstance(retries, Mapping):
        attempts = retries.get("total_max_attempts")
        return "" if attempts == 1 else f"boto3 total_max_attempts={attempts or 'default'}"
    arguments = getattr(model, "client_args", None)
    if isinstance(arguments, Mapping):
        return "" if arguments.get("max_retries") == 0 else f"max_retries={arguments.get('max_retries', 'default')}"
    return ""


def region_of(model: Model) -> str:
    """The AWS region that a Strands model calls; empty where it has none."""
    region = getattr(getattr(getattr(model, "client", None), "meta", None), "region_name", None)
    return region if isinstance(region, str) else ""


def streams(model: Model) -> bool:
    """Whether a Strands model is set to stream its answers."""
    return (model.get_config() or {}).get("streaming", True) is not False


def continues(model: Model, entry: Entry) -> bool:
    """Whether a model goes on from the beginning of an answer: it takes prefill, and its thinking is off."""
    return entry.capabilities.prefill and not _thinks(model, entry)


def _thinks(model: Model, entry: Entry) -> bool:
    config: Mapping[str, Any] = model.get_config() or {}
    for name in ("additional_request_fields", "params"):
        thinking = (config.get(name) or {}).get("thinking")
        if isinstance(thinking, Mapping):
            return thinking.get("type") != "disabled"
    return entry.capabilities.thinks_first
