from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.testing.langfuse.contract import checked
from turnout.cli.app import call
from turnout.testing.langfuse import LangfuseDouble

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def turnout(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command line in an empty folder, with a ledger of its own, and gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNOUT_LEDGER", str(tmp_path / "ledger.sqlite3"))

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = call(list(arguments))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def langfuse() -> Iterator[LangfuseDouble]:
    """A Langfuse whose exchanges are held against its published API."""
    with checked(LangfuseDouble()) as double:
        yield double
