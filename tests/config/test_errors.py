from __future__ import annotations

from pathlib import Path

import pytest

from turnout.config import ConfigError, load_catalog, load_settings, resolve_bedrock_id
from turnout.config.toml_file import read_toml


def test_one_exception_class_serves_every_part_of_the_room(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    for fail in (
        lambda: read_toml(missing),
        lambda: load_catalog(missing),
        lambda: load_settings(missing),
        lambda: resolve_bedrock_id("haiku-4.5"),
    ):
        with pytest.raises(ConfigError) as caught:
            fail()
        assert "\n" not in str(caught.value)
        assert isinstance(caught.value, ValueError)
