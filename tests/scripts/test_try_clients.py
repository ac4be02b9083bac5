"""The script that tries programs of others; the programs themselves need packages that are not in the environment."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from scripts.clients.gateway import running
from scripts.try_clients import PROGRAMS, TRIES, Try, _try, main

PROGRAM = """
import os, sys, openai
with openai.OpenAI(base_url=os.environ["GATEWAY"] + "/v1", api_key="client-key") as client:
    asked = [{"role": "user", "content": "Hello"}]
    answer = client.chat.completions.create(model=sys.argv[1], messages=asked)
    print("answer:", answer.choices[0].message.content)
"""


def test_every_client_has_a_name_and_a_program() -> None:
    assert len({one.name for one in TRIES}) == len(TRIES)
    for one in TRIES:
        program = PROGRAMS / one.program[0]
        assert program.exists() == (program.suffix != "")
        if program.suffix == ".py":
            ast.parse(program.read_text(encoding="utf-8"))


def test_a_name_that_nobody_has_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["emacs"])
    assert "no client is called emacs" in capsys.readouterr().err


def test_a_client_works_or_its_last_words_are_told(tmp_path: Path) -> None:
    python = tmp_path / "openai" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")

    def asking(model: str) -> Try:
        said = ("answer: The simulated model",)
        return Try("one", ("openai",), "openai", (str(program), model), expected=said)

    with running(tmp_path) as gateway:
        works = _try(asking("turnout"), gateway, tmp_path)
        fails = _try(asking("gpt-6"), gateway, tmp_path)
    assert works["result"] == "works"
    assert str(works["told"]).startswith(
        "['calls 1, ok 1, reasons no_verdict, models bedrock/global.anthropic.claude-sonnet-4-6, cost 0.0002"
    )
    assert fails["result"] == "does not work"
    assert "unknown model 'gpt-6'" in str(fails["told"])
