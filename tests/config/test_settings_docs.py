from __future__ import annotations

import re

import pytest
from pydantic import BaseModel

from turnout.config.json_schema import _tables
from turnout.config.settings_docs import attributes, key_docs, summary
from turnout.config.settings_schema import BoundTable, CandidateTable, PolicyTable, SettingsTable

TABLES = list(dict.fromkeys(_tables(SettingsTable)))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_key_says_what_it_means(table: type[BaseModel]) -> None:
    docs = key_docs(table)
    assert list(docs) == list(table.model_fields)
    for key, text in docs.items():
        assert re.fullmatch(r"[A-Z0-9`].*[.)]", text), (key, text)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_table_says_what_it_is_for(table: type[BaseModel]) -> None:
    text = summary(table)
    assert re.fullmatch(r"[A-Z`][^[\]]*\.", text), text
    assert "turnout.core" not in text


def test_texts_that_go_over_several_lines_are_joined() -> None:
    docs = key_docs(PolicyTable)
    assert docs["markers"].endswith("`manage` moves them as it pays, and needs the horizon `session`.")
    assert "  " not in docs["markers"]


def test_the_name_of_the_table_is_left_out_of_its_summary() -> None:
    assert summary(CandidateTable) == "A model and its rank of capability."
    assert summary(BoundTable).startswith("The spend bound: ")


def test_what_a_table_does_not_say_is_looked_up_in_the_class_that_it_names() -> None:
    class Table(BaseModel):
        """A table; see `turnout.core.calls.BreakerRules`.

        Attributes:
            probes: Its own words.
        """

        probes: int = 1
        open_s: float = 1.0
        other: int = 1

    docs = key_docs(Table)
    assert docs["probes"] == "Its own words."
    assert docs["open_s"].startswith("How long an open breaker")
    assert "other" not in docs


def test_a_bare_name_is_one_of_the_settings() -> None:
    class Table(BaseModel):
        """A table; see `ClassifierSettings` and `NoSuchSettings`, which is left alone."""

        kind: int = 1

    assert key_docs(Table) == {}
    assert summary(Table) == "A table; see `ClassifierSettings` and `NoSuchSettings`, which is left alone."


def test_a_section_ends_where_the_next_begins() -> None:
    text = (
        "A class.\n\nAttributes:\n    one: First\n        line.\n    two: Second.\n\nRaises:\n    ValueError: Never.\n"
    )
    assert attributes(text) == {"one": "First line.", "two": "Second."}
    assert attributes("A class.") == {}
