from collections.abc import Callable
from pathlib import Path

import pytest

from turnout.cli.app import call

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
