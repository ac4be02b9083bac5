import pytest

from turnout.cli.progress import progress


def test_it_says_nothing_where_nobody_watches(capfd: pytest.CaptureFixture[str]) -> None:
    with progress("read", 10) as advance:
        advance(4)
        advance(6)
    assert capfd.readouterr() == ("", "")


def test_a_terminal_sees_how_far_it_is(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with progress("exported", 10) as advance:
        advance(10)
    assert "exported" in capfd.readouterr().err
