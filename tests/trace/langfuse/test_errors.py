from __future__ import annotations

import sys

import pytest

from turnout.trace.langfuse.errors import LangfuseError, LangfuseUnavailableError, MissingPackageError, require


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("langfuse", "langfuse.api"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match=r"pip install 'turnout\[langfuse\]'") as caught:
        require("langfuse.api", extra="langfuse")
    assert isinstance(caught.value, LangfuseError)


def test_what_is_missing_inside_a_package_is_not_taken_for_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "langfuse.langchain", raising=False)
    monkeypatch.setitem(sys.modules, "langchain", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        require("langfuse.langchain", extra="langfuse")
    assert not isinstance(caught.value, LangfuseError)


def test_seconds_to_wait() -> None:
    assert LangfuseUnavailableError("busy").retry_after_s == 0.0
    assert LangfuseUnavailableError("busy", retry_after_s=3).retry_after_s == 3
