"""Names of span attributes: the GenAI semantic conventions of OpenTelemetry, and our own under ``turnout.``.

Source: semantic conventions 1.41.1, the last release that defines ``gen_ai.*``; read 2026-11 beside
opentelemetry-semantic-conventions 0.66b2, whose copies are marked as moved. The conventions now live in
open-telemetry/semantic-conventions-genai, which had no release by then. Its main branch differs from 1.41.1 in one name
that is used here: ``gen_ai.usage.cache_creation.input_tokens`` becomes ``gen_ai.usage.cache_write.input_tokens``.
Backends read the released name, so that one is written (`turnout.core.usage.Usage.to_opentelemetry`).

There is no accepted convention for routing. As the proposal there suggests, a request is one logical span with a child
of kind CLIENT for each call, and the rest stands under our own prefix.
"""

from __future__ import annotations

SCHEMA_URL = "https://opentelemetry.io/schemas/1.41.1"
"""Which conventions our spans follow."""

SCOPE = "turnout"
"""The instrumentation scope of our spans: how they are told from those of other libraries."""

# GenAI conventions, and the stable ``error.type``.
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
CONVERSATION = "gen_ai.conversation.id"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
TOOL_DEFINITIONS = "gen_ai.tool.definitions"
USAGE_PREFIX = "gen_ai.usage."
ERROR_TYPE = "error.type"

CHAT = "chat"
"""The operation of a call to a model."""

INVOKE_AGENT = "invoke_agent"
"""The operation of an agent's span, on which Strands puts the usage of the agent's whole life."""

# Ours, on both kinds of span.
RUN = "turnout.run"
TURN = "turnout.turn_id"
QUERY = "turnout.query_id"
EVENT = "turnout.event_id"
MODEL = "turnout.model"
SIMULATED = "turnout.simulated"
STATUS = "turnout.status"

# Ours, on the span of a request.
ROUTE = "turnout.route"
"""The name of the span of a request."""
REASON = "turnout.reason"
REASONS = "turnout.reasons"
RUNNER_UP = "turnout.runner_up"
BAR = "turnout.bar"
PIN = "turnout.pin"
HARD_STAY = "turnout.hard_stay"
EDITS = "turnout.edits"
CACHE_PLAN = "turnout.cache_plan"
CANDIDATES = "turnout.candidates"
INELIGIBLE = "turnout.ineligible"
EXPECTED_COST = "turnout.expected_cost_usd."
"""Followed by a candidate: what the turn was expected to cost on it, in USD."""
P = "turnout.p."
"""Followed by a candidate: the probability that was held against the bar."""
VERDICT_LABEL = "turnout.verdict.label"
VERDICT_BASIS = "turnout.verdict.basis"
VERDICT_P_SIMPLE = "turnout.verdict.p_simple"
VERDICT_FAILURE = "turnout.verdict.failure"
VERDICT_UNLIKENESS = "turnout.verdict.unlikeness"
DECISION_MS = "turnout.decision_ms"
CLASSIFIER_MS = "turnout.classifier_ms"
FAILOVER = "turnout.failover"
ATTEMPTS = "turnout.attempts"
FAILED_MODELS = "turnout.failed_models"

# Ours, on the span of a call; the classifier's name stands on both.
ROLE = "turnout.role"
CLASSIFIER = "turnout.classifier"
ATTEMPT = "turnout.attempt"
USAGE_SOURCE = "turnout.usage.source"
CACHE_WRITE_5M = "turnout.usage.cache_write_5m_tokens"
CACHE_WRITE_1H = "turnout.usage.cache_write_1h_tokens"
COST_USD = "turnout.cost.usd"
COST_USD_EXACT = "turnout.cost.usd_exact"
COST_LOW_USD = "turnout.cost.low_usd"
COST_HIGH_USD = "turnout.cost.high_usd"

# Ours, on the framework's own span around a call.
CALL_SPAN = "turnout.call.span_id"
"""The span of ours that carries the usage and the cost of this very call."""

PROVIDERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
    "x-ai": "x_ai",
    "xai": "x_ai",
}
"""Providers of the catalog whose name in the conventions differs."""


def provider_and_model(catalog_id: str) -> tuple[str, str]:
    """The provider by the conventions' name, and the model as the provider names it."""
    provider, _, model = catalog_id.partition("/")
    return PROVIDERS.get(provider, provider), model or catalog_id
