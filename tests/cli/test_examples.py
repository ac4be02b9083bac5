from pathlib import Path

import pytest

from tests.cli.conftest import Run
from turnout.cli.errors import UserError
from turnout.cli.examples import in_clone

CLONE = Path(__file__).parents[2]


def test_outside_a_clone_it_says_where_to_go(turnout: Run) -> None:
    for command in ("demo", "chat"):
        code, _, err = turnout(command)
        assert (code, err.count("\n")) == (2, 1)
        assert "clone" in err


def test_a_clone_gives_its_parts_and_names_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CLONE)
    assert in_clone("examples.customer_support.queries", "TEST_PROMPTS")
    with pytest.raises(UserError, match="no_such_module is not installed"):
        in_clone("examples.customer_support.no_such_module", "x")
