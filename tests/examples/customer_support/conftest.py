from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from examples.customer_support.models import Models
from examples.customer_support.responder_rules import support_responder
from examples.customer_support.tools import SupportTools
from examples.customer_support.tools.knowledge import LocalKnowledge
from examples.customer_support.tools.web import WebSearch
from tests.examples.customer_support.support import models_of
from turnout.classify.minilm import shared_minilm
from turnout.testing.bedrock import BedrockDouble


@pytest.fixture(scope="session")
def knowledge() -> LocalKnowledge:
    """The local articles, indexed once: seconds of arithmetic."""
    return LocalKnowledge(shared_minilm().embed)


@pytest.fixture(scope="session")
def tools(knowledge: LocalKnowledge) -> SupportTools:
    """The tools over the local articles; web search is switched off."""
    return SupportTools(knowledge=knowledge, web=WebSearch(enabled=False))


@pytest.fixture
def double() -> Iterator[BedrockDouble]:
    with BedrockDouble(support_responder()) as running:
        yield running


@pytest.fixture
def models(double: BedrockDouble) -> Iterator[Models]:
    with closing(models_of(double)) as built:
        yield built
