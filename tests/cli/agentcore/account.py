"""An account of moto's for the commands, and a uv that packs a handful of files."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/mine:1"

UV = """#!/bin/sh
# Installs one package for the machine that was asked for, as uv does with --target.
if [ "$1" = build ]; then
  while [ "$1" != --out-dir ]; do shift; done
  mkdir -p "$2"; touch "$2/turnout-0.1.0-py3-none-any.whl"; exit 0
fi
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/pkg" "$2/pkg-1.0.dist-info"
printf 'Tag: cp312-cp312-manylinux2014_aarch64\\n' > "$2/pkg-1.0.dist-info/WHEEL"
printf '\\177ELF\\002\\001\\001\\000\\000\\000\\000\\000\\000\\000\\000\\000\\003\\000MACHINE\\000' > "$2/pkg/native.so"
"""


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Credentials that moto takes, and its empty account."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    with mock_aws():
        yield


def small_uv(folder: Path, machine: int = 183) -> Path:
    """The small uv; its native file is for that machine of <elf.h>."""
    path = folder / "uv"
    path.write_text(UV.replace("MACHINE", f"\\{machine:03o}"))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def project(folder: Path) -> Path:
    """A project with an agent of its own."""
    (folder / "project").mkdir()
    (folder / "project" / "shop.py").write_text("agent = None\n")
    return folder / "project"
