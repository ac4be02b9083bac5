from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.pip_settings import parse, sources, uv_arguments, uv_variables


def test_the_environment_wins_over_the_command_and_the_command_over_global() -> None:
    listing = """
    :env:.index-url='https://env.example/simple'
    install.index-url='https://install.example/simple'
    install.timeout='7.5'
    global.timeout='60'
    global.index-url='https://global.example/simple'
    freeze.timeout='10'
    """
    assert parse(listing) == {"index-url": "https://env.example/simple", "timeout": "7.5"}


def test_second_names_underscores_and_lists_of_lines() -> None:
    listing = ":env:.default-timeout='180'\nglobal.extra_index_url='\\nfile:///a/simple\\nhttps://b.example/simple'\n"
    assert parse(listing) == {"timeout": "180", "extra-index-url": "file:///a/simple\nhttps://b.example/simple"}


def test_each_setting_becomes_uvs_variable(tmp_path: Path) -> None:
    settings = {
        "index-url": "https://mirror.example/simple",
        "extra-index-url": "file:///a/simple\nhttps://b.example/simple",
        "find-links": f"{tmp_path} {tmp_path / 'missing'} file://{tmp_path} https://c.example/wheels",
        "trusted-host": "mirror.example b.example:8080",
        "cert": "/etc/ssl/bundle.pem",
        "client-cert": "/etc/ssl/me.pem",
        "proxy": "http://proxy.example:3128",
        "timeout": "7.5",
        "retries": "2",
    }
    assert uv_variables(settings, {}) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "file:///a/simple https://b.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": f"{tmp_path},file://{tmp_path},https://c.example/wheels",
        "UV_INSECURE_HOST": "mirror.example b.example:8080",
        "SSL_CERT_FILE": "/etc/ssl/bundle.pem",
        "SSL_CLIENT_CERT": "/etc/ssl/me.pem",
        "HTTP_PROXY": "http://proxy.example:3128",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "UV_HTTP_TIMEOUT": "7",
        "UV_HTTP_RETRIES": "2",
    }


def test_what_the_user_told_uv_stays() -> None:
    settings = {"index-url": "https://pip.example/simple", "proxy": "http://pip.example:3128", "timeout": "soon"}
    environ = {"UV_DEFAULT_INDEX": "https://uv.example/simple", "https_proxy": "http://own.example:3128"}
    assert uv_variables(settings, environ) == {"HTTP_PROXY": "http://pip.example:3128"}


@pytest.mark.parametrize(("value", "expected"), [("1", ["--no-index"]), ("True", ["--no-index"]), ("0", []), ("", [])])
def test_no_index(value: str, expected: list[str]) -> None:
    assert uv_arguments({"no-index": value}) == expected


def test_sources_name_every_place_and_no_credentials() -> None:
    settings = {"index-url": "https://ann:secret@mirror.example/simple", "find-links": "/opt/a /opt/b"}
    assert sources(settings) == [
        "https://mirror.example/simple (pip's index-url)",
        "/opt/a (pip's find-links)",
        "/opt/b (pip's find-links)",
    ]
    assert sources({}) == ["pip's default index"]
    assert sources({"no-index": "1", "find-links": "/opt/a"}) == ["/opt/a (pip's find-links)"]


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1))
def test_any_value_survives_pips_quoting(value: str) -> None:
    assert parse(f"global.index-url={value!r}") == {"index-url": value}
