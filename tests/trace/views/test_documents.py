from __future__ import annotations

import json
from typing import Any

import msgspec

from tests.trace.views.test_tables import ANSWERED, CUT, FAILED, SILENT, _run
from turnout.core.price import flat_price
from turnout.trace.views.compare import compare, compare_typed
from turnout.trace.views.documents import to_json
from turnout.trace.views.typed import typed_totals


def _money(pico: int) -> dict[str, Any]:
    return {"usd": f"{pico // 10**12}.{pico % 10**12:012}", "pico_usd": pico}


def test_a_run_is_json_with_exact_money() -> None:
    value = json.loads(json.dumps(to_json(_run(ANSWERED, FAILED), names={"bedrock/global.large": "Large"})))
    assert value["run"] == "v4"
    turn = value["turns"][0]
    assert turn["cost"] == {"usd": "0.016505150000", "pico_usd": 16_505_150_000}
    assert turn["classifier_cost"]["pico_usd"] == 425_000_000
    assert turn["expected_answer_cost"]["pico_usd"] == 16_000_000_000
    assert (turn["model"], turn["model_name"]) == ("bedrock/global.large", "Large")
    assert turn["tokens"] == {"input": 1317, "output": 423, "cache_read": 1743, "cache_write": 1743}
    assert turn["latency_s"] == 9.35
    assert value["turns"][1]["latency_s"] is None
    assert value["totals"]["answered"] == 1
    assert value["totals"]["unanswered"] == [{"name": "Hello", "status": "failed"}]
    assert value["totals"]["cost"] == {"usd": "0.016505150000", "pico_usd": 16_505_150_000}
    assert value["totals"]["reasons"] == {"cheapest_below_bar": 1}
    assert value["totals"]["expected"]["absolute_error"]["pico_usd"] == 80_150_000


def test_a_comparison_is_json_with_rounded_percentages_only() -> None:
    comparison = compare(
        _run(ANSWERED, name="a"), _run(ANSWERED, FAILED, name="b"), classifier_price=flat_price("1", "5")
    )
    value = json.loads(json.dumps(to_json(comparison)))
    assert value["cost_usd"] == {
        "before": "0.016505150000",
        "after": "0.016505150000",
        "change": "0.000000000000",
        "change_percent": "0.0000",
    }
    assert value["cost_usd_classifier_repriced"]["after"] == "0.016505150000"
    assert value["tokens"]["cache_write"]["before"] == "1743"
    assert value["queries"] == [
        {
            "query_id": "Technical Support",
            "before": {"usd": "0.016505150000", "pico_usd": 16_505_150_000},
            "after": {"usd": "0.016505150000", "pico_usd": 16_505_150_000},
            "models": ["bedrock/global.large", "bedrock/global.large"],
        }
    ]
    assert value["unmatched_after"] == ["Hello"]
    assert value["interval"] is None


def test_exactness_of_reported_calls() -> None:
    value = json.loads(json.dumps(to_json(_run(ANSWERED))))
    expected = {
        "exact": True,
        "exact_cost": _money(16_505_150_000),
        "bounded_cost": {"low": _money(0), "high": _money(0)},
        "highest_cost": _money(16_505_150_000),
        "exact_calls": 3,
        "bounded_calls": 0,
        "open_calls": 0,
        "failed_calls": 0,
        "usage_sources": {"reported": 3, "partial": 0, "estimated": 0, "none": 0, "foreign": 0},
    }
    assert value["totals"]["exactness"] == expected
    assert value["turns"][0]["exactness"] == expected


def test_exact_and_bounded_parts_are_fields() -> None:
    totals = json.loads(json.dumps(to_json(_run(ANSWERED, CUT, FAILED))))["totals"]
    assert totals["cost"] == _money(18_005_150_000)
    found = totals["exactness"]
    assert (found["exact"], found["exact_cost"]) == (False, _money(16_505_150_000))
    assert found["bounded_cost"] == {"low": _money(1_500_000_000), "high": _money(45_000_000_000)}
    assert found["highest_cost"] == _money(61_505_150_000)
    assert (found["exact_calls"], found["bounded_calls"], found["failed_calls"]) == (3, 1, 1)
    assert found["usage_sources"] == {"reported": 3, "partial": 0, "estimated": 1, "none": 1, "foreign": 0}


def test_a_failed_call_alone_takes_the_claim_away_and_no_money() -> None:
    found = to_json(_run(ANSWERED, FAILED))["totals"]["exactness"]
    assert (found["exact"], found["highest_cost"]["pico_usd"]) == (False, 16_505_150_000)


def test_what_has_no_upper_bound_is_null() -> None:
    found = to_json(_run(ANSWERED, SILENT))["totals"]["exactness"]
    assert (found["highest_cost"], found["bounded_cost"]["high"], found["open_calls"]) == (None, None, 1)


def test_a_comparison_has_the_ends_of_its_change() -> None:
    before = msgspec.structs.replace(CUT, status="answered")
    after = msgspec.structs.replace(ANSWERED, query_id="Long")
    value = json.loads(json.dumps(to_json(compare(_run(before, name="v3"), _run(after)))))
    assert value["exact"] is False
    assert value["cost_usd_bounds"] == {
        "before": {"low": "0.001500000000", "high": "0.045000000000"},
        "after": {"low": "0.016505150000", "high": "0.016505150000"},
        "change": {"low": "-0.028494850000", "high": "0.015005150000"},
        "change_percent": {"low": "-63.3219", "high": "1000.3433"},
    }
    assert value["exactness"]["before"]["bounded_cost"]["high"] == _money(45_000_000_000)
    assert value["exactness"]["after"]["exact"] is True
    exact = to_json(compare(_run(ANSWERED, name="v3"), _run(ANSWERED), classifier_price=flat_price("1", "5")))
    assert (exact["exact"], exact["cost_usd_bounds"], exact["cost_usd_classifier_repriced_bounds"]) == (
        True,
        None,
        None,
    )
    typed = to_json(compare_typed(typed_totals("cost=1"), _run(ANSWERED)))
    assert (typed["exact"], typed["exactness"]["before"], typed["exactness"]["after"]["exact"]) == (False, None, True)
