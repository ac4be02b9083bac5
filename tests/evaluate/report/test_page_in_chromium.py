"""The page in a real browser: silent on the console, charts drawn, no wider than a phone, nobody's text run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.report.conftest import MakeReport
from tests.evaluate.report.hostile import HOSTILE
from tests.evaluate.report.runs import ALONE, run_of
from turnout.evaluate.report.charts import charts_of
from turnout.evaluate.report.data import Report
from turnout.evaluate.report.page import page

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright, which is large")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

# As root Chromium starts without its sandbox only; the rest keeps it from the network.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

INK = """canvas => {
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const colours = new Set();
    for (let at = 0; at < data.length; at += 4) {
        if (data[at + 3] === 255) colours.add(data[at] * 65536 + data[at + 1] * 256 + data[at + 2]);
    }
    return colours.size;
}"""


class Opened:
    """A page in the browser, and what it said and asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        if not url.startswith("file:"):
            self.said.append(f"request: {url}")

    def ask(self, script: str) -> Any:
        return self.page.evaluate(script)

    @property
    def colours(self) -> list[int]:
        """How many colours each canvas shows."""
        return [canvas.evaluate(INK) for canvas in self.page.query_selector_all("canvas")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens a report in a window of that size."""
    contexts = []

    def opened(report: Report, *, width: int = 1280, height: int = 900, scheme: str = "light") -> Opened:
        path = tmp_path / "report.html"
        path.write_text(page(report), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.goto(path.as_uri())
        return found

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (320, "dark")])
def test_charts_are_drawn_in_silence_and_nothing_is_wider_than_the_window(
    show: Any, two: Report, width: int, scheme: str
) -> None:
    opened = show(two, width=width, scheme=scheme)
    assert opened.ask("document.documentElement.dataset.drawn") == str(len(charts_of(two)))
    assert all(colours > 3 for colours in opened.colours)
    assert opened.ask("document.documentElement.scrollWidth") <= width
    assert opened.said == []


@pytest.mark.parametrize("width", [1280, 320])
def test_costs_that_are_not_exact_fit_too(show: Any, report_of: MakeReport, width: int) -> None:
    cut = run_of("demo-v4", usage_source="estimated", cost_high_pico=10**12)
    opened = show(report_of(run_of("demo-v3", ALONE), cut), width=width)
    assert all(colours > 3 for colours in opened.colours)
    assert opened.ask("document.documentElement.scrollWidth") <= width
    assert opened.said == []


def test_many_runs_with_long_names_fit_a_phone(show: Any, report_of: MakeReport) -> None:
    long = "a-very-long-name-without-any-place-to-break" * 2
    runs = [run_of(f"{number}{long}", queries=(f"{long}{number}", "q")) for number in range(4)]
    opened = show(report_of(*runs), width=390)
    assert opened.ask("document.documentElement.scrollWidth") <= 390
    assert opened.said == []


def test_it_is_dark_where_the_reader_wants_it_so(show: Any, two: Report) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    assert show(two, scheme="light").ask(paper) == "rgb(255, 255, 255)"
    assert show(two, scheme="dark").ask(paper) == "rgb(20, 24, 29)"


def test_it_prints_in_light_colours_and_is_as_it_was_afterwards(show: Any, two: Report) -> None:
    opened = show(two, scheme="dark")
    width = "document.getElementById('plot-cost').getBoundingClientRect().width"
    before = opened.ask(width)
    opened.ask("window.addEventListener('beforeprint', () => { window.printed = Chart.getChart('plot-cost').width; })")
    pdf = opened.page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert opened.ask("window.printed") == 680
    assert opened.ask(width) == before
    assert opened.ask("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    assert opened.said == []


def test_tables_open_by_the_keyboard(show: Any, two: Report) -> None:
    opened = show(two)
    opened.page.focus("summary")
    opened.page.keyboard.press("Enter")
    assert opened.ask("document.querySelector('details').open")


def test_somebody_elses_text_is_never_run(show: Any, report_of: MakeReport) -> None:
    queries = tuple(text.replace("\x00", "") for text in HOSTILE)
    report = report_of(*(run_of(f"{number}{queries[number]}", ALONE, queries=queries) for number in range(2)))
    opened = show(report)
    opened.page.hover("canvas")
    opened.page.hover("h1")
    assert opened.ask("window.taken") is None
    assert opened.ask("document.images.length") == 0
    assert opened.ask("document.documentElement.dataset.drawn") == "5"
    assert opened.said == []


def test_a_script_from_elsewhere_is_refused(show: Any, two: Report) -> None:
    opened = show(two)
    opened.ask("""() => {
        const script = document.createElement("script");
        script.textContent = "window.taken = 1";
        document.body.append(script);
    }""")
    assert opened.ask("window.taken") is None
    assert any("Content Security Policy" in line for line in opened.said)
