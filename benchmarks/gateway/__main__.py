"""The gateway's benchmark: ``make bench ARGS=gateway``, or ``python -m benchmarks.gateway`` with options."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.gateway.run import measure, missed, report


def main(arguments: list[str]) -> int:
    """Measure, print the table, write the figures.

    Returns:
        1 where a target is missed, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="Rounds in turns; medians are taken. Default: 5.")
    parser.add_argument("--seconds", type=float, default=1.5, help="Seconds of each load. Default: 1.5.")
    parser.add_argument("--only", help="Only these, with commas; the bare relay and turnout always run.")
    parser.add_argument("--out", type=Path, default=Path("build/bench-gateway.json"), help="Where figures are written.")
    given = parser.parse_args(arguments)
    if not Path("/proc/self/stat").exists():
        print("skipped: CPU time of other processes is read from /proc, which this system lacks")
        return 0
    only = frozenset(filter(None, given.only.split(","))) if given.only is not None else None
    figures = measure(rounds=given.rounds, seconds=given.seconds, only=only)
    report(figures)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"figures: {given.out}")
    failed = missed(figures)
    for line in failed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
