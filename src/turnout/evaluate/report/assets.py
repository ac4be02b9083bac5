"""The files that go into every page: style, script, and the chart library with its licence."""

from __future__ import annotations

from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent

CHART_JS_VERSION = "4.6.1"
"""The version of Chart.js that stands in ``vendor/``."""

CHART_JS_SHA256 = "87364cc2b2a76a6684929e7d6b80b18a897794db38400caff1fcf1791c6925d2"
"""SHA-256 of that file, as it was published."""


@cache
def style() -> str:
    """The style sheet of the page."""
    return _text("page.css")


@cache
def script() -> str:
    """The script that draws the charts."""
    return _text("page.js")


@cache
def chart_js() -> str:
    """Chart.js, without the line that would have a browser look for its source map."""
    lines = _text("vendor/chart.umd.min.js").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("//# sourceMappingURL="))


@cache
def chart_js_license() -> str:
    """The licence that Chart.js comes under; it goes into every copy."""
    return _text("vendor/LICENSE-chartjs.md")


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
