from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from turnout.evaluate.collect.errors import CollectError, RequestFailedError
from turnout.evaluate.collect.judges.code import CodeJudge, check_named
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.state import Grade

REQUEST = Request(id="1", prompt="x", expected="yes")


async def test_each_answer_is_checked() -> None:
    def check(request: Request, answer: str) -> Any:
        return answer == request.expected

    judge = CodeJudge(check, "mine:check")
    assert await judge.grade(REQUEST, "no", "yes") == Grade(cheap=0.0, capable=1.0)
    assert judge.name == "code:mine:check"
    assert judge.lacks(REQUEST) is None


async def test_an_async_check() -> None:
    async def check(request: Request, answer: str) -> float:
        return 0.25

    assert await CodeJudge(check, "c").grade(REQUEST, "", "") == Grade(cheap=0.25, capable=0.25)


@pytest.mark.parametrize(("given", "kind"), [(2, "int"), (None, "NoneType"), ("good", "str"), (float("nan"), "float")])
async def test_what_is_no_score(given: Any, kind: str) -> None:
    with pytest.raises(RequestFailedError, match=rf"gave no score from 0 to 1 \({kind}\)"):
        await CodeJudge(lambda request, answer: given, "c").grade(REQUEST, "", "")


async def test_a_check_that_raises_says_nothing_of_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    def check(request: Request, answer: str) -> float:
        raise ValueError(f"cannot read {answer}")

    with pytest.raises(RequestFailedError, match="the check c raised ValueError") as raised:
        await CodeJudge(check, "c").grade(REQUEST, "secret", "")
    assert raised.value.again
    assert "secret" not in caplog.text + str(raised.value)


def test_a_function_beside_the_user_s_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checks_of_mine.py").write_text("LIMIT = 3\ndef right(request, answer):\n    return 1\n")
    (tmp_path / "checks_that_fail.py").write_text("1 / 0\n")
    (tmp_path / "checks_that_need.py").write_text("import nothing_of_that_name\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    assert check_named("checks_of_mine:right")(REQUEST, "") == 1
    for spec, message in (
        ("checks_of_mine:wrong", "unknown name 'wrong'; the nearest known one is 'right'"),
        ("checks_of_mine:LIMIT", "is no function"),
        ("checks_that_fail:x", "module 'checks_that_fail' fails: ZeroDivisionError"),
        ("checks_that_need:x", "module 'checks_that_need' needs 'nothing_of_that_name'"),
        ("no_such_module:x", "there is no module 'no_such_module'"),
        ("no_such_module", "must be module:name"),
        (":x", "must be module:name"),
    ):
        with pytest.raises(CollectError) as raised:
            check_named(spec)
        assert message in str(raised.value)
