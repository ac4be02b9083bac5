"""A simulated Amazon Bedrock Runtime on loopback, for the real boto3 and the real Strands ``BedrockModel``.

Everything that comes from here is **simulated**, and must be shown as such: `BedrockDouble.simulated` is true, and
every response carries ``x-turnout-simulated: true``. The answers are composed by rule from what the caller's tools
return. It stands in for the models that *answer* and never for one that judges: nothing in it rates the difficulty of a
query or chooses between models, and its answers say nothing about the quality, the latency or the true token counts of
any model.

What is real: the wire (Converse, ConverseStream with AWS event-stream framing, CountTokens), the shapes (requests and
responses are checked with botocore's service model), the errors with their names and statuses, and the arithmetic of
prompt caches by their documented rules. What is not simulated: guardrails, prompt resources, InvokeModel, quotas, IAM
(any ``Authorization`` header will do), tokenizers, message overhead, and the check that a thinking block's history is
unchanged.

It imports nothing else of Turnout: its facts about models are its own, so that it can contradict Turnout's.
"""

from turnout.testing.bedrock.cache import CacheUse, PromptCaches
from turnout.testing.bedrock.double import BedrockDouble
from turnout.testing.bedrock.engine import Call
from turnout.testing.bedrock.faults import (
    Fault,
    FaultScript,
    access_denied,
    dropped,
    garbage,
    internal_error,
    mid_stream,
    model_error,
    model_not_ready,
    model_timeout,
    service_unavailable,
    stall,
    throttling,
    truncated,
    validation,
)
from turnout.testing.bedrock.instance import UnbuildableSchemaError, minimal_instance
from turnout.testing.bedrock.models import MODELS, SimulatedModel
from turnout.testing.bedrock.responder import Responder, Rule, RuleResponder
from turnout.testing.bedrock.tokens import block_tokens, text_tokens
from turnout.testing.clock import ManualClock
from turnout.testing.loopback import SIMULATED_HEADER

__all__ = [
    "MODELS",
    "SIMULATED_HEADER",
    "BedrockDouble",
    "CacheUse",
    "Call",
    "Fault",
    "FaultScript",
    "ManualClock",
    "PromptCaches",
    "Responder",
    "Rule",
    "RuleResponder",
    "SimulatedModel",
    "UnbuildableSchemaError",
    "access_denied",
    "block_tokens",
    "dropped",
    "garbage",
    "internal_error",
    "mid_stream",
    "minimal_instance",
    "model_error",
    "model_not_ready",
    "model_timeout",
    "service_unavailable",
    "stall",
    "text_tokens",
    "throttling",
    "truncated",
    "validation",
]
