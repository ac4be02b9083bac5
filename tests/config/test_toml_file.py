from __future__ import annotations

import contextlib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.errors import ConfigError
from turnout.config.toml_file import read_toml


def test_numbers_with_a_point_are_exact_and_line_ends_may_be_of_either_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"price = 0.1\r\ncount = 3\r\nname = 'x'\r\n")
    assert read_toml(path) == {"price": Decimal("0.1"), "count": 3, "name": "x"}


@pytest.mark.parametrize(
    ("content", "start", "end"),
    [
        (b"a = 1\nb = \n", "not valid TOML: ", "(at line 2, column 5)"),
        (b"[policy\n", "not valid TOML: ", "(at line 1, column 8)"),
        (b"a = 1\na = 2\n", "not valid TOML: ", "(at line 2, column 6)"),
        (b"a = '\x00'", "not valid TOML: ", "(at line 1, column 6)"),
        (b"\xff\xfe\x00a", "not a text file in UTF-8 (byte 0)", ""),
        (b"a = 'ok'\nb = '\xe9'\n", "not a text file in UTF-8 (byte 14)", ""),
        (b"a = " + b"1" * 5000, "a number is too long", ""),
        (b"a = 1e" + b"9" * 30, "a number is too long", ""),
        (b"a = " + b"[" * 5000, "nested too deeply", ""),
    ],
    ids=["value", "table", "twice", "nul", "utf-16", "latin-1", "digits", "exponent", "deep"],
)
def test_what_is_no_toml_is_one_line_with_file_and_place(tmp_path: Path, content: bytes, start: str, end: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_toml(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {start}")
    assert message.endswith(end)
    assert "\n" not in message


def test_a_missing_file_and_a_directory_say_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: there is no such file$"):
        read_toml(tmp_path / "missing.toml")
    with pytest.raises(ConfigError, match=r": cannot be read: Is a directory$"):
        read_toml(tmp_path)


@given(content=st.binary(max_size=200))
def test_no_bytes_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "a.toml"
    path.write_bytes(content)
    with contextlib.suppress(ConfigError):
        assert isinstance(read_toml(path), dict)
