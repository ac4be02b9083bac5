from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run
from turnout.config.settings_file import settings_file


def test_it_writes_the_file(turnout: Run, tmp_path: Path) -> None:
    code, out, err = turnout("init")
    assert (code, out) == (0, "")
    assert "turnout check turnout.toml" in err
    assert (tmp_path / "turnout.toml").read_text(encoding="utf-8") == settings_file()


def test_it_writes_over_a_file_only_when_told_to(turnout: Run, tmp_path: Path) -> None:
    file = tmp_path / "turnout.toml"
    file.write_text("mine")
    code, _, err = turnout("init")
    assert (code, file.read_text()) == (2, "mine")
    assert "turnout.toml is there already; --force writes over it" in err
    assert turnout("init", "--force")[0] == 0
    assert file.read_text(encoding="utf-8") == settings_file()


def test_another_file_may_be_named(turnout: Run, tmp_path: Path) -> None:
    assert turnout("init", "other.toml")[0] == 0
    assert (tmp_path / "other.toml").exists()


def test_a_folder_that_is_not_there_is_told(turnout: Run) -> None:
    code, _, err = turnout("init", "no/such/turnout.toml")
    assert code == 2
    assert "no/such/turnout.toml cannot be written" in err
