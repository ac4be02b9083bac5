"""`import turnout` and the rooms that every process loads stay light: no agent framework, no AWS SDK, no numpy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import turnout

HEAVY = (
    "boto3",
    "botocore",
    "matplotlib",
    "numpy",
    "openai",
    "strands",
    "bedrock_agentcore",
    "tokenizers",
    "xllamacpp",
)
SOURCE = Path(turnout.__path__[0])
ROOMS = ("core", "messages", "config", "trace", "sessions", "router")


def modules(room: str) -> list[str]:
    """Every module of a room."""
    files = [SOURCE / f"{room}.py"] if (SOURCE / f"{room}.py").exists() else sorted((SOURCE / room).rglob("*.py"))
    names = [".".join(("turnout", *file.relative_to(SOURCE).with_suffix("").parts)) for file in files]
    return [name.removesuffix(".__init__") for name in names]


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_what_is_imported_without_being_asked_for(room: str) -> None:
    names = modules(room) if room else ["turnout"]
    assert names
    code = f"import importlib, json, sys\nfor name in {names!r}: importlib.import_module(name)\n"
    code += "print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert sorted(loaded & set(HEAVY)) == []
