"""Finds what must stand in no file of the project: the host of a package registry, a path of one machine.

A host would tie the project to one registry, where pip's configuration says which one a machine uses; a path of one
machine is true there only. Looked through is every text file that git knows or would take up.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Words that the hosts of package registries are made of; written so that this file does not name one itself.
_REGISTRIES = "pypi|pythonhosted|npmjs|conda|crates"
_HOST = re.compile(rf"\b[\w.-]*(?:{_REGISTRIES})[\w-]*\.(?:org|com|io|net|python)\b", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w.~$}-])/(?:root|work|farm|(?:home|Users)/\w+)/[\w.]+")


def findings(name: str, text: str) -> Iterator[str]:
    """What is wrong in a text, one line for each place."""
    for number, line in enumerate(text.splitlines(), 1):
        for kind, pattern in (("host of a package registry", _HOST), ("path of one machine", _PATH)):
            for match in pattern.finditer(line):
                yield f"{name}:{number}: {kind}: {match.group()}"


def files(root: Path) -> list[Path]:
    """Every file that git knows in that checkout or would take up."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    return [path for name in sorted(set(listed.split("\0"))) if name and (path := root / name).is_file()]


def main(root: Path = ROOT) -> int:
    """Look through the checkout; 1 if something was found, else 0."""
    found: list[str] = []
    for path in files(root):
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            found += findings(path.relative_to(root).as_posix(), content.decode("utf-8", errors="replace"))
    print("\n".join(found) or "no registry host, no path of one machine", file=sys.stderr if found else sys.stdout)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
