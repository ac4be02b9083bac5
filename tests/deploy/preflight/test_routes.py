from __future__ import annotations

import asyncio

import pytest

from tests.deploy.preflight.conftest import Configured
from turnout.config import DEFAULT_PAIR, Settings, load_catalog, load_settings
from turnout.core.policy import Reason
from turnout.deploy.preflight import routes
from turnout.deploy.preflight.machine import build_classifier
from turnout.deploy.preflight.routes import SAMPLES, Planned, calls_a_model, plan, routes_shown

CATALOG = load_catalog()


def planned(settings: Settings, *, ask: bool = True) -> list[Planned]:
    classifier, _ = build_classifier(settings, CATALOG)
    return asyncio.run(plan(settings, CATALOG, classifier, ask=ask))


def row(rows: list[Planned], route: str, sample: str) -> Planned:
    [found] = [one for one in rows if (one.route, one.sample) == (route, sample)]
    return found


def test_every_route_says_what_it_would_do_with_every_sample() -> None:
    rows = planned(load_settings())
    assert len(SAMPLES) == 3
    assert [(one.sample, one.route) for one in rows] == [
        (sample, route) for sample in SAMPLES for route in ("turnout", "turnout/quality", "turnout/economy")
    ]


def test_a_simple_query_goes_to_the_cheap_model_and_a_hard_one_to_the_capable() -> None:
    rows = planned(load_settings())
    simple, hard = row(rows, "turnout", "short and simple"), row(rows, "turnout", "hard")
    assert (simple.label, simple.model, simple.reason) == ("simple", DEFAULT_PAIR.cheap, Reason.CHEAPEST_CLEARS_BAR)
    assert (hard.label, hard.model, hard.reason) == ("complex", DEFAULT_PAIR.capable, Reason.CHEAPEST_BELOW_BAR)
    assert hard.expected_usd == hard.capable_usd


def test_prices_are_those_of_the_decision() -> None:
    rows = planned(load_settings())
    simple = row(rows, "turnout", "short and simple")
    assert simple.expected_usd is not None
    assert simple.capable_usd is not None
    # Haiku 4.5 costs a third of Sonnet 4.6 for every kind of token, and both count alike without a history.
    assert simple.capable_usd == 3 * simple.expected_usd
    long = row(rows, "turnout", "simple over a long page")
    assert long.expected_usd is not None
    assert long.expected_usd > simple.expected_usd


def test_a_preset_makes_a_difference() -> None:
    rows = planned(load_settings())
    sample = "simple over a long page"
    assert row(rows, "turnout/quality", sample).model == DEFAULT_PAIR.capable
    assert row(rows, "turnout/economy", sample).model == DEFAULT_PAIR.cheap


def test_bars_of_ones_own_stand_beside_all_presets(configured: Configured) -> None:
    routes = routes_shown(configured("[policy]\nsimple_bar = 0.1\n"))
    assert list(routes) == ["turnout", "turnout/quality", "turnout/balanced", "turnout/economy"]
    assert routes["turnout"].simple_bar == 0.1
    assert list(routes_shown(configured('[policy]\npreset = "economy"\n'))) == [
        "turnout",
        "turnout/quality",
        "turnout/balanced",
    ]


def test_routes_of_the_settings_are_shown_by_their_names(configured: Configured) -> None:
    rows = planned(configured(f'[routes."gpt-4o"]\ncandidates = ["{DEFAULT_PAIR.capable}"]\n'))
    assert {one.model for one in rows if one.route == "gpt-4o"} == {DEFAULT_PAIR.capable}


def test_without_asking_both_answers_are_shown(configured: Configured) -> None:
    settings = configured('[classifier]\nkind = "llm"\n')
    assert calls_a_model(settings, CATALOG)
    rows = [one for one in planned(settings, ask=False) if one.route == "turnout" and one.sample == "hard"]
    assert [(one.given, one.label, one.model) for one in rows] == [
        ("if simple", "simple", DEFAULT_PAIR.cheap),
        ("if complex", "complex", DEFAULT_PAIR.capable),
    ]


@pytest.mark.parametrize(
    ("kind", "calls"), [("keyword", False), ("embedding", False), ("cascade", True), ("none", False)]
)
def test_which_verdicts_take_a_call(configured: Configured, kind: str, calls: bool) -> None:
    assert calls_a_model(configured(f'[classifier]\nkind = "{kind}"\n'), CATALOG) is calls


def test_without_a_classifier_the_most_capable_serves(configured: Configured) -> None:
    rows = planned(configured('[classifier]\nkind = "none"\n'))
    assert {one.model for one in rows} == {DEFAULT_PAIR.capable}
    assert {one.reason for one in rows} == {Reason.NO_VERDICT}


def test_a_sample_that_nobody_can_serve_is_refused(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "SAMPLES", {"too long": "word " * 40_000})
    local = [model.id for model in CATALOG.models if model.provider == "local"][:1]
    settings = configured(f'[[policy.candidates]]\nmodel = "{local[0]}"\nrank = 0\n')
    long = row(planned(settings), "turnout", "too long")
    assert (long.model, long.reason, long.expected_usd) == (None, Reason.NO_ELIGIBLE_CANDIDATE, None)
