import os
import zipfile
from pathlib import Path

from turnout.deploy.agentcore.package.archive import sha256_of, tidy, write_zip


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    one = fill(tmp_path / "one", "a.py", "b/c.py", "b.py")
    other = fill(tmp_path / "other", "b.py", "b/c.py", "a.py")
    os.utime(other / "a.py", (0, 0))
    (other / "a.py").chmod(0o600)
    write_zip(one, tmp_path / "one.zip")
    write_zip(other, tmp_path / "other.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()
    (other / "a.py").write_text("changed")
    write_zip(other, tmp_path / "changed.zip")
    assert sha256_of(tmp_path / "changed.zip") != sha256_of(tmp_path / "one.zip")


def test_everybody_may_read_what_is_in_it(tmp_path: Path) -> None:
    folder = fill(tmp_path / "folder", "a.py", "b/c.py")
    (folder / "a.py").chmod(0o600)
    write_zip(folder, tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.namelist() == ["a.py", "b/c.py"]
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644}
        assert archive.testzip() is None


def test_what_names_this_machine_does_not_travel(tmp_path: Path) -> None:
    folder = fill(
        tmp_path,
        "pkg/a.py",
        "pkg/__pycache__/a.pyc",
        "bin/opentelemetry-instrument",
        ".lock",
        "pkg-1.dist-info/METADATA",
        "pkg-1.dist-info/direct_url.json",
        "pkg-1.dist-info/INSTALLER",
        "pkg-1.dist-info/uv_cache.json",
    )
    record = "../../bin/x,,\nbin/opentelemetry-instrument,sha256=x,1\npkg/a.py,sha256=y,2\n"
    record += 'pkg-1.dist-info/direct_url.json,sha256=z,3\npkg-1.dist-info/METADATA,,\n"pkg/gone, too.py",,\n'
    (folder / "pkg-1.dist-info" / "RECORD").write_text(record)
    tidy(folder)
    left = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert left == ["pkg-1.dist-info/METADATA", "pkg-1.dist-info/RECORD", "pkg/a.py"]
    assert (folder / "pkg-1.dist-info" / "RECORD").read_text() == "pkg-1.dist-info/METADATA,,\npkg/a.py,sha256=y,2\n"
