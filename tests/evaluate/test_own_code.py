from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from turnout.evaluate.own_code import OwnCodeError, object_named, told


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_good.py").write_text(
        "LIMIT = 3\ndef right():\n    return helper()\ndef helper():\n    return 1 / 0\n"
    )
    (tmp_path / "own_failing.py").write_text("\n1 / 0\n")
    (tmp_path / "own_needing.py").write_text("import nothing_of_that_name\n")
    monkeypatch.chdir(tmp_path)
    # A copy, and without the entry that stands for the working directory.
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])


def test_a_module_in_the_working_directory_is_found() -> None:
    assert object_named("own_good:LIMIT", "number") == 3


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("own_good:wrong", "the check 'own_good:wrong': unknown name 'wrong'; the nearest known one is 'right'"),
        ("own_failing:x", "module 'own_failing' fails: ZeroDivisionError: division by zero (own_failing.py, line 2)"),
        ("own_needing:x", "module 'own_needing' needs 'nothing_of_that_name', not there"),
        ("no_such_module:x", "the check 'no_such_module:x': there is no module 'no_such_module'"),
        ("own_good", "a check must be module:name, got 'own_good'"),
        (":x", "a check must be module:name, got ':x'"),
    ],
)
def test_what_is_wrong_is_one_line(spec: str, message: str) -> None:
    with pytest.raises(OwnCodeError, match=re.escape(message)) as raised:
        object_named(spec, "check")
    assert "\n" not in str(raised.value)


def test_what_is_raised_is_told_with_the_place_that_was_called() -> None:
    right = object_named("own_good:right", "check")
    with pytest.raises(ZeroDivisionError) as raised:
        right()
    # The frame of this test is the outermost one that is not Turnout's.
    assert told(raised.value).startswith("ZeroDivisionError: division by zero (test_own_code.py, line ")
    assert told(ValueError("never raised")) == "ValueError: never raised"
