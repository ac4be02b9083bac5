"""`turnout serve` as a process: it says where it listens, serves, and stops on SIGTERM with everything written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from turnout.cli.app import call
from turnout.testing.completions import OpenAIDouble
from turnout.trace.store.ledger import Ledger
from turnout.trace.views.metrics import run_metrics


def test_it_serves_and_stops(tmp_path: Path) -> None:
    with OpenAIDouble() as double:
        (tmp_path / "turnout.toml").write_text(
            f'[policy]\ncheap = "openai/gpt-5-mini"\ncapable = "openai/gpt-5"\n[gateway]\nport = 0\n'
            f'[upstreams.openai]\nbase_url = "{double.url}/v1"\nkey_env = "MY_KEY"\n'
        )
        process = subprocess.Popen(
            [sys.executable, "-c", "from turnout.cli import main; main()", "serve", "--ledger", "l.sqlite3"],
            cwd=tmp_path,
            env={**os.environ, "MY_KEY": "k"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first.startswith("OpenAI: base_url http://127.0.0.1:")
            assert process.stdout.readline() == "openai_chat: openai/gpt-5-mini, openai/gpt-5\n"
            url = first.split()[2]
            body = {"model": "turnout", "messages": [{"role": "user", "content": "hi"}]}
            answer = httpx.post(f"{url}/chat/completions", json=body, trust_env=False, timeout=20)
            assert answer.status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    with Ledger(tmp_path / "l.sqlite3", create=False, read_only=True) as ledger:
        assert len(run_metrics(ledger, "gateway").turns) == 1


def test_other_machines_are_kept_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["serve", "--host", "0.0.0.0"]) == 2
    assert "no address of this machine alone" in capsys.readouterr().err


def test_what_is_missing_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "turnout.toml").write_text('[policy]\ncheap = "openai/gpt-5-mini"\ncapable = "openai/gpt-5"\n')
    assert call(["serve", "--port", "0"]) == 2
    assert "OPENAI_API_KEY is not set: it holds the key" in capsys.readouterr().err
