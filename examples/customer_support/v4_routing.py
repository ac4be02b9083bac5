"""v4: routing. Each question goes to the cheaper model where a classifier says that it can carry it.

This file is also the entry point for Amazon Bedrock AgentCore: ``python -m examples.customer_support.v4_routing``
serves POST /invocations on port 8080, configured by ``turnout.toml`` and the AWS configuration.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from strands import Agent
from strands.models import Model

from examples.customer_support.models import Models
from examples.customer_support.serving import (
    Conversations,
    DecisionLog,
    Service,
    answer_of,
    error_response,
    read_prompt,
)
from examples.customer_support.tools import SupportTools
from examples.customer_support.v2_quick_wins import MAX_TOKENS, TEMPERATURE
from examples.customer_support.v3_prompt_caching import cached_prompt
from turnout.classify.configured import configured_classifier
from turnout.classify.protocol import Classifier
from turnout.config import load_catalog, load_settings
from turnout.core.policy import Policy
from turnout.doors.strands import RoutedModel
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder
from turnout.upstream.errors import error_name

if TYPE_CHECKING:
    from bedrock_agentcore import BedrockAgentCoreApp, RequestContext

logger = logging.getLogger(__name__)

NAME = "customer-support-v4-routing"


def build_model(models: Models, policy: Policy, classifier: Classifier | None, **options: Any) -> RoutedModel:
    """As v2, for every candidate; the options are those of `RoutedModel`, such as its recorder."""
    ids = [candidate.model for candidate in policy.candidates]
    candidates = {model_id: models(model_id, max_tokens=MAX_TOKENS, temperature=TEMPERATURE) for model_id in ids}
    return RoutedModel(candidates, policy=policy, catalog=models.catalog, classifier=classifier, **options)


def new_agent(model: Model, tools: SupportTools) -> Agent:
    """As v3."""
    return Agent(model=model, system_prompt=cached_prompt(), tools=tools.all, name=NAME, callback_handler=None)


def create_app(open_service: Callable[[], AbstractContextManager[Service]]) -> BedrockAgentCoreApp:
    """The AgentCore app; the service is opened when the server starts and closed when it stops."""
    from bedrock_agentcore import BedrockAgentCoreApp  # only a server needs it

    opened: list[Service] = []

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        with open_service() as service:
            opened[:] = [service]
            yield

    app = BedrockAgentCoreApp(lifespan=lifespan)

    @app.entrypoint
    async def invoke(payload: object, context: RequestContext) -> object:
        # One span over classifier and answer: a trace's totals include both.
        with trace.get_tracer(NAME).start_as_current_span(NAME) as span:
            try:
                return await _answer(opened[0], payload, context.session_id)
            except Exception as error:
                # Neither log nor span gets the message: it may hold what the customer wrote.
                logger.error("error=<%s> | a question was not answered", error_name(error))
                span.set_status(trace.StatusCode.ERROR, error_name(error))
                return error_response(error)

    return app


async def _answer(service: Service, payload: object, session_id: str | None) -> dict[str, Any]:
    prompt = read_prompt(payload, service.max_prompt_chars)
    overrides = {"session_id": session_id} if session_id else {}
    trace.get_current_span().set_attribute("session.id", session_id or "")
    async with service.conversations.agent(session_id) as agent:
        with service.decisions.collect() as decisions:
            result = await agent.invoke_async(prompt, invocation_state={"turnout": overrides})
    return answer_of(result, decisions)


@contextmanager
def from_environment() -> Iterator[Service]:
    """The service as ``turnout.toml`` and the environment describe it.

    Raises:
        ConfigError: The settings cannot be used, or their classifier cannot be built.
        LedgerError: The ledger cannot be opened.
    """
    settings = load_settings()
    catalog = load_catalog(settings.overrides)
    policy = settings.policy(catalog)
    classifier = configured_classifier(settings, catalog)
    tools = SupportTools()
    models = Models(catalog, region=settings.region)
    with closing(models), Ledger(settings.ledger) as ledger, Recorder(ledger) as recorder:
        decisions = DecisionLog(recorder)
        options = {"classifier_timeout_s": settings.classifier.timeout_seconds, "calls": settings.calls, "run": NAME}
        model = build_model(models, policy, classifier, recorder=decisions, **options)
        yield Service(Conversations(lambda: new_agent(model, tools)), decisions, settings.max_prompt_chars)


if __name__ == "__main__":
    # Strands writes prompts and answers into its spans unless it is told not to.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_unredacted_attributes=")
    create_app(from_environment).run()
