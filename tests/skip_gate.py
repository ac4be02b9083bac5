"""Fails a run whose skips are not the allowed ones.

A test may skip only if it needs something that a machine may lack, and only if ``allowed_skips.toml`` lists it with the
reason::

    [[skip]]
    test = "tests/examples/test_chart.py::test_fonts"   # a test, a file, a class, or one parametrised case
    reason = "needs a font that Debian does not install"

A skip (or expected failure) without an entry fails the run, and so does an entry whose test is no longer there; the
latter is looked at only where the whole suite was collected.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

_NARROWING_OPTIONS = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "last_failed_no_failures_x")


def read_allowed(path: Path) -> dict[str, str]:
    """Read the entries of the file: the start of a test's id, and the reason.

    Raises:
        ValueError: An entry has another key, an empty value, or stands there twice.
    """
    allowed: dict[str, str] = {}
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("skip", []):
        test, reason = entry.get("test"), entry.get("reason")
        if set(entry) != {"test", "reason"} or not test or not reason:
            raise ValueError(f"{path}: an entry has exactly `test` and `reason`, both filled: {entry}")
        if test in allowed:
            raise ValueError(f"{path}: {test} stands there twice")
        allowed[test] = reason
    return allowed


def install(config: pytest.Config, path: Path) -> None:
    """Hold the skips of a run against the list at ``path``: in the process that hears of every test, and only there.

    Where pytest-xdist runs the tests in processes of its own, that is the one that started them.
    """
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(SkipGate(config, path), "skip-gate")


def covers(entry: str, test_id: str) -> bool:
    """Whether an entry means that test: the very id, or a file, class or function that the test is part of."""
    return test_id == entry or test_id.startswith((f"{entry}::", f"{entry}["))


class SkipGate:
    """Collects what was skipped, and holds it against the list when the run ends."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        """Read the list at ``path`` for the run of ``config``."""
        self._config = config
        self._path = path
        self._allowed = read_allowed(path)
        self._collected: Sequence[str] = ()
        self._skipped: dict[str, str] = {}
        self._findings: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note which tests there are."""
        self._collected = [item.nodeid for item in session.items]

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Note which tests there are, where other processes collect and run them."""
        self._collected = ids

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skipped test, or one that failed as expected."""
        if report.skipped:
            self._skipped[report.nodeid] = str(getattr(report, "wasxfail", "") or _reason(report))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that skipped itself."""
        if report.skipped:
            self._skipped[report.nodeid] = _reason(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Compare, and turn a passing run that differs from the list into a failing one."""
        for test_id, reason in sorted(self._skipped.items()):
            if not any(covers(entry, test_id) for entry in self._allowed):
                self._findings.append(f"skipped, but not listed: {test_id} ({reason})")
        if self._is_whole_suite(exitstatus):
            there = [*self._collected, *self._skipped]
            for entry in self._allowed:
                if not any(covers(entry, test_id) for test_id in there):
                    self._findings.append(f"listed, but no such test: {entry}")
        if self._findings and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was skipped and what differs."""
        if not self._skipped and not self._findings:
            return
        terminalreporter.section(f"skips, held against {self._path.name}")
        for test_id, reason in sorted(self._skipped.items()):
            terminalreporter.line(f"skipped: {test_id} ({reason})")
        for finding in self._findings:
            terminalreporter.line(f"FAILED {finding}", red=True)

    def _is_whole_suite(self, exitstatus: int) -> bool:
        """Whether every test was collected, so that a missing one is really gone."""
        narrowed = any(self._config.getoption(name, None) for name in _NARROWING_OPTIONS)
        whole = self._config.args_source is pytest.Config.ArgsSource.TESTPATHS
        return whole and not narrowed and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The reason that a skip gave."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")
