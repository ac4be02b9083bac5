"""Refuses a package that AgentCore could not run: a wheel or a binary for another machine, or too many bytes.

AgentCore says of such a package only that its code is not compatible, minutes after it was uploaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from turnout.deploy.agentcore.errors import PackageError
from turnout.deploy.agentcore.package.value import MAX_IMAGE, MAX_UNZIPPED, MAX_ZIPPED

E_MACHINE = {"aarch64": 183, "x86_64": 62}
"""The number of a processor in the header of an ELF file: EM_AARCH64 and EM_X86_64 of <elf.h>."""

_PROCESSORS = {number: name for name, number in E_MACHINE.items()}
_MOST_NAMED = 5

# Native code of other systems begins so: Mach-O in both byte orders and widths, and its fat form.
_MACH_O = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xfe\xed\xfa\xce")
_TAG = re.compile(r"^Tag: (?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>\S+)\s*$", re.MULTILINE)


class Checked(NamedTuple):
    """What was looked at: how many wheels and native files."""

    wheels: int
    binaries: int


def check_folder(folder: Path, machine: str, python: str) -> Checked:
    """Look at every wheel's tags and every native file's header.

    Args:
        folder: The unpacked package.
        machine: The processor it is for: ``aarch64`` or ``x86_64``.
        python: The Python it is for, such as ``3.12``.

    Raises:
        PackageError: Something is for another machine or another Python; the message names some of it.
    """
    wrong: list[str] = []
    wheels = binaries = 0
    for metadata in sorted(folder.glob("*.dist-info/WHEEL")):
        wheels += 1
        text = metadata.read_text(encoding="utf-8", errors="replace")
        tags = [(match["python"], match["abi"], match["platform"]) for match in _TAG.finditer(text)]
        if not any(fits(*tag, machine=machine, python=python) for tag in tags):
            name = metadata.parent.name.removesuffix(".dist-info")
            wrong.append(f"{name} is for {' or '.join('-'.join(tag) for tag in tags) or 'nothing that it names'}")
    for path in _files(folder):
        processor = processor_of(path)
        if processor is None:
            continue
        binaries += 1
        if processor != machine:
            wrong.append(f"{path.relative_to(folder)} is for {processor}")
    if wrong:
        more = f" and {len(wrong) - _MOST_NAMED} more" if len(wrong) > _MOST_NAMED else ""
        raise PackageError(
            f"the package is for {machine} and Python {python}, but " + "; ".join(wrong[:_MOST_NAMED]) + more
        )
    return Checked(wheels, binaries)


def fits(python_tag: str, abi_tag: str, platform_tag: str, *, machine: str, python: str) -> bool:
    """Whether a wheel's tag fits a CPython with glibc on that processor.

    Limitation: the version of glibc that a ``manylinux_2_x`` tag wants is not compared; uv chose it for its platform.
    """
    return any(
        _fits(one, abi, platform, machine, python)
        for one in python_tag.split(".")
        for abi in abi_tag.split(".")
        for platform in platform_tag.split(".")
    )


def _fits(python_tag: str, abi_tag: str, platform_tag: str, machine: str, python: str) -> bool:
    minor = int(python.partition(".")[2])
    if platform_tag != "any" and not (
        platform_tag.startswith(("manylinux", "linux")) and platform_tag.endswith(f"_{machine}")
    ):
        return False
    if abi_tag == "none" and python_tag in {"py3", "py2.py3", f"py3{minor}", f"cp3{minor}", "cp3"}:
        return True
    match = re.fullmatch(r"(?:cp|py)3(\d+)", python_tag)
    if match is None:
        return False
    if abi_tag in {"abi3", "none"}:  # the stable ABI of an older Python runs on newer ones
        return int(match[1]) <= minor
    return int(match[1]) == minor and abi_tag == f"cp3{minor}"


def processor_of(path: Path) -> str | None:
    """The processor that a file is native code for: a name of `E_MACHINE`, or words; none for what is no code."""
    with path.open("rb") as file:
        head = file.read(20)
    if head[:4] == b"\x7fELF" and len(head) == 20:
        order = "big" if head[5] == 2 else "little"
        number = int.from_bytes(head[18:20], "big" if order == "big" else "little")
        if head[4] != 2 or order == "big":
            return f"another kind of Linux (e_machine {number})"
        return _PROCESSORS.get(number, f"another processor (e_machine {number})")
    if head[:4] in _MACH_O:
        return "macOS"
    return None


def check_image(unzipped: int) -> None:
    """Hold what goes into an image against AgentCore's limit; its base comes on top, some 50 MB.

    Raises:
        PackageError: It is above.
    """
    if unzipped > MAX_IMAGE:
        raise PackageError(
            f"the image has more than {unzipped / 1024**2:,.0f} MB, AgentCore takes {MAX_IMAGE / 1024**2:,.0f} MB"
        )


def check_size(zipped: int, unzipped: int) -> None:
    """Hold the sizes against AgentCore's limits.

    Raises:
        PackageError: One is above.
    """
    for what, size, most in (("zip", zipped, MAX_ZIPPED), ("unpacked package", unzipped, MAX_UNZIPPED)):
        if size > most:
            raise PackageError(
                f"the {what} has {size / 1024**2:,.0f} MB, AgentCore takes {most / 1024**2:,.0f} MB: leave out what "
                "the agent does not need, or deploy with --container"
            )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
