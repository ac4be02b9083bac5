"""Runs every benchmark, each in a process of its own, one after the other.

A benchmark is a file ``bench_*.py`` with a ``main()`` that prints a table of medians and the conditions they hold
under. Words given on the command line pick the files whose name holds one of them.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent


def chosen(words: Sequence[str], folder: Path = HERE) -> list[str]:
    """The names of the benchmarks in ``folder`` that hold one of the words; all of them without a word."""
    names = sorted(path.stem for path in folder.glob("bench_*.py"))
    return [name for name in names if not words or any(word in name for word in words)]


def main(words: Sequence[str]) -> int:
    """Run the chosen benchmarks.

    Returns:
        2 if there is none by those words, 1 if one failed, else 0.
    """
    names = chosen(words)
    if not names:
        print(f"no benchmark has {' or '.join(words)} in its name: {', '.join(chosen([]))}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.platform()}", flush=True)
    failed = []
    for name in names:
        print(f"\n== {name.removeprefix('bench_')}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=HERE.parent).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
