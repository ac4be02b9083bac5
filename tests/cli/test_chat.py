import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from turnout.trace.store.ledger import Ledger

CLONE = Path(__file__).parents[2]

Chat = Callable[..., tuple[int, str, str]]


@pytest.fixture
def chat(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """Runs `turnout chat` in the clone, with the lines that are typed, and gives exit code, output and errors."""
    monkeypatch.chdir(CLONE)

    def run(*options: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode()), encoding="utf-8"))
        return turnout("chat", *options)

    return run


def test_without_an_option_the_routed_agent_answers_with_simulated_models(chat: Chat, tmp_path: Path) -> None:
    code, out, err = chat("--ledger", str(tmp_path / "mine.db"), typed="What is the warranty on monitors?\n/why\n")
    assert (code, err) == (0, "")
    assert "simulated models" in out
    assert "3 years by the maker" in out
    with Ledger(tmp_path / "mine.db", read_only=True) as ledger:
        assert [run.name for run in ledger.runs()] == ["chat-v4-simulated"]
        assert {call.model for call in ledger.calls()} <= {
            "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0",
            "bedrock/global.anthropic.claude-sonnet-4-6",
        }
        assert len(ledger.decisions()) > 0


def test_version_pair_and_ledger_are_those_that_were_asked_for(chat: Chat, tmp_path: Path) -> None:
    code, _, _ = chat("--version", "3", "--pair", "5.5", "--ledger", str(tmp_path / "mine.db"), typed="hello\n")
    assert code == 0
    with Ledger(tmp_path / "mine.db", read_only=True) as ledger:
        assert [run.name for run in ledger.runs()] == ["chat-v3-simulated"]
        assert all("-5-5" in call.model for call in ledger.calls())
        assert len(ledger.calls()) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--version", "5"], "Invalid value for '--version'"),
        (["--live", "--local"], "choose one of --live, --local and --base-url"),
        (["--cheap", "small"], "give its --base-url too"),
        (["--pair", "9"], "there is no pair '9'"),
    ],
)
def test_options_that_do_not_go_together_are_one_line_before_anything_runs(
    chat: Chat, tmp_path: Path, options: list[str], message: str
) -> None:
    code, out, err = chat("--ledger", str(tmp_path / "mine.db"), *options, typed="hello\n")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "mine.db").exists()
