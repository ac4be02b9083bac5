"""The notebooks run, print what is stored in them, and find what their text says."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import nbformat
import pytest

from examples.customer_support.queries import TEST_PROMPTS
from examples.customer_support.responder_rules import support_responder
from labs.run import LABS, differences, execute, notebooks, problems, read
from scripts.check_text import findings
from tests.core.price_table import HAIKU_4_5, HAIKU_5_5, SONNET_4_6, SONNET_5_5
from turnout.core.cost import cost_of
from turnout.core.usage import Usage
from turnout.testing.bedrock import BedrockDouble

pytestmark = pytest.mark.once

untyped: Any = nbformat  # most of its functions have no types
NAMES = [path.name for path in notebooks()]
CACHING, ROUTING = NAMES
LIVE_DOUBLE = "03 on the double, as if it were Bedrock"

PROBES = {
    CACHING: """
import json
print(json.dumps({
    "floors": floors.to_dict("index"),
    "break_even": break_even.to_dict("index"),
    "wire": wire.reset_index(drop=True).to_dict("records"),
    "v2": v2.to_dict("records"),
    "v3": v3.to_dict("records"),
    "change": float(comparison.cost.difference),
    "simulated": comparison.simulated,
}))
""",
    ROUTING: """
import json
print(json.dumps({
    "table": table.to_dict("index"),
    "judged": {name: [one.verdict.label for one in given] for name, given in judged.items()},
    "taken": taken.reset_index().to_dict("records"),
    "bill": bill.drop(columns=["latency_s"]).to_dict("records"),
    "cost": [str(comparison.cost.before), str(comparison.cost.after)],
    "repriced": [str(comparison.repriced.before), str(comparison.repriced.after)],
    "simulated": comparison.simulated,
    "floor_table": floor_table.to_dict("index"),
    "decided": decided.to_dict("records"),
    "outcomes": len(outcomes),
    "gained": gained.to_dict("index"),
    "wanted": wanted,
    "score": [result.score.value, result.score.low, result.score.high],
    "over_random": [result.over_random.value, result.over_random.low, result.over_random.high],
}, default=str))
""",
}
"""Cells that are put behind the last one, and tell what the cells before them found."""


def run_with_probe(name: str, environ: Mapping[str, str]) -> Any:
    notebook = read(LABS / name)
    probe = untyped.v4.new_code_cell(PROBES[name])
    probe["id"] = "probe"
    notebook.cells.append(probe)
    return execute(notebook, environ)


def environment(**more: str) -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if name != "LIVE"}, **more}


@pytest.fixture(scope="module")
def runs() -> dict[str, Any]:
    """Every notebook run as it is; without credentials but with LIVE=1; and one with LIVE=1 on the double."""
    with BedrockDouble(support_responder()) as double, ThreadPoolExecutor(2) as pool:
        aws = {
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": double.url,
        }
        work = {name: pool.submit(run_with_probe, name, environment()) for name in reversed(NAMES)}
        work |= {f"LIVE {name}": pool.submit(execute, read(LABS / name), environment(LIVE="1")) for name in NAMES}
        work[LIVE_DOUBLE] = pool.submit(run_with_probe, CACHING, environment(LIVE="1", **aws))
        return {name: future.result() for name, future in work.items()} | {"live calls": len(double.calls)}


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def found(runs: dict[str, Any], name: str) -> Any:
    """What the probe of a run printed."""
    return json.loads(runs[name].cells[-1].outputs[0].text)


def text_of(notebook: Any, cell_id: str) -> str:
    (cell,) = [cell for cell in notebook.cells if cell.id == cell_id]
    if cell.cell_type == "markdown":
        return str(cell.source)
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)


def markdown(name: str) -> Iterator[str]:
    return (cell.source for cell in read(LABS / name).cells if cell.cell_type == "markdown")


class TestEveryNotebook:
    def test_it_runs_without_errors_and_warnings(self, runs: dict[str, Any], name: str) -> None:
        assert problems(runs[name]) == []

    def test_it_prints_what_is_stored(self, runs: dict[str, Any], name: str) -> None:
        fresh = untyped.from_dict({**runs[name], "cells": runs[name].cells[:-1]})
        assert differences(read(LABS / name), fresh) == [], "run `make lab` and look at what has changed"

    def test_the_file_is_tidy(self, name: str) -> None:
        notebook = read(LABS / name)
        assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
        assert set(notebook.metadata) == {"kernelspec", "language_info"}
        ids = [cell.id for cell in notebook.cells]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[a-z][a-z0-9-]+", cell_id) for cell_id in ids)
        for cell in notebook.cells:
            assert set(cell.metadata) <= {"tags"}
            if cell.cell_type == "code":
                assert cell.execution_count is None
                assert cell.outputs, f"cell {cell.id} has no stored output"
                assert all(output.get("execution_count") is None for output in cell.outputs)
        assert problems(notebook) == []

    def test_it_names_no_machine(self, name: str) -> None:
        text = (LABS / name).read_text(encoding="utf-8")
        assert list(findings(name, text)) == []
        assert not re.search(r"/tmp/|127\.0\.0\.1:\d", text)

    def test_it_says_first_that_models_are_simulated(self, runs: dict[str, Any], name: str) -> None:
        assert text_of(runs[name], "start").startswith("SIMULATED MODELS")
        assert found(runs, name)["simulated"] is True

    def test_its_text_quotes_no_saving(self, name: str) -> None:
        # Nothing in it may read like a result that simulated models gave; 90 % and 95 % are a bar and a level.
        percentages = {match for text in markdown(name) for match in re.findall(r"[\d.]+(?= ?%)", text)}
        assert percentages <= {"90", "95"}

    def test_live_without_credentials_stops_with_a_message(self, runs: dict[str, Any], name: str) -> None:
        first, *others = [cell for cell in runs[f"LIVE {name}"].cells if cell.cell_type == "code"]
        (error,) = first.outputs
        assert error.output_type == "error"
        assert len(error.traceback) == 1
        assert error.traceback[0].startswith("The lab stops here: LIVE=1 asks for real models")
        assert "no AWS credentials" in error.traceback[0]
        assert "Traceback" not in json.dumps(first.outputs)
        assert not any(cell.outputs for cell in others)

    def test_its_links_to_files_are_good(self, name: str) -> None:
        links = [link for text in markdown(name) for link in re.findall(r"\]\(([^)]+)\)", text)]
        assert links
        assert all((LABS / link).exists() for link in links)


class TestPromptCaching:
    def test_prices_and_floors_are_those_of_the_tests_own_table(self, runs: dict[str, Any]) -> None:
        given = found(runs, CACHING)["floors"]
        for model, name in zip((HAIKU_4_5, SONNET_4_6, HAIKU_5_5, SONNET_5_5), given, strict=True):
            tier = model.price.tier_for(1)
            assert tier.cache_read is not None
            assert given[name] == {
                "floor": model.cache.floor_tokens,
                "input": float(tier.input),
                "read": float(tier.cache_read),
                "write 5 min": float(tier.cache_write_5m or 0),
                "write 1 h": float(tier.cache_write_1h or 0),
                "output": float(tier.output),
            }

    def test_caching_pays_from_the_second_call_and_for_an_hour_from_the_third(self, runs: dict[str, Any]) -> None:
        for line in found(runs, CACHING)["break_even"].values():
            assert line == {"TTL 5 min: pays from call": 2, "TTL 1 h: pays from call": 3}

    def test_the_wire_does_what_its_labels_say(self, runs: dict[str, Any]) -> None:
        lines = found(runs, CACHING)["wire"]
        written = ["written" if line["written"] else "read" if line["read"] else "fresh" for line in lines]
        assert written == ["written", "read", "read", "read", "written", "written", "read", "fresh", "fresh"]
        # Nothing is counted twice: fresh, read and written add up to the same prompt on each call of one model.
        assert len({sum(line.values()) for line in lines[:5]}) == 1
        assert 1_024 <= lines[0]["written"] < 4_096

    def test_v3_writes_its_head_once_and_the_bill_counts_it(self, runs: dict[str, Any]) -> None:
        told = found(runs, CACHING)
        v2, v3 = told["v2"][-1], told["v3"][-1]
        assert (v2["cache_read"], v2["cache_write"]) == (0, 0)
        assert 1_024 <= v3["cache_write"] < 4_096, "Sonnet caches the head, Haiku could not"
        assert v3["cache_read"] % v3["cache_write"] == 0
        for totals in (v2, v3):
            usage = Usage(
                input_tokens=totals["input"],
                cache_read_tokens=totals["cache_read"],
                cache_write_5m_tokens=totals["cache_write"],
                output_tokens=totals["output"],
            )
            assert totals["cost_pico_usd"] == cost_of(usage, SONNET_4_6.price).total_pico
        assert told["change"] == pytest.approx(v3["cost_usd"] - v2["cost_usd"])

    @pytest.mark.parametrize("cell", ["ask", "ask-v3", "compare"])
    def test_its_tables_say_that_models_are_simulated(self, runs: dict[str, Any], cell: str) -> None:
        assert text_of(runs[CACHING], cell).startswith("simulated models")

    def test_prices_in_the_text_are_those_of_the_table(self, runs: dict[str, Any]) -> None:
        floors = found(runs, CACHING)["floors"]
        text = text_of(runs[CACHING], "next-text")
        sonnet, haiku = floors["Claude Sonnet 4.6"]["read"], floors["Claude Haiku 4.5"]["input"]
        assert f"\\${sonnet:.2f} a million" in text
        assert f"(\\${haiku:.2f})" in text
        assert sonnet < haiku

    def test_live_the_same_cells_run_on_what_boto3_is_configured_for(self, runs: dict[str, Any]) -> None:
        live = runs[LIVE_DOUBLE]
        assert problems(live) == []
        assert text_of(live, "start").startswith("LIVE: Amazon Bedrock in us-east-1. Every call from here on is billed")
        assert "simulated" not in text_of(live, "ask")
        assert found(runs, LIVE_DOUBLE)["simulated"] is False
        assert runs["live calls"] == 18


class TestRouting:
    def test_prices_in_the_text_are_those_of_the_table(self, runs: dict[str, Any]) -> None:
        table = found(runs, ROUTING)["table"]
        cheap, capable = table["Claude Haiku 4.5"], table["Claude Sonnet 4.6"]
        text = " ".join(text_of(runs[ROUTING], "why-not-text").split())
        assert f"reads its head at \\${capable['cache read']:.2f}" in text
        assert f"Haiku 4.5 takes \\${cheap['input']:.2f}" in text
        assert f"caches nothing below {cheap['cache floor']:,} tokens" in text
        # "a third (Haiku 4.5) or a twentieth (Haiku 5.5)"
        assert capable["input"] == 3 * cheap["input"]
        assert table["Claude Sonnet 5.5"]["input"] == pytest.approx(20 * table["Claude Haiku 5.5"]["input"])

    def test_the_three_classifiers_are_asked_about_look_alikes_and_differ(self, runs: dict[str, Any]) -> None:
        judged = found(runs, ROUTING)["judged"]
        assert list(judged) == ["keyword", "embedding", "llm", "length rule"]
        labels = zip(judged["keyword"], judged["embedding"], judged["llm"], strict=True)
        differ = sum(len(set(three)) > 1 for three in labels)
        assert differ > 0
        assert f"they differ on {differ} of 20 queries" in text_of(runs[ROUTING], "judge")

    def test_a_word_that_merely_holds_the_label_is_none(self, runs: dict[str, Any]) -> None:
        lines = [line.split() for line in text_of(runs[ROUTING], "parse").splitlines()[1:]]
        assert [line[-1] for line in lines] == ["simple", "complex", "none", "none", "none", "none"]

    def test_the_five_prompts_are_asked_and_each_is_taken_by_the_model_of_its_label(self, runs: dict[str, Any]) -> None:
        taken = found(runs, ROUTING)["taken"]
        assert [(one["query"], one["expected"]) for one in taken] == [(one.title, one.label) for one in TEST_PROMPTS]
        assert [one["expected"] for one in taken].count("simple") == 3
        for one in taken:
            capable = one["label"] == "complex"
            assert one["model"] == ("Claude Sonnet 4.6" if capable else "Claude Haiku 4.5")
            assert one["reason"] == ("cheapest_below_bar" if capable else "cheapest_clears_bar")
        right = sum(one["label"] == one["expected"] for one in taken)
        assert text_of(runs[ROUTING], "five").startswith(f"simulated models; {right} of 5 labels are as expected")

    def test_the_bill_is_that_of_the_tokens_with_writes(self, runs: dict[str, Any]) -> None:
        told = found(runs, ROUTING)
        *turns, totals = told["bill"]
        for turn in turns:
            price = (SONNET_4_6 if "sonnet" in turn["model"] else HAIKU_4_5).price
            usage = Usage(
                input_tokens=turn["input"],
                cache_read_tokens=turn["cache_read"],
                cache_write_5m_tokens=turn["cache_write"],
                output_tokens=turn["output"],
            )
            assert turn["cost_pico_usd"] == cost_of(usage, price).total_pico
            assert turn["simulated"] is True
        assert totals["cost_pico_usd"] == sum(turn["cost_pico_usd"] for turn in turns)
        assert totals["cache_write"] > 0, "the bill of this run has a write in it"
        # "Haiku caches nothing of this head"
        assert all(turn["cache_read"] == turn["cache_write"] == 0 for turn in turns if "haiku" in turn["model"])

    def test_the_comparison_also_counts_a_classifier_on_haiku(self, runs: dict[str, Any]) -> None:
        told = found(runs, ROUTING)
        cost, repriced = ([Decimal(value) for value in told[name]] for name in ("cost", "repriced"))
        assert repriced[0] == cost[0]
        assert repriced[1] - cost[1] == 5 * (400 * Decimal(1) + 5 * Decimal(5)) / 1_000_000
        assert text_of(runs[ROUTING], "v3").startswith("simulated models")
        assert "input" in text_of(runs[ROUTING], "v3")

    def test_input_goes_up_as_the_text_says(self, runs: dict[str, Any]) -> None:
        (line,) = [line for line in text_of(runs[ROUTING], "v3").splitlines() if line.startswith("│ input")]
        assert "+" in line

    def test_the_floors_do_what_the_text_reads_out_of_them(self, runs: dict[str, Any]) -> None:
        table = {int(head): line for head, line in found(runs, ROUTING)["floor_table"].items()}
        for head, line in table.items():
            assert (line["Haiku 4.5 warm"] == line["Haiku 4.5 cold"]) == (head < HAIKU_4_5.cache.floor_tokens)
            assert (line["Sonnet 4.6 warm"] == line["Sonnet 4.6 cold"]) == (head < SONNET_4_6.cache.floor_tokens)
        # by hand: 6,000 written at 1.25, 20 fresh at 1, 300 out at 5; and 6,000 read at 0.30, 20 fresh at 3, 300 at 15
        assert table[6_000]["Haiku 4.5 cold"] == pytest.approx((6_000 * 1.25 + 20 + 300 * 5) / 1e6)
        assert table[6_000]["Sonnet 4.6 warm"] == pytest.approx((6_000 * 0.3 + 20 * 3 + 300 * 15) / 1e6)
        text = " ".join(text_of(runs[ROUTING], "floors-read").split())
        assert "a warm Sonnet (\\$0.0064) costs less than a cold Haiku (\\$0.0090)" in text
        assert table[4_096]["Haiku 4.5 cold"] > (4_116 + 300 * 5) / 1e6, "a write is dearer than no cache point"

    def test_a_warm_capable_model_is_chosen_without_asking(self, runs: dict[str, Any]) -> None:
        decided = {(one["Haiku 4.5 is"], one["Sonnet 4.6 is"]): one for one in found(runs, ROUTING)["decided"]}
        asked_none = decided.pop(("cold", "warm"))
        assert (asked_none["chosen"], asked_none["reason"]) == ("Claude Sonnet 4.6", "verdict_not_needed")
        assert {(one["chosen"], one["reason"]) for one in decided.values()} == {
            ("Claude Haiku 4.5", "cheapest_clears_bar")
        }

    def test_what_the_outcomes_say_is_what_the_text_says(self, runs: dict[str, Any]) -> None:
        told = found(runs, ROUTING)
        gained = {name: line["recovered, mean"] for name, line in told["gained"].items()}
        assert told["outcomes"] == 465
        # "no better than blind here"
        assert max(gained["keyword (labels)"], gained["embedding (labels)"]) < 0.51
        # "above the blind line on every draw, and far below the oracle"
        learned = told["gained"]["learned from outcomes"]
        assert learned["lowest"] > 0.5
        assert learned["highest"] < told["gained"]["oracle: knows all grades"]["lowest"] - 0.15
        # "The bar did not quite hold"
        value, low, high = told["score"]
        assert low < value < told["wanted"]
        assert high > value
        # "barely told from nothing"
        value, low, high = told["over_random"]
        assert -0.01 < low < 0.01 < value < high
        assert "did not quite hold" in text_of(runs[ROUTING], "outcomes-read")

    def test_it_is_served_and_stopped(self, runs: dict[str, Any]) -> None:
        assert "label: simulated models" in text_of(runs[ROUTING], "serve")
        assert text_of(runs[ROUTING], "close").strip() == "served no more: True"


def test_the_outcomes_are_whole() -> None:
    lines = (LABS / "data" / "outcomes_crux.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert len({record["prompt"] for record in records}) == len(records) == 465
    prices = {"claude-3-haiku-20240307": (0.25, 1.25), "claude-3-5-sonnet-20241022": (3.0, 15.0)}
    for record in records:
        assert (record["tokens_source"], record["cost_source"]) == ("estimated", "estimated")
        assert [answer["model"] for answer in record["answers"]] == list(prices)
        for answer in record["answers"]:
            price_in, price_out = prices[answer["model"]]
            usd = (answer["input_tokens"] * price_in + answer["output_tokens"] * price_out) / 1e6
            assert answer["cost_usd"] == pytest.approx(usd, abs=1e-9)
            assert answer["score"] in (0.0, 1.0)
    notice = (LABS / "data" / "NOTICE.md").read_text(encoding="utf-8")
    assert "Apache License 2.0" in notice
    assert "Copyright (c) 2023 Meta" in notice


def test_links_of_the_map_are_good() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (LABS / "README.md").read_text(encoding="utf-8"))
    assert [link for link in links if not (LABS / Path(link)).exists()] == []
    assert set(NAMES) <= set(links)
