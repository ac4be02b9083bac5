from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from turnout.config import load_settings
from turnout.config.json_schema import _classes
from turnout.config.settings_file import EXAMPLES, settings_file
from turnout.config.settings_schema import BoundTable, SettingsTable


def uncommented(text: str) -> str:
    """The file with every setting switched on."""
    return re.sub(r'^#(?=[A-Za-z\["])', "", text, flags=re.MULTILINE)


def keys_of(table: type[BaseModel], at: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every key of the schema that a file can state beside all others."""
    found = set()
    for name, field in table.model_fields.items():
        inner = _classes(field.annotation)
        if (*at, name) == ("policy", "candidates") or not inner or str(field.annotation).startswith("dict"):
            found.add((*at, name))
        else:
            found |= keys_of(inner[0], (*at, name))
    return found


def keys_in(document: dict[str, Any], at: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every key of a document, those of free tables left out."""
    found = set()
    for name, value in document.items():
        path = (*at, name)
        found |= {path} if not isinstance(value, dict) or path in EXAMPLES else keys_in(value, path)
    return found


def test_the_file_as_it_is_written_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "written.toml"
    file.write_text(settings_file(), encoding="utf-8")
    assert replace(load_settings(file), file=None) == load_settings()


def test_with_every_line_switched_on_it_is_valid_and_states_every_key(tmp_path: Path) -> None:
    file = tmp_path / "turnout.toml"
    text = uncommented(settings_file())
    file.write_text(text, encoding="utf-8")
    (tmp_path / "models.toml").write_text("", encoding="utf-8")
    # The lock is made by a plan; a calibration is a file of its own, and sets a bar that no other line may set then.
    load_settings(file, locked=False, calibrated=False)
    assert keys_in(tomllib.loads(text)) == keys_of(SettingsTable) - {("policy", "candidates")}


def test_what_it_states_is_the_default_where_there_is_one() -> None:
    document = tomllib.loads(uncommented(settings_file()), parse_float=Decimal)
    defaults = SettingsTable().model_dump()
    optional = {("policy", "candidates"), ("policy", "budget")}
    assert _differing(document, {**defaults, "policy": {**defaults["policy"], "bound": BoundTable().model_dump()}}) == {
        *(".".join(path) for path in EXAMPLES if path[:2] not in optional and path[0] in defaults),
        "policy.budget",
    }


def _differing(document: dict[str, Any], defaults: dict[str, Any], at: str = "") -> set[str]:
    found = set()
    for name, value in document.items():
        default = defaults[name]
        if isinstance(value, dict) and isinstance(default, dict) and default:
            found |= _differing(value, default, f"{at}{name}.")
        elif (tuple(value) if isinstance(value, list) else value) != _as_decimal(default):
            found.add(f"{at}{name}")
    return found


def _as_decimal(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_as_decimal(one) for one in value)
    return Decimal(str(value)) if isinstance(value, float) else value


def test_the_alternative_in_the_comment_is_valid_too(tmp_path: Path) -> None:
    file = tmp_path / "turnout.toml"
    lines = settings_file().splitlines()
    begin = lines.index("#   [[policy.candidates]]")
    example = [line.removeprefix("#   ") for line in lines[begin : lines.index("", begin)]]
    file.write_text("\n".join(example), encoding="utf-8")
    assert load_settings(file).rules == load_settings().rules


def test_the_first_line_names_the_schema() -> None:
    assert settings_file().splitlines()[0] == "#:schema ./turnout.schema.json"
    assert settings_file("https://example.org/s.json").splitlines()[0] == "#:schema https://example.org/s.json"


def test_lines_are_short_and_end_in_no_blanks() -> None:
    for line in settings_file().splitlines():
        assert len(line) <= 120
        assert line == line.rstrip()


@pytest.mark.parametrize("name", ["policy", "classifier", "calls", "calls.breaker", "pins.tags"])
def test_tables_that_mean_nothing_when_empty_are_switched_on(name: str) -> None:
    assert f"[{name}]" in settings_file().splitlines()


def test_tables_whose_presence_means_something_are_not() -> None:
    lines = settings_file().splitlines()
    assert "#[policy.budget]" in lines
    assert "#[policy.bound]" in lines
