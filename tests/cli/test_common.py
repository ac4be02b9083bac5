import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from turnout.cli.common import console, load, models_named, open_for_reading, pair_named, print_json
from turnout.cli.errors import UserError
from turnout.config import ConfigError
from turnout.trace.errors import LedgerError
from turnout.trace.store.schema import MIGRATIONS


def test_settings_and_catalog_come_together_with_the_users_overrides(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[models.claude-sonnet-4-6]\ncache.floor_tokens = 2048\n")
    (tmp_path / "turnout.toml").write_text('overrides = "mine.toml"\n')
    settings, catalog = load(tmp_path / "turnout.toml")
    assert settings.overrides == tmp_path / "mine.toml"
    assert catalog["bedrock/global.anthropic.claude-sonnet-4-6"].cache.floor_tokens == 2048


def test_a_corrupt_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text("[policy\n")
    with pytest.raises(ConfigError, match=r"turnout\.toml.*line 1") as raised:
        load(tmp_path / "turnout.toml")
    assert "\n" not in str(raised.value)


def test_tables_are_wide_and_without_colour_where_nobody_looks() -> None:
    assert (console().width, console().no_color) == (140, True)


def test_json_has_its_keys_in_order(capfd: pytest.CaptureFixture[str]) -> None:
    print_json({"b": 1, "a": [2]})
    out = capfd.readouterr().out
    assert out.index('"a"') < out.index('"b"')


def test_an_older_ledger_is_brought_up_to_date_and_then_only_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
    with open_for_reading(path) as ledger:
        assert ledger.runs() == []
        with pytest.raises(LedgerError):
            ledger.describe("run", note="x")


def test_models_and_pairs_as_users_name_them() -> None:
    assert models_named("small, medium,large", "--models") == ["small", "medium", "large"]
    assert pair_named("small, large") == ("small", "large", "")
    assert pair_named("a/small,b/large@my set") == ("a/small", "b/large", "my set")


@pytest.mark.parametrize("text", ["", "small", "small,", ",large", "small,,large"])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="--models must be two or more names, the least capable first, got"):
        models_named(text, "--models")
    with pytest.raises(UserError, match="--pair must be CHEAP,CAPABLE or CHEAP,CAPABLE@DATASET, got"):
        pair_named(text)
