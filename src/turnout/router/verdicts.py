"""Asks a classifier for its verdict, within the router's patience, and records what its calls cost.

A classifier that outlasts the router's time-out, or whose request is cancelled, is cancelled too. It is given
``on_call`` (`turnout.classify.protocol`), by which it tells of each call as that ends, so that these are recorded and
charged although there is no verdict.

Known limitation: calls of a classifier that does not use ``on_call`` are lost with its verdict.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from turnout.classify.protocol import Classifier, PricedClassifier
from turnout.core.bounds import Bounds, of_classifier
from turnout.core.cost import NO_COST, cost_of
from turnout.core.verdict import ClassifierCall, Failure, Verdict
from turnout.messages.conversation import Conversation
from turnout.router.patience import soon
from turnout.router.turns import Turn
from turnout.trace.events import CallEvent, Status, new_id
from turnout.trace.spans.context import OpenSpan
from turnout.trace.spans.semconv import CHAT
from turnout.upstream.errors import is_unbilled

if TYPE_CHECKING:
    from turnout.router.routing import Router

logger = logging.getLogger(__name__)

CANCELLED = "CancelledError"
"""The error of a classifier's call that was cancelled before it ended."""

UNPRICED = "unpriced_model"
"""The error of a call whose model the catalog has no price for."""


def most_pico(router: Router, classifier: object, conversation: Conversation) -> int:
    """What a verdict costs at most, in pico-USD; a model without a price counts as nothing."""
    if not isinstance(classifier, PricedClassifier):
        return 0
    prices = router.prices
    usages = [(prices[model], usage) for model, usage in classifier.most_usage(conversation) if model in prices]
    return sum([cost_of(usage, model.price).total_pico for model, usage in usages])


async def ask(
    router: Router, classifier: Classifier, conversation: Conversation, turn: Turn, span: OpenSpan, timeout_s: float
) -> tuple[Verdict, float]:
    """The classifier's verdict, or its failure as one, and how long it took in milliseconds."""
    started = time.perf_counter()
    ended: list[ClassifierCall] = []
    failure: Failure | None = None
    try:
        verdict = await soon(classifier.classify(conversation, on_call=ended.append), timeout_s)
    except TimeoutError:
        failure = Failure("timeout", f"no verdict within {timeout_s} s")
    except asyncio.CancelledError:
        # Without a decision the request's span is not built: the calls stand where it would have stood.
        unbuilt = OpenSpan(span.trace_id, "", span.parent_span_id, span.span_context)
        _record(router, classifier.name, ended, turn, unbuilt)
        raise
    except Exception as error:
        failure = Failure("error", type(error).__name__)
    if failure is not None:
        verdict = Verdict(classifier=classifier.name, failure=failure, calls=tuple(ended))
    classifier_ms = (time.perf_counter() - started) * 1000
    if verdict.failure is not None:
        router.verdict_failures += 1
        logger.warning(
            "classifier=<%s>, kind=<%s>, detail=<%s> | no verdict, the most capable model serves",
            verdict.classifier,
            verdict.failure.kind,
            verdict.failure.detail,
        )
    _record(router, verdict.classifier, verdict.calls, turn, span)
    return verdict, classifier_ms


def _record(router: Router, classifier: str, calls: Sequence[ClassifierCall], turn: Turn, span: OpenSpan) -> None:
    for attempt, call in enumerate(calls, start=1):
        _record_call(router, classifier, call, attempt, turn, span)


def _record_call(
    router: Router, classifier: str, call: ClassifierCall, attempt: int, turn: Turn, span: OpenSpan
) -> None:
    error, status = call.error or "", _status_of(call)
    if call.model in router.prices:
        model = router.prices[call.model]
        bounds = of_classifier(call, model, unbilled=is_unbilled(error))
        cost = cost_of(bounds.least, model.price)
        charged_pico = max(cost.total_pico, cost_of(call.usage, model.price).total_pico)
    else:
        # Not priced in silence, and not worth losing the caller's request: the event itself says so.
        logger.error("classifier=<%s>, model=<%s> | the classifier's model has no price", classifier, call.model)
        bounds, cost, charged_pico = Bounds(least=call.usage), NO_COST, 0
        status, error = "error", error if error not in ("", CANCELLED) else UNPRICED
    router.memory.spent(turn.session_id, charged_pico)
    if router.spend is not None:
        router.spend.classified(turn.turn_id, charged_pico)
    own = router.begin_span(CHAT, span)
    router.record(
        CallEvent(
            event_id=new_id(),
            run=router.run,
            session_id=turn.session_id,
            turn_id=turn.turn_id,
            query_id=turn.query_id,
            trace_id=own.trace_id,
            span_id=own.span_id,
            parent_span_id=own.parent_span_id,
            role="classifier",
            model=call.model,
            classifier=classifier,
            attempt=attempt,
            started_ms=call.started_ms,
            latency_ms=call.latency_ms,
            usage=bounds.least,
            usage_source=call.usage_source,
            cost=cost,
            cost_high_pico=bounds.high_pico,
            status=status,
            error="" if status == "cancelled" else error,
            simulated=False,
            key_id=turn.key_id,
        )
    )


def _status_of(call: ClassifierCall) -> Status:
    if call.error == CANCELLED:
        return "cancelled"
    return "error" if call.error else "ok"
