from __future__ import annotations

import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from turnout.config.json_schema import DIALECT, json_schema, json_schema_text
from turnout.config.settings_file import settings_file

jsonschema = importlib.import_module("jsonschema")  # it has no types
ROOT = Path(__file__).resolve().parents[2]


def problems(text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(json_schema())
    return [error.message for error in validator.iter_errors(tomllib.loads(text))]


def test_it_is_a_schema_of_its_dialect() -> None:
    schema = json_schema()
    assert schema["$schema"] == DIALECT
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_file_of_init_follows_it_as_it_is_and_with_every_line_switched_on() -> None:
    assert problems(settings_file()) == []
    assert problems(re.sub(r'^#(?=[A-Za-z\["])', "", settings_file(), flags=re.MULTILINE)) == []


@pytest.mark.parametrize(
    "text",
    [
        "polcy = 1",
        "[policy]\nsimple_bar = 1.5",
        "[policy]\nsimple_bar = true",
        '[policy]\npreset = "cheap"',
        "[policy]\ncandidates = []",
        '[policy]\ncandidates = [{model = "m"}]',
        "[policy.budget]\nusd = 0",
        "[calls.breaker]\nopen_seconds = 0",
        "[calls]\ndeadline_seconds = 0",
        "[classifier]\ndoubt = [0.1]",
        "[policy.bound]\nkappa_usd = -1",
        "max_prompt_chars = 0",
        'ledger = ""\nregion = ""',
    ],
)
def test_what_the_settings_refuse_it_refuses_too(text: str) -> None:
    assert problems(text)


def test_only_terms_of_json_schema_are_left() -> None:
    def walk(node: Any) -> None:
        if isinstance(node, list):
            for one in node:
                walk(one)
        elif isinstance(node, dict):
            assert not {"ge", "gt", "le", "lt"} & set(node)
            assert node.get("type") != "null"
            assert node.get("default", 0) is not None
            for one in node.values():
                walk(one)

    walk(json_schema())


def test_keys_are_described() -> None:
    preset = json_schema()["$defs"]["PolicyTable"]["properties"]["preset"]
    assert preset["description"].startswith("How sure a verdict")
    assert preset["enum"] == ["quality", "balanced", "economy"]


def test_the_copy_in_the_docs_is_current() -> None:
    stored = (ROOT / "docs" / "turnout.schema.json").read_text(encoding="utf-8")
    assert stored == json_schema_text(), "run `make docs`"
    assert json.loads(stored) == json_schema()
