import io

from rich.console import Console

from tests.deploy.agentcore.support import NAMES
from turnout.cli.agentcore.account import Shown
from turnout.deploy.agentcore.calls import Call

CALL = Call(service="iam", operation="CreateRole", parameters={}, why="make the role")


def test_a_log_gets_a_line_for_each_kind_of_waiting() -> None:
    out = io.StringIO()
    with Shown(Console(file=out, width=200)) as shown:
        shown.call(CALL, 1, 2)
        for text in ("runtime CREATING, 0 s", "runtime CREATING, 5 s", "endpoint DEFAULT CREATING, version 1, 10 s"):
            shown.progress(text)
        shown.note("[bracketed] stays as it is")
    assert out.getvalue().splitlines() == [
        "1/2 make the role (iam CreateRole)",
        "... runtime CREATING",
        "... endpoint DEFAULT CREATING, version 1",
        "[bracketed] stays as it is",
    ]
    assert NAMES.agent == "support"


def test_a_terminal_gets_one_line_that_changes() -> None:
    out = io.StringIO()
    with Shown(Console(file=out, width=80, force_terminal=True)) as shown:
        shown.progress("runtime CREATING, 0 s")
        shown.progress("runtime CREATING, 5 s")
        shown.note("done")
    assert "done" in out.getvalue()
    assert "5 s" in out.getvalue()
