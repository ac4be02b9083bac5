"""Events by the names of OpenInference, for backends that read those: an opt-in decorator.

Arize Phoenix reads ``gen_ai.*`` itself since 15.10.0, so it needs this only to show a request as a chain. Older ones
and Arize AX read OpenInference alone; and where a span states ``llm.cost.*``, Arize AX keeps that and looks up no price
of its own. Phoenix always prices by its own table.

::

    configure_tracing(load_settings(), decorators=[openinference_attributes])

Sources: openinference-semantic-conventions 0.1.42; arize-phoenix 20.26.1, ``phoenix/trace/gen_ai/conversion.py``;
"How cost tracking works" in the documentation of Arize AX; all read 2026-11.

Known limitations: OpenInference has one kind of cache write, so those for an hour and for five minutes stand together;
amounts are binary fractions, where ``turnout.cost.usd_exact`` is exact; of a cost that is not known exactly they are
the low end.
"""

from __future__ import annotations

from turnout.core.cost import Cost, pico_to_usd
from turnout.core.usage import Usage
from turnout.trace.events import CallEvent, Event
from turnout.trace.spans import semconv
from turnout.trace.spans.attributes import Attributes

SPAN_KIND = "openinference.span.kind"
SESSION = "session.id"
MODEL_NAME = "llm.model_name"
TOKENS_PREFIX = "llm.token_count."
COST_PREFIX = "llm.cost."


def openinference_attributes(event: Event) -> Attributes:
    """The attributes of an event's span by OpenInference: its kind, its session, and a call's model, tokens and cost.

    They say the same as our ``gen_ai.usage.*``: a backend that reads both does not count anything twice.

    Args:
        event: The call or decision.
    """
    attributes: Attributes = {SESSION: event.session_id} if event.session_id else {}
    if not isinstance(event, CallEvent):
        return attributes | {SPAN_KIND: "CHAIN"}
    attributes |= {SPAN_KIND: "LLM", MODEL_NAME: semconv.provider_and_model(event.model)[1]}
    if event.usage_source != "none":
        attributes |= _tokens(event.usage) | _cost(event.cost)
    return attributes


def _tokens(usage: Usage) -> Attributes:
    tokens: Attributes = {
        f"{TOKENS_PREFIX}prompt": usage.prompt_tokens,
        f"{TOKENS_PREFIX}completion": usage.output_tokens,
        f"{TOKENS_PREFIX}total": usage.total_tokens,
        f"{TOKENS_PREFIX}prompt_details.cache_read": usage.cache_read_tokens,
        f"{TOKENS_PREFIX}prompt_details.cache_write": usage.cache_write_tokens,
    }
    if usage.reasoning_tokens:  # none may also mean that the provider does not say
        tokens[f"{TOKENS_PREFIX}completion_details.reasoning"] = usage.reasoning_tokens
    return tokens


def _cost(cost: Cost) -> Attributes:
    picos = {
        "prompt": cost.total_pico - cost.output_pico,
        "prompt_details.input": cost.input_pico,
        "prompt_details.cache_read": cost.cache_read_pico,
        "prompt_details.cache_write": cost.cache_write_pico,
        "completion": cost.output_pico,
        "completion_details.output": cost.output_pico,
        "total": cost.total_pico,
    }
    return {f"{COST_PREFIX}{kind}": float(pico_to_usd(pico)) for kind, pico in picos.items()}
