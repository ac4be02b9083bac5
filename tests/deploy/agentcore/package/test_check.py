import struct
from pathlib import Path

import pytest

from turnout.deploy.agentcore.errors import PackageError
from turnout.deploy.agentcore.package.check import check_folder, check_image, check_size, fits, processor_of


def elf(machine: int, *, bits: int = 2, order: int = 1) -> bytes:
    head = b"\x7fELF" + bytes([bits, order, 1]) + bytes(9)
    return head + struct.pack("<HH" if order == 1 else ">HH", 3, machine) + bytes(44)


def wheel(folder: Path, name: str, *tags: str) -> None:
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "WHEEL").write_text("Wheel-Version: 1.0\n" + "".join(f"Tag: {tag}\n" for tag in tags))


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def package(tmp_path: Path) -> Path:
    wheel(tmp_path, "pure", "py3-none-any")
    wheel(tmp_path, "native", "cp312-cp312-manylinux_2_17_aarch64", "cp312-cp312-manylinux2014_aarch64")
    wheel(tmp_path, "stable", "cp39-abi3-manylinux2014_aarch64")
    write(tmp_path / "native" / "x.so", elf(183))
    write(tmp_path / "pure" / "x.py", b"print()")
    write(tmp_path / "empty", b"")
    return tmp_path


def test_a_package_for_the_right_machine_passes(package: Path) -> None:
    assert check_folder(package, "aarch64", "3.12") == (3, 1)


def test_wheels_and_binaries_for_another_machine_are_named(package: Path) -> None:
    with pytest.raises(PackageError) as caught:
        check_folder(package, "x86_64", "3.12")
    text = str(caught.value)
    assert text.startswith("the package is for x86_64 and Python 3.12, but native-1.0 is for cp312-cp312-manylinux")
    assert "native/x.so is for aarch64" in text
    assert "pure" not in text


def test_a_binary_in_a_pure_wheel_is_found(package: Path) -> None:
    write(package / "pure" / "sneaked.so", elf(62))
    with pytest.raises(PackageError, match=r"but pure/sneaked.so is for x86_64$"):
        check_folder(package, "aarch64", "3.12")


def test_another_python_is_found(package: Path) -> None:
    with pytest.raises(PackageError, match=r"native-1\.0 is for cp312"):
        check_folder(package, "aarch64", "3.13")


def test_a_wheel_without_tags_is_for_nothing(package: Path) -> None:
    wheel(package, "odd")
    with pytest.raises(PackageError, match=r"odd-1\.0 is for nothing that it names"):
        check_folder(package, "aarch64", "3.12")


def test_not_everything_is_listed(tmp_path: Path) -> None:
    for number in range(8):
        write(tmp_path / f"{number}.so", elf(62))
    with pytest.raises(PackageError, match=r"4.so is for x86_64 and 3 more$"):
        check_folder(tmp_path, "aarch64", "3.12")


@pytest.mark.parametrize(
    ("content", "processor"),
    [
        (elf(183), "aarch64"),
        (elf(62), "x86_64"),
        (elf(243), "another processor (e_machine 243)"),
        (elf(40, bits=1), "another kind of Linux (e_machine 40)"),
        (elf(183, order=2), "another kind of Linux (e_machine 183)"),
        (b"\xcf\xfa\xed\xfe" + bytes(40), "macOS"),
        (b"\x7fELF", None),
        (b"#!/bin/sh", None),
        (b"", None),
    ],
)
def test_the_processor_stands_in_the_header(tmp_path: Path, content: bytes, processor: str | None) -> None:
    assert processor_of(write(tmp_path / "file", content)) == processor


def test_this_very_python_is_for_this_machine() -> None:
    import _ssl
    import platform

    assert processor_of(Path(_ssl.__file__)) == platform.machine()


@pytest.mark.parametrize(
    ("tag", "fitting"),
    [
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("py2-none-any", False),
        ("cp312-cp312-manylinux2014_aarch64", True),
        ("cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64", True),
        ("cp312-cp312-manylinux2014_x86_64", False),
        ("cp312-cp312-musllinux_1_2_aarch64", False),
        ("cp312-cp312-macosx_11_0_arm64", False),
        ("cp313-cp313-manylinux2014_aarch64", False),
        ("cp310-abi3-manylinux2014_aarch64", True),
        ("cp313-abi3-manylinux2014_aarch64", False),
        ("cp312-cp312t-manylinux2014_aarch64", False),
        ("pp310-pypy310_pp73-manylinux2014_aarch64", False),
        ("py3-none-manylinux2014_aarch64", True),
        ("cp311-none-any", True),
        ("cp312-none-linux_aarch64", True),
    ],
)
def test_tags(tag: str, fitting: bool) -> None:
    python, abi, platform = tag.split("-")
    assert fits(python, abi, platform, machine="aarch64", python="3.12") is fitting


def test_agentcores_limits() -> None:
    mebibyte = 1024**2
    check_size(250 * mebibyte, 750 * mebibyte)
    check_image(2048 * mebibyte)
    with pytest.raises(PackageError, match="more than 2,049 MB, AgentCore takes 2,048 MB"):
        check_image(2049 * mebibyte)
    with pytest.raises(PackageError, match="the zip has 251 MB, AgentCore takes 250 MB"):
        check_size(251 * mebibyte, 1)
    with pytest.raises(PackageError, match="the unpacked package has 751 MB, AgentCore takes 750 MB"):
        check_size(1, 751 * mebibyte)
