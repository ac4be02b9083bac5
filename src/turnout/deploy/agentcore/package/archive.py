"""Writes a zip that depends on nothing but its files: the same files give the same bytes.

So the hash of a zip says what is in it: what was uploaded under it need not be uploaded again.

Known limitation: compressed bytes may differ between versions of zlib; then the package is uploaded once more.
"""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import zipfile
from pathlib import Path

# Zip knows no date before 1980.
_DATE = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644
_UNIX = 3

# What an installer notes about itself and about this machine, such as paths of its cache.
_NOTES = ("direct_url.json", "uv_cache.json", "INSTALLER", "REQUESTED")


def tidy(folder: Path) -> None:
    """Take out what must not travel: scripts that name this machine's Python, caches, and installers' notes.

    The scripts include ``opentelemetry-instrument``; nothing in the package starts through them.
    """
    for path in sorted(folder.rglob("__pycache__")):
        shutil.rmtree(path, ignore_errors=True)
    for name in ("bin", ".lock"):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
    for metadata in sorted(folder.glob("*.dist-info")):
        for name in _NOTES:
            (metadata / name).unlink(missing_ok=True)
        record = metadata / "RECORD"
        if record.exists():
            _rewrite(record, folder)


def write_zip(folder: Path, path: Path) -> None:
    """Write every file of a folder into a zip, in order of their names, with one date and one mode."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in sorted((file for file in folder.rglob("*") if file.is_file()), key=lambda one: one.as_posix()):
            info = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _DATE)
            info.create_system = _UNIX
            # AgentCore unpacks as root and runs as another user: everybody must be able to read.
            info.external_attr = _FILE_MODE << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, file.read_bytes())


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rewrite(record: Path, folder: Path) -> None:
    """The installed files of a package without those that are not there any more."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    with record.open(encoding="utf-8", newline="") as file:
        rows = sorted(row for row in csv.reader(file) if row and (folder / row[0]).is_file())
    writer.writerows(rows)
    record.write_text(lines.getvalue(), encoding="utf-8")
