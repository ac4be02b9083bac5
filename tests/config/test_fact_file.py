from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from turnout.config.errors import ConfigError
from turnout.config.fact_file import Provenance, read_fact_file

Write = Callable[[str], Path]


def test_facts_are_read_with_where_they_are_known_from(write: Write) -> None:
    path = write(
        """
        [sources.page]
        title = "A page"
        url = "https://example.org/page"
        date = 2026-11-01

        [profiles]
        ca = { is = 1.15, from = "page" }

        [shared.base]
        cache.floor_tokens = { is = 1024, from = "page", disputed = true, note = "2,048 elsewhere" }

        [models.m]
        name = "M"
        aliases = ["em"]
        shared = ["base"]
        context_window = 8192
        at.bedrock = { id = "vendor.m", also = ["vendor.m-v1"], max_output_tokens = { is = 100, from = "page" } }
        """
    )
    file = read_fact_file(path)
    page = Provenance(source="A page", url="https://example.org/page", read=date(2026, 11, 1))
    assert file.sources == {"page": page}
    assert (file.profiles["ca"].value, file.profiles["ca"].provenance) == (Decimal("1.15"), page)
    floor = file.shared["base"]["cache.floor_tokens"]
    assert (floor.value, floor.provenance.disputed, floor.provenance.note) == (1024, True, "2,048 elsewhere")
    model = file.models["m"]
    assert (model.name, model.aliases, model.shared) == ("M", ("em",), ("base",))
    assert (model.facts["context_window"].value, model.facts["context_window"].provenance) == (
        8192,
        Provenance(source=str(path)),
    )
    place = model.places["bedrock"]
    assert (place.id, place.also) == ("vendor.m", ("vendor.m-v1",))
    assert (place.facts["max_output_tokens"].value, place.facts["max_output_tokens"].provenance) == (100, page)


def test_sources_of_another_file_may_be_named(write: Write) -> None:
    page = Provenance(source="A page")
    path = write('[models.m]\ncontext_window = { is = 1, from = "page" }')
    assert read_fact_file(path, {"page": page}).models["m"].facts["context_window"].provenance == page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model.x]", "unknown key 'model'; the nearest known one is 'models'"),
        ("models = 3", "models: must be a table"),
        ("[models]\nx = 3", "models.x: must be a table"),
        (
            "[models.x]\ncontext_windwo = 3",
            "models.x: unknown key 'context_windwo'; the nearest known one is 'context_window'",
        ),
        (
            "[models.x]\ncache.flor_tokens = 3",
            "models.x.cache: unknown key 'flor_tokens'; the nearest known one is 'floor_tokens'",
        ),
        (
            "[models.x.at.bedrock]\ncapabilities.visoin = true",
            "models.x.at.bedrock.capabilities: unknown key 'visoin'; the nearest known one is 'vision'",
        ),
        ("[models.x.at.bedrock]\nidd = 'a'", "models.x.at.bedrock: unknown key 'idd'; the nearest known one is 'id'"),
        ("[models.x]\ncache = 3", "models.x.cache: must be a table"),
        ("[models.x]\nname = 3", "models.x.name: must be text"),
        ("[models.x]\naliases = 'a'", "models.x.aliases: must be a list of texts"),
        ("[models.x]\nshared = [1]", "models.x.shared: must be a list of texts"),
        ("[models.x]\nat = 'bedrock'", "models.x.at: must be a table"),
        ("[models.x.at]\nbedrock = 'id'", "models.x.at.bedrock: must be a table"),
        ("[models.x.at.bedrock]\nid = 3", "models.x.at.bedrock.id: must be text"),
        ("[models.x.at.bedrock]\nalso = 3", "models.x.at.bedrock.also: must be a list of texts"),
        ("[models.x]\ncontext_window = 'big'", "models.x.context_window: must be a whole number"),
        (
            "[models.x]\ncontext_window = { is = 3, form = 'a' }",
            "models.x.context_window: unknown key 'form'; the nearest known one is 'from'",
        ),
        ("[models.x]\ncontext_window = { value = 3 }", "models.x.context_window: must be a whole number"),
        (
            "[models.x]\ncontext_window = { is = 3, from = 'nowhere' }",
            "models.x.context_window.from: unknown source 'nowhere': none is configured",
        ),
        (
            "[models.x]\ncontext_window = { is = 3, disputed = 'yes' }",
            "models.x.context_window.disputed: must be true or false",
        ),
        ("[models.x]\ncontext_window = { is = 3, note = 3 }", "models.x.context_window.note: must be text"),
        ("[sources.s]\nurl = 'x'", "sources.s: a source needs a 'title'"),
        ("[sources.s]\ntitle = 'x'\ndat = 'x'", "sources.s: unknown key 'dat'; the nearest known one is 'date'"),
        ("[sources.s]\ntitle = 3", "sources.s.title: must be text"),
        (
            "[sources.s]\ntitle = 'x'\ndate = '2026-11-23'",
            "sources.s.date: must be a date, such as 2026-11-23",
        ),
        (
            "[sources.s]\ntitle = 'x'\ndate = 2026-11-23T01:02:03",
            "sources.s.date: must be a date, such as 2026-11-23",
        ),
        ("[profiles]\nca = 0", "profiles.ca: must be a number above 0"),
        ("[profiles]\nca = nan", "profiles.ca: must be a number above 0"),
        ("[profiles]\nca = true", "profiles.ca: must be a number above 0"),
        ("[profiles]\nca = '1.1'", "profiles.ca: must be a number above 0"),
        ("[shared.g]\nname = 'a'", "shared.g: unknown key 'name'; the nearest known one is 'cache'"),
    ],
)
def test_errors_name_file_key_and_the_nearest_right_thing(write: Write, text: str, message: str) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as caught:
        read_fact_file(path)
    assert str(caught.value) == f"{path}: {message}"
