"""Parts that the tests of the reference agent share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from examples.customer_support.models import Models
from turnout.config import load_catalog
from turnout.core.verdict import Verdict
from turnout.messages.conversation import Conversation
from turnout.testing.bedrock import BedrockDouble
from turnout.trace.records import ListRecorder

CATALOG = load_catalog()


class ByWord:
    """Says simple where the query has the word hours, else complex."""

    name = "by-word"

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        p_simple = 0.9 if "hours" in conversation.query else 0.1
        return Verdict(classifier=self.name, label="simple" if p_simple > 0.5 else "complex", p_simple=p_simple)


Events = ListRecorder


@cache
def boto_session() -> boto3.Session:
    """One for all doubles: it names none of them, and each new one reads botocore's service model anew."""
    return BedrockDouble().session()


def models_of(double: BedrockDouble) -> Models:
    return Models(CATALOG, endpoint_url=double.url, boto_session=boto_session())


def usage_of(call: Any) -> Mapping[str, Any]:
    assert call.usage is not None
    usage: Mapping[str, Any] = call.usage
    return usage
