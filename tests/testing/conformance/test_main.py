import subprocess
import sys
from pathlib import Path

import pytest

from turnout.testing.conformance.__main__ import main
from turnout.testing.conformance.cases import load_cases

OURS = "turnout.messages.portability.adapter:carry_case"


def test_our_layer_passes_as_a_program(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "turnout.testing.conformance", "--adapter", OURS]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].split() == ["all", str(len(load_cases())), str(len(load_cases())), "0"]


def test_a_layer_of_ones_own_is_found_in_the_folder_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_layer.py").write_text(
        "def carry(history, source, target, markers):\n    return {'history': history}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main(["--adapter", "my_layer:carry", "--kind", "text", "--verbose"]) == 1
    shown = capsys.readouterr().out
    assert "FAIL  text      blank text is left out for Claude [bedrock-sonnet-4.6 -> bedrock-haiku-4.5]: sent" in shown
    assert "      Text blocks must not be empty or blank. (Claude API reference: Messages, https://" in shown
    assert "pass  text      plain text stays [openai-gpt-5 -> openai-gpt-4.1]: as it is" in shown


@pytest.mark.parametrize(
    ("adapter", "why"),
    [
        ("no_such_module:carry", "No module named 'no_such_module'"),
        ("json:nothing", "module 'json' has no attribute 'nothing'"),
        ("json", "write it as module:function"),
        ("json:decoder", "decoder is no function"),
    ],
)
def test_an_adapter_that_cannot_be_read(
    adapter: str, why: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main(["--adapter", adapter]) == 2
    assert capsys.readouterr().err == f"--adapter {adapter}: {why}\n"


def test_without_an_adapter_there_is_nothing_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "give the layer: --adapter module:function" in capsys.readouterr().err


def test_the_table_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--table"]) == 0
    assert capsys.readouterr().out.startswith("| what the history holds |")
