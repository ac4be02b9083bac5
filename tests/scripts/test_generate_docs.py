from __future__ import annotations

from pathlib import Path

import pytest

from scripts.generate_docs import PAGES, cli_page, main, outdated


def test_the_generated_pages_are_current() -> None:
    assert list(outdated()) == []


def test_the_page_of_the_command_line_names_every_command() -> None:
    from turnout.cli.app import Commands

    page = PAGES["docs/cli.md"]()
    assert Commands.summaries
    for name in Commands.summaries:
        assert f"`turnout {name}`" in page


def test_a_page_that_differs_is_found_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = {"docs/a.md": lambda: "new\n", "docs/b.md": lambda: "same\n"}
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/b.md").write_text("same\n", encoding="utf-8")
    assert main(["--check"], tmp_path, pages) == 1
    assert "docs/a.md is out of date" in capsys.readouterr().err
    assert not (tmp_path / "docs/a.md").exists()
    assert main([], tmp_path, pages) == 0
    assert (tmp_path / "docs/a.md").read_text(encoding="utf-8") == "new\n"
    assert main(["--check"], tmp_path, pages) == 0


def test_what_typer_cannot_read_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="typer cannot write the page of no_such_module"):
        cli_page("no_such_module")
