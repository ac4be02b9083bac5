import pytest

from turnout.cli.errors import UserError
from turnout.cli.running import run_function


def test_a_function_runs_as_a_command_line_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    def add(a: int, b: int = 1) -> None:
        if b < 0:
            raise UserError("b must not\nbe negative")
        print(a + b)

    assert run_function(add, "add", ["2", "--b", "3"]) == 0
    assert capfd.readouterr().out == "5\n"
    assert run_function(add, "add", ["2", "--b", "-3"]) == 2
    assert capfd.readouterr().err == "turnout: b must not be negative\n"


def test_a_command_that_was_given_too_little_names_its_help(capfd: pytest.CaptureFixture[str]) -> None:
    def double(a: int) -> None:
        print(2 * a)

    assert run_function(double, "double", []) == 2
    assert capfd.readouterr().err == "turnout: Missing argument 'a'. See: double --help\n"


def test_ctrl_c_stops_without_a_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    assert run_function(stop, "stop", []) == 130
    assert capfd.readouterr().err == "turnout: stopped\n"
