import subprocess
import sys

import pytest

import turnout as package
from tests.cli.conftest import Run


def test_help_lists_the_commands(turnout: Run) -> None:
    code, out, _ = turnout("--help")
    assert code == 0
    for command in ("doctor", "classify", "chat", "demo", "metrics", "compare", "models"):
        assert f"  {command} " in out


def test_without_a_command_it_helps_and_fails(turnout: Run) -> None:
    code, out, _ = turnout()
    assert (code, "Usage: turnout" in out) == (2, True)


def test_the_version_is_the_packages(turnout: Run) -> None:
    assert turnout("--version")[:2] == (0, f"turnout {package.__version__}\n")


def test_python_m_is_the_same_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "turnout", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"turnout {package.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["metrics", "--colour"], "No such option: --colour"),
        (["metricks"], "No such command 'metricks'"),
        (["metrics", "--config", "missing.toml"], "missing.toml"),
        (["models", "bedrock/global.anthropic.claude-sonnet-4-7"], "nearest"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(turnout: Run, arguments: list[str], message: str) -> None:
    code, out, err = turnout(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("turnout: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -c 'from turnout.cli import main; main()' models | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert "USD per million tokens" in done.stdout
