from __future__ import annotations

import base64
import hashlib
import json
import re

import msgspec
import pytest

from tests.evaluate.report.conftest import MakeReport
from tests.evaluate.report.hostile import HOSTILE
from tests.evaluate.report.html_tree import Element, tree
from tests.evaluate.report.runs import ALONE, run_of
from turnout.evaluate.report.charts import charts_of
from turnout.evaluate.report.data import Report
from turnout.evaluate.report.page import page, text

LABEL = "simulated models"


def shown(report: Report) -> Element:
    """What people see: the body without the scripts."""
    root = tree(page(report))
    return next(root.every("body"))


def texts(element: Element) -> list[tuple[Element, str]]:
    """Every piece of text that is shown, with the element it stands in."""
    found = []
    for inner in element.every():
        if inner.tag not in ("script", "style"):
            found += [(inner, part) for part in inner.parts if isinstance(part, str)]
    return found


def test_it_needs_nothing_but_itself(two: Report) -> None:
    root = tree(page(two))
    names = {"src", "href", "action", "data", "srcset", "poster"}
    assert [element.tag for element in root.every() if names & set(element.attributes)] == []
    assert [element.tag for element in root.every() if element.tag in ("link", "img", "iframe", "object")] == []
    assert "@import" not in next(root.every("style")).text
    assert "url(" not in next(root.every("style")).text
    assert not re.search(r"sourceMappingURL", page(two))


def test_the_policy_allows_the_scripts_that_stand_there_and_nothing_else(two: Report) -> None:
    root = tree(page(two))
    [policy] = [
        element.attributes["content"]
        for element in root.every("meta")
        if element.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"

    def digest(element: Element) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()}'"

    scripts = [element for element in root.every("script") if element.attributes.get("type") != "application/json"]
    assert rules["script-src"].split() == [digest(script) for script in scripts]
    assert rules["style-src"] == digest(next(root.every("style")))
    assert [name for element in root.every() for name in element.attributes if name.startswith("on")] == []
    assert [element.tag for element in root.every() if "style" in element.attributes] == []


def test_simulated_models_are_labelled_everywhere(two: Report) -> None:
    body = shown(two)
    assert next(tree(page(two)).every("title")).text.startswith(LABEL)
    assert "Simulated models." in next(body.every("header")).text
    blocks = [element for element in body.every() if element.tag in ("section", "figure")]
    assert len(blocks) == len(charts_of(two)) + 4
    assert all(LABEL in next(block.every("h2")).text for block in blocks)
    assert all(LABEL in table.text for table in body.every("caption"))
    assert all(LABEL in canvas.attributes["aria-label"] for canvas in body.every("canvas"))


def test_no_percentage_stands_outside_a_labelled_block(two: Report) -> None:
    percentages = [(element, part) for element, part in texts(shown(two)) if "%" in part]
    assert percentages
    for element, part in percentages:
        block = next((above for above in [element, *element.above()] if above.tag in ("section", "figure")), None)
        assert block is not None, part
        assert LABEL in next(block.every("h2")).text


def test_real_models_are_not_labelled_as_simulated(real: Report) -> None:
    seen = "".join(part for _, part in texts(shown(real)))
    assert LABEL not in seen
    assert "Latency per query" in seen
    assert "n/a" not in seen


def test_a_mixed_report_names_the_simulated_run(report_of: MakeReport) -> None:
    body = shown(report_of(run_of("r-real", simulated=False), run_of("r-made-up")))
    assert "The models of made-up were simulated" in next(body.every("header")).text


def test_every_chart_has_its_figures_in_a_table(two: Report) -> None:
    figures = list(shown(two).every("figure"))
    for chart, figure in zip(charts_of(two), figures, strict=True):
        [canvas] = figure.every("canvas")
        assert (canvas.attributes["id"], canvas.attributes["role"]) == (f"plot-{chart.id}", "img")
        assert figure.attributes["aria-labelledby"] == next(figure.every("h2")).attributes["id"]
        rows = list(next(figure.every("tbody")).every("tr"))
        assert [next(row.every("th")).text for row in rows] == list(chart.labels)
        assert all(len(list(row.every("td"))) == len(chart.series) for row in rows)
    assert "0.009060 $" in figures[0].text


def test_the_data_of_the_charts_is_theirs(two: Report) -> None:
    [data] = [one for one in tree(page(two)).every("script") if one.attributes.get("type") == "application/json"]
    assert json.loads(data.text) == json.loads(msgspec.json.encode(charts_of(two)))


def test_two_runs_are_held_against_each_other(two: Report) -> None:
    [section] = [one for one in shown(two).every("section") if "v3 → v4" in one.text]
    cost = next(row for row in section.every("tr") if "cost $" in row.text)
    cells = [cell.text for cell in cost.every("td")]
    # 0.01923 on the capable model alone; the routed one by its own bills.
    assert cells[0] == "0.019230"
    assert re.fullmatch(r"[+-]\d+\.\d{6}", cells[2])
    assert "5 queries, fewer than 10" in section.text


def test_what_was_not_reported_is_told(report_of: MakeReport) -> None:
    body = shown(report_of(run_of("a", usage_source="estimated", cost_high_pico=10**12)))
    rows = [row for row in body.every("tr") if list(row.every("td"))]
    summary = {next(row.every("th")).text: next(row.every("td")).text for row in rows}
    assert summary["cost"].endswith(" to 5.000000 $")
    assert summary["of which exact"] == "0.000000 $ (0 calls)"
    assert summary["of which bounded"].endswith(" to 5.000000 $ (5 calls)")
    assert "5 calls (usage estimated 5)" in summary["how exact"]
    assert "Cost per query (at least)" in body.text
    assert "this run, at most" in body.text
    assert "(5 of 5 calls as they were)" in body.text


def test_exact_runs_say_so_once_each_without_rows_of_zeros(two: Report) -> None:
    seen = shown(two).text
    assert "exact: all 5 calls reported their usage, priced by the catalog" in seen
    assert "exact: all 10 calls reported their usage" in seen
    assert "bounded" not in seen
    assert "(at least)" not in seen


def test_the_change_of_bounded_costs_is_an_interval_on_the_page(report_of: MakeReport) -> None:
    cut = run_of("demo-v4", usage_source="partial", cost_high_pico=10**12)
    body = shown(report_of(run_of("demo-v3", ALONE), cut))
    [section] = [one for one in body.every("section") if "v3 → v4" in one.text]
    cost = next(row for row in section.every("tr") if "cost $" in row.text)
    cells = [cell.text for cell in cost.every("td")]
    assert cells[0] == "0.019230"
    assert cells[1].endswith(" to 5.000000")
    assert cells[2].endswith(" to +4.980770")
    assert cells[3].endswith(" %")
    assert "demo-v4: exact part 0.000000 $, 0 calls" in section.text
    mixed = next(one for one in body.every("section") if "Summary" in one.text)
    assert "exact: all 5 calls" in mixed.text


def test_a_cost_without_an_upper_bound_claims_none_on_the_page(report_of: MakeReport) -> None:
    body = shown(report_of(run_of("a", usage_source="none")))
    assert "at least" in next(row for row in body.every("tr") if row.text.startswith("cost")).text
    assert "without an upper bound" in body.text
    assert "at most" not in body.text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_from_the_ledger_stays_text(report_of: MakeReport, hostile: str) -> None:
    kept = hostile.replace("\x00", "")
    report = report_of(run_of(f"1-{kept}", ALONE, queries=(kept, "q")), run_of(f"2-{kept}", queries=(kept, "q")))
    report = msgspec.structs.replace(report, names={model: f"{hostile} {model}" for model in report.names})
    made = page(report)
    plain = page(report_of(run_of("plain-1", ALONE, queries=("p", "q")), run_of("plain-2", queries=("p", "q"))))
    # The same elements, whatever the text says, with the same attributes.
    outlines = [[(element.tag, sorted(element.attributes)) for element in tree(one).every()] for one in (made, plain)]
    assert outlines[0] == outlines[1]
    scripts = [element.text for element in tree(made).every("script")][1:]
    assert scripts == [element.text for element in tree(plain).every("script")][1:]
    assert "\x1b" not in made
    assert "\u2028" not in made


def test_text_is_escaped_for_elements_and_attributes() -> None:
    assert text('<a href="x">\'&\x00') == "&lt;a href=&quot;x&quot;&gt;&#x27;&amp;�"


def test_the_licence_of_the_chart_library_goes_along(two: Report) -> None:
    assert "The above copyright notice and this permission notice shall be included in all copies" in page(two)
