"""Optional libraries."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from turnout.config.extras import MissingExtraError, require


def test_what_is_there_is_imported() -> None:
    assert require("json", extra="any") is json


def test_what_is_missing_names_the_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"not_there is not installed; run: pip install 'turnout\[embedding\]'"):
        require("not_there", extra="embedding")
    with pytest.raises(MissingExtraError, match=r"not_there is not installed") as error:
        require("not_there.part", extra="embedding")
    assert error.value.name == "not_there"


def test_what_is_raised_may_be_a_rooms_own_error() -> None:
    class OwnError(ImportError):
        pass

    with pytest.raises(OwnError, match="not_there is not installed"):
        require("not_there", extra="embedding", error=OwnError)


def test_a_fault_inside_a_library_is_not_taken_for_its_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_more.py").write_text("import something_else_entirely\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_else_entirely") as error:
        require("needs_more", extra="embedding")
    assert not isinstance(error.value, MissingExtraError)
    sys.modules.pop("needs_more", None)
