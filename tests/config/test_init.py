from __future__ import annotations

import json
import subprocess
import sys

import pytest

import turnout.config

_WATCHED = """
import json, socket, sys

opened = []

def refuse(*arguments, **keywords):
    opened.append(str(arguments))
    raise OSError("no network here")

class Socket(socket.socket):
    __init__ = refuse

socket.socket = Socket
socket.create_connection = socket.getaddrinfo = refuse
{code}
heavy = [name for name in ("boto3", "botocore", "strands", "numpy", "genai_prices", "pydantic") if name in sys.modules]
print(json.dumps([opened, heavy]))
"""


def _run(code: str) -> list[list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED.format(code=code)], capture_output=True, text=True, check=True, timeout=60
    )
    result: list[list[str]] = json.loads(done.stdout)
    return result


def test_importing_and_loading_the_catalog_opens_no_socket_and_stays_light() -> None:
    assert _run("import turnout.config as config; assert len(config.load_catalog().models) > 90") == [[], []]


def test_loading_settings_opens_no_socket_and_adds_pydantic_only() -> None:
    assert _run("import turnout.config as config; config.load_settings()") == [[], ["pydantic"]]


def test_reading_the_package_of_prices_opens_no_socket() -> None:
    opened, heavy = _run("from turnout.config.genai_package import read_package; read_package('openai/gpt-4o-mini')")
    assert opened == []
    assert "genai_prices" in heavy


def test_all_names_of_the_room_are_there() -> None:
    for name in turnout.config.__all__:
        assert getattr(turnout.config, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'load_setings'"):
        _ = turnout.config.load_setings
