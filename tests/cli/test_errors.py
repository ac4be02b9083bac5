import pytest

from turnout.cli.errors import UserError
from turnout.cli.running import run_function, user_errors


@pytest.mark.parametrize("kind", user_errors())
def test_what_a_user_can_mend_is_one_line_without_a_traceback(
    kind: type[Exception], capfd: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise kind("the file\n  is missing")

    assert run_function(fails, "fails", []) == 2
    assert capfd.readouterr() == ("", "turnout: the file is missing\n")


def test_a_fault_of_ours_is_not_told_as_a_mistake_of_the_user() -> None:
    def fails() -> None:
        raise RuntimeError("a bug")

    assert not issubclass(RuntimeError, user_errors())
    assert issubclass(UserError, user_errors())
    with pytest.raises(RuntimeError, match="a bug"):
        run_function(fails, "fails", [])
