from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import chosen, main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("bench_ledger.py", "bench_decide.py", "helper.py"):
        (tmp_path / name).write_text("")
    return tmp_path


def test_words_choose(folder: Path) -> None:
    assert chosen([], folder) == ["bench_decide", "bench_ledger"]
    assert chosen(["led", "nothing"], folder) == ["bench_ledger"]


def test_no_such_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-thing"]) == 2
    assert "no benchmark has no-such-thing in its name: bench_" in capsys.readouterr().err


def test_a_benchmark_runs_and_its_failure_counts(tmp_path: Path) -> None:
    """The runner in a folder of its own, so that no real benchmark takes the test's time."""
    package = tmp_path / "benchmarks"
    package.mkdir()
    (package / "__init__.py").touch()  # so that it goes before a package of that name further on in the path
    (package / "__main__.py").write_text((ROOT / "benchmarks/__main__.py").read_text())
    (package / "bench_good.py").write_text("print('median 1 µs')")
    (package / "bench_bad.py").write_text("raise SystemExit(3)")
    done = subprocess.run([sys.executable, "-m", "benchmarks"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "== good\nmedian 1 µs" in done.stdout
    assert done.stderr == "failed: bench_bad\n"
