import hashlib
import re

from turnout.evaluate.report import assets


def test_the_chart_library_is_the_published_one() -> None:
    vendored = (assets.HERE / "vendor" / "chart.umd.min.js").read_bytes()
    assert hashlib.sha256(vendored).hexdigest() == assets.CHART_JS_SHA256
    assert f"Chart.js v{assets.CHART_JS_VERSION}".encode() in vendored[:200]
    readme = (assets.HERE / "vendor" / "README.md").read_text(encoding="utf-8")
    assert f"Chart.js {assets.CHART_JS_VERSION}" in readme
    assert assets.CHART_JS_SHA256 in readme


def test_what_goes_into_a_page_cannot_end_its_element() -> None:
    assert "</script" not in assets.chart_js().lower() + assets.script().lower()
    assert "</style" not in assets.style().lower()
    assert "-->" not in assets.chart_js_license()


def test_a_browser_looks_for_no_source_map() -> None:
    assert "sourceMappingURL" not in assets.chart_js()
    assert assets.chart_js().startswith("/*!")


def test_light_and_dark_and_print_are_styled() -> None:
    for query in ("prefers-color-scheme: dark", "@media print", "max-width: 40rem"):
        assert query in assets.style()
    assert not re.search(r"https?:", assets.script())


def test_the_licence_is_there() -> None:
    assert "The MIT License (MIT)" in assets.chart_js_license()
