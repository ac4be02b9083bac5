from pathlib import Path

import pytest

from tests.cli.conftest import Run

CLONE = Path(__file__).parents[2]


@pytest.fixture
def demo(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `turnout demo` in the clone."""
    monkeypatch.chdir(CLONE)
    return lambda *options: turnout("demo", *options)


def test_help_is_the_demonstrations_own(demo: Run) -> None:
    code, out, err = demo("--help")
    assert (code, err) == (0, "")
    assert "Usage: turnout demo [OPTIONS]" in out
    for option in ("--live", "--local", "--base-url", "--ledger"):
        assert option in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--no-such-option"], "No such option: --no-such-option"),
        (["--live", "--local"], "choose one of --live, --local and --base-url"),
        (["extra"], "extra"),
    ],
)
def test_options_are_passed_on_and_mistakes_are_one_line(demo: Run, options: list[str], message: str) -> None:
    code, out, err = demo(*options)
    assert (code, out) == (2, "")
    assert err.startswith("turnout: ")
    assert message in err
    assert err.count("\n") == 1
