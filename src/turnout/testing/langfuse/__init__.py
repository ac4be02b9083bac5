"""A simulated Langfuse on loopback, for the real Langfuse SDK and any OpenTelemetry exporter.

Everything that comes from here is **simulated**: `LangfuseDouble.simulated` is true, every response carries
``x-turnout-simulated: true``, and every observation belongs to the project ``simulated-project``.

What is real: the wire (OTLP over HTTP as protobuf or JSON, with or without gzip; scores; observations and metrics v2;
traces v1), Basic authentication, pages and cursors, field groups, filters, and how spans become observations. What is
simulated: when written things can be read (after seconds of a settable clock, or after a number of reads, and ten
minutes later without the ingestion-version header). What is missing: Langfuse's price table and tokenizers (usage
and cost are what was sent), prompts, data sets, evaluators, media, rate limits other than scripted ones.

It imports nothing else of Turnout, so that it can contradict it. Protobuf needs ``opentelemetry-proto``, which the
OTLP exporter brings.
"""

from turnout.testing.clock import ManualClock
from turnout.testing.langfuse.double import LangfuseDouble
from turnout.testing.langfuse.exchanges import Exchange
from turnout.testing.langfuse.faults import Fault, FaultScript, dropped, rate_limited, server_error, stall, unauthorized
from turnout.testing.langfuse.store import PROJECT, StoredScore, StoredSpan
from turnout.testing.loopback import SIMULATED_HEADER

__all__ = [
    "PROJECT",
    "SIMULATED_HEADER",
    "Exchange",
    "Fault",
    "FaultScript",
    "LangfuseDouble",
    "ManualClock",
    "StoredScore",
    "StoredSpan",
    "dropped",
    "rate_limited",
    "server_error",
    "stall",
    "unauthorized",
]
