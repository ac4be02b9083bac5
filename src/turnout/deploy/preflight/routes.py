"""What each route would do with a few queries: the real decision, priced, without a call to a model that answers.

A route is the configured policy (``turnout``), one of the presets over the same candidates (``turnout/economy``), or
one that the settings name (``[routes.NAME]``).
The prices are those that the decision expects: of a first call with cold caches, with the priors of models that nothing
was learned of yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from turnout.classify.protocol import Classifier
from turnout.config import Settings
from turnout.config.presets import preset_of
from turnout.config.routes import ROUTED, routes_of
from turnout.core.catalog import Catalog
from turnout.core.cost import pico_to_usd
from turnout.core.policy import Policy
from turnout.core.verdict import Verdict
from turnout.messages.conversation import conversation_of
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import request_of
from turnout.router import RefusedError, Router

_PAGE = "The shop opens at nine and closes at eight; parcels are sent on the day of the order. " * 200

SAMPLES: Mapping[str, str] = {
    "short and simple": "What are your opening hours?",
    "hard": "My order came in three parcels over two weeks, one damaged, and I paid with a voucher and two cards. "
    "Compare refund, repair and replacement for each part under the terms of sale, and argue which I should take.",
    "simple over a long page": f"{_PAGE}\n\nWhen does the shop open?",
}
"""The sample queries by what they stand for."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What a route would do with a sample.

    Attributes:
        route: ``turnout``, ``turnout/`` and a preset, or a name of the settings.
        sample: What the query stands for.
        given: ``verdict``: the classifier was asked, if its verdict counted. ``if simple`` and ``if complex``: asking
            it takes a call, which was not made, so that both its answers are shown.
        label: The verdict's label; none where it failed or none was needed.
        model: The catalog id of the model that would serve; none if the request would be refused.
        reason: Why.
        expected_usd: What the turn is expected to cost; none if it would be refused.
        capable_usd: What it is expected to cost on the most capable candidate that may serve it.
    """

    route: str
    sample: str
    given: str = "verdict"
    label: str | None = None
    model: str | None = None
    reason: str = ""
    expected_usd: Decimal | None = None
    capable_usd: Decimal | None = None


def routes_shown(settings: Settings) -> dict[str, Policy]:
    """The routes by name; the preset that is configured anyway is not listed twice."""
    routes = routes_of(settings.rules, settings.routes)
    routes.pop(f"{ROUTED}/{preset_of(settings.rules)}", None)
    return routes


def calls_a_model(settings: Settings, catalog: Catalog) -> bool:
    """Whether a verdict takes a call over the network."""
    options = settings.classifier
    return options.kind in ("llm", "cascade") and catalog[options.model].provider != "local"


async def plan(settings: Settings, catalog: Catalog, classifier: Classifier | None, *, ask: bool) -> list[Planned]:
    """What every route would do with every sample.

    Args:
        settings: The settings.
        catalog: Knows the candidates.
        classifier: What was built of the settings; none: nobody is asked.
        ask: Whether the classifier may be asked; otherwise both of its answers are shown.
    """
    settings.policy(catalog)  # all candidates are known
    asked = classifier if ask else None
    rows = []
    for sample, query in SAMPLES.items():
        known: dict[str, Verdict | None] = {"verdict": None}
        if asked is None and classifier is not None:
            known = {f"if {label}": _verdict(classifier.name, label) for label in ("simple", "complex")}
        for name, rules in routes_shown(settings).items():
            for given, verdict in known.items():
                row = await _planned(settings, catalog, asked, query, rules, verdict)
                rows.append(msgspec.structs.replace(row, route=name, sample=sample, given=given))
    return rows


async def _planned(
    settings: Settings,
    catalog: Catalog,
    classifier: Classifier | None,
    query: str,
    policy: Policy,
    verdict: Verdict | None,
) -> Planned:
    # A router of its own for each row: none of them may learn from the one before.
    router = Router(
        policy,
        catalog,
        classifier=classifier,
        classifier_timeout_s=settings.classifier.timeout_seconds,
        calls=settings.calls,
        bound=settings.bound,
        simulated=True,
    )
    conversation = conversation_of(query)
    turn = router.begin_turn("check")
    turn.verdict = verdict
    try:
        routed = await router.route(conversation, request_of(conversation, PrefixHasher(b"check")), turn)
        decision = routed.decision
    except RefusedError as error:
        decision = error.decision
    costs = {one.model: one.expected.cost_pico for one in decision.estimates if one.expected is not None}
    capable = next((cost for one in decision.estimates if (cost := costs.get(one.model)) is not None), None)
    chosen = None if decision.model is None else costs.get(decision.model)
    return Planned(
        route="",
        sample="",
        label=None if turn.verdict is None else turn.verdict.label,
        model=decision.model,
        reason=decision.reason.value,
        expected_usd=None if chosen is None else pico_to_usd(chosen),
        capable_usd=None if capable is None else pico_to_usd(capable),
    )


def _verdict(classifier: str, label: str) -> Verdict:
    if label == "simple":
        return Verdict(classifier=classifier, label="simple", p_simple=1.0)
    return Verdict(classifier=classifier, label="complex", p_simple=0.0)
