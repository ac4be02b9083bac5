"""A report as one HTML page that stands for itself: no network, no other file; it prints well and fits a phone.

Whatever comes from the ledger is escaped, in the document and in the data of the charts. A policy in the page
(Content-Security-Policy) lets the browser run the two scripts that stand in it and nothing else, and load nothing.

Where a simulated model had a part, the page says so on top, and every section, chart and table says it again.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

import turnout
from turnout.core.cost import pico_to_usd
from turnout.evaluate.report.assets import CHART_JS_VERSION, chart_js, chart_js_license, script, style
from turnout.evaluate.report.charts import Chart, charts_of, shown
from turnout.evaluate.report.data import Report, ReportedRun
from turnout.trace.views.compare import Change, Comparison
from turnout.trace.views.exactness import cost_range
from turnout.trace.views.exactness_text import bounded_usd, comparison_notes, exactness_line, exactness_note
from turnout.trace.views.figures import between, percent, signed, usd, usd_range
from turnout.trace.views.tables import SIMULATED

_WIDE = ("cost", "latency", "spend")
_WARNING = (
    "{which}: their answers, their tokens and so their costs come from a double, not from a provider. Such figures "
    "show how decisions are made and how costs are counted. They show nothing about quality, latency or savings."
)


def page(report: Report) -> str:
    """The page."""
    charts = charts_of(report)
    one = len(report.runs) == 1
    title = "Turnout report: " + ", ".join(run.run.name if one else run.short for run in report.runs)
    full = f"{SIMULATED} · {title}" if report.simulated else title
    data = _data(charts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="turnout {text(turnout.__version__)}">
<title>{text(full)}</title>
<!--
Chart.js {CHART_JS_VERSION}, which draws the charts of this page:
{text(chart_js_license())}
-->
<style>{style()}</style>
</head>
<body>
<header>
<h1>{text(title)}</h1>
<p class="soft">Made {_moment(report.made_ms)} by Turnout {text(turnout.__version__)}.</p>
{_warning(report)}
{_runs(report)}
</header>
<main>
{_summary(report)}
{_comparison(report)}
<div class="grid">
{"".join(_figure(chart) for chart in charts)}
</div>
{_missing(report)}
{_method(report)}
</main>
<footer><p>Every figure comes from the ledger's events; money is counted in whole units of 1e-12 USD.</p></footer>
<noscript><p class="warning">Without scripts no charts are drawn; each one's figures stand in a table below it.</p>
</noscript>
<script type="application/json" id="charts">{data}</script>
<script>{chart_js()}</script>
<script>{script()}</script>
</body>
</html>
"""


def text(value: str) -> str:
    """Somebody's text as HTML: escaped, without control characters, in an element or an attribute alike."""
    return html.escape("".join(one if one.isprintable() or one == "\n" else "�" for one in value), quote=True)


def _policy() -> str:
    allowed = " ".join(_hash(source) for source in (chart_js(), script()))
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style())}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _data(charts: Sequence[Chart]) -> str:
    """The charts as JSON that cannot end the element it stands in, nor be taken for HTML."""
    json = msgspec.json.encode(charts).decode()
    for character in "<>&\u2028\u2029":
        json = json.replace(character, f"\\u{ord(character):04x}")
    return json


def _warning(report: Report) -> str:
    if not report.simulated:
        return ""
    some = ", ".join(run.short for run in report.runs if run.simulated)
    whole = all(run.simulated for run in report.runs)
    which = "The models of this report were simulated" if whole else f"The models of {some} were simulated"
    warning = text(_WARNING.format(which=which))
    return f'<p class="warning" role="note"><strong>{text(SIMULATED.capitalize())}.</strong> {warning}</p>'


def _runs(report: Report) -> str:
    """The names of the runs in full, with what somebody wrote about them."""
    items = []
    for run in report.runs:
        models = "simulated models" if run.simulated else "real models"
        about = [run.run.name, models, f"began {_moment(run.run.created_ms)}", run.run.note]
        about += [f"{name}: {value}" for name, value in run.run.labels.items()]
        items.append(f"<dt>{text(run.short)}</dt><dd>{text(' · '.join(part for part in about if part))}</dd>")
    return f"<dl>{''.join(items)}</dl>"


def _label(simulated: bool) -> str:
    return f'<span class="label">{text(SIMULATED)}</span>' if simulated else ""


def _section(heading: str, simulated: bool, body: str) -> str:
    return f"<section><h2>{_label(simulated)}{text(heading)}</h2>\n{body}</section>\n"


def _table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{text(heading)}</th>' for heading in headings)
    body = "".join(
        f'<tr><th scope="row" class="name">{text(first)}</th>'
        + "".join(f"<td>{text(cell)}</td>" for cell in rest)
        + "</tr>\n"
        for first, *rest in rows
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{text(caption)}"><table>'
        f'<caption class="soft">{text(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )


def _summary(report: Report) -> str:
    settled = all(run.metrics.totals.exactness.settled for run in report.runs)
    columns = [_summary_column(run, settled=settled) for run in report.runs]
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    caption = "totals of each run" + (f" ({SIMULATED})" if report.simulated else "")
    return _section("Summary", report.simulated, _table(caption, ["", *(run.short for run in report.runs)], rows))


def _summary_column(run: ReportedRun, *, settled: bool) -> dict[str, str]:
    """The figures of one run; where any run has costs that are not exact, every column has their parts."""
    totals, usage, cost = run.metrics.totals, run.metrics.totals.usage, run.metrics.totals.range
    known = totals.exactness
    parts = {"of which exact": "–", "of which bounded": "–", "how exact": exactness_note(known) or "–"}
    if not known.settled:
        parts = {
            "of which exact": f"{_usd(cost.exact_pico)} ({known.exact_calls:,} calls)",
            "of which bounded": f"{bounded_usd(cost)} $ ({known.inexact_calls:,} calls)",
            "how exact": exactness_line(cost, known),
        }
    if settled:
        parts = {"how exact": parts["how exact"]}
    classifier = cost_range(totals.classifier_cost.total_pico, totals.classifier_exactness)
    alone = "–"
    if run.not_routing is not None:
        alone = _usd(sum(run.not_routing.turns.values()))
        if run.not_routing.kept:
            alone += f" ({run.not_routing.kept} of {run.not_routing.calls} calls as they were)"
    return {
        "models": "simulated" if run.simulated else "real",
        "turns answered": f"{totals.answered:,} of {totals.turns:,}",
        "cost": f"{usd_range(cost)} $",
        **parts,
        "of which classifier": f"{usd_range(classifier)} $",
        "if not routed (computed)": alone,
        "mean latency": "n/a (simulated)" if run.simulated else shown(_seconds(totals.latency_ms), "s"),
        "mean classifier time": "–" if totals.classifier_ms is None else f"{totals.classifier_ms:,.1f} ms",
        "mean decision time": "–" if totals.decision_ms is None else f"{totals.decision_ms:,.2f} ms",
        "input tokens": f"{usage.input_tokens:,}",
        "output tokens": f"{usage.output_tokens:,}",
        "cache read tokens": f"{usage.cache_read_tokens:,}",
        "cache write tokens": f"{usage.cache_write_tokens:,}",
    }


def _comparison(report: Report) -> str:
    found = report.comparison
    if found is None:
        return ""
    before, after = (run.short for run in report.runs)
    rows = [_change("cost $", found.cost, 6)]
    if (bounds := found.bounds) is not None:
        ends = (between(end, 6) for end in (bounds.before, bounds.after))
        percents = between(bounds.percent, 1, sign=True, unit=" %")
        rows = [("cost $", *ends, between(bounds.difference, 6, sign=True), percents)]
    if found.latency is not None:
        rows.append(_change("mean latency s", found.latency, 2))
    for name, change in (
        ("input tokens", found.input),
        ("output tokens", found.output),
        ("cache read tokens", found.cache_read),
        ("cache write tokens", found.cache_write),
    ):
        rows.append(_change(name, change, 0))
    caption = f"{after} held against {before}" + (f" ({SIMULATED})" if report.simulated else "")
    body = _table(caption, ["", before, after, "change", "change %"], rows)
    return _section(f"{before} → {after}", report.simulated, body + _notes(found))


def _notes(comparison: Comparison) -> str:
    notes = [comparison.note, *comparison_notes(comparison)]
    if comparison.interval is not None:
        interval = comparison.interval
        low, mean, high = (signed(value, 6) for value in (interval.low, interval.mean, interval.high))
        notes.append(f"Mean change of cost by query: {mean} $, {interval.level} interval {low} to {high} $.")
    for what, names in (
        ("only before", comparison.unmatched_before),
        ("only after", comparison.unmatched_after),
        ("left out, not answered in both", comparison.unanswered),
    ):
        if names and comparison.basis == "matched":
            notes.append(f"{what}: {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}")
    return "".join(f'<p class="soft">{text(note)}</p>\n' for note in notes)


def _change(name: str, change: Change, digits: int) -> tuple[str, ...]:
    before, difference = change.before, change.difference
    if before is None or difference is None:
        return name, "–", usd(change.after, digits), "–", "–"
    return name, usd(before, digits), usd(change.after, digits), signed(difference, digits), percent(change)


def _figure(chart: Chart) -> str:
    headings = [chart.axis, *(series.name for series in chart.series)]
    rows = [
        (label, *(shown(series.values[place], chart.unit) for series in chart.series))
        for place, label in enumerate(chart.labels)
    ]
    caption = chart.title + (f" ({SIMULATED})" if chart.simulated else "")
    wide = ' class="wide"' if chart.id in _WIDE else ""
    low = " low" if chart.kind == "shares" else ""
    described = f"{caption}. The figures stand in the table below it."
    return f"""<figure{wide} aria-labelledby="title-{chart.id}">
<h2 id="title-{chart.id}">{_label(chart.simulated)}{text(chart.title)}</h2>
<div class="plot{low}"><canvas id="plot-{chart.id}" role="img" aria-label="{text(described)}"></canvas></div>
<figcaption>{text(chart.note)}</figcaption>
<details><summary>The figures as a table</summary>
{_table(caption, headings, rows)}</details>
</figure>
"""


def _missing(report: Report) -> str:
    if not report.simulated:
        return ""
    body = "<p>The latency of simulated models says nothing about that of real ones, so it is not shown.</p>\n"
    return _section("Latency per query", True, body)


def _method(report: Report) -> str:
    if not any(run.not_routing is not None for run in report.runs):
        return ""
    models = list(dict.fromkeys(run.not_routing.model for run in report.runs if run.not_routing is not None))
    named = ", ".join(report.name(model) for model in models)
    body = (
        "<p>Computed, not measured: the same calls, in the same order, on the most capable candidate alone "
        f"({text(named)}), with its own cache floors, TTLs and prices, and without a classifier. It assumes as many "
        "calls and answers of the same length. A call whose tokens were not reported, or that this model could not "
        "have served, counts at what it did cost. How good the answers would have been is not known.</p>\n"
    )
    return _section("How “if not routed” is computed", report.simulated, body)


def _usd(pico: int) -> str:
    return f"{usd(pico_to_usd(pico), 6)} $"


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
