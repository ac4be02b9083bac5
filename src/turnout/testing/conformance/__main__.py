"""Run the suite on a layer: ``python -m turnout.testing.conformance --adapter module:function``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from turnout.testing.conformance.cases import KINDS, load_cases
from turnout.testing.conformance.running import Carry, Report, run
from turnout.testing.conformance.table import markdown


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases and print what came of them; 0 if all passed, 1 if one failed, 2 if none could be run."""
    parser = argparse.ArgumentParser(
        prog="python -m turnout.testing.conformance",
        description="Runs the cases of history that goes from one model to another on a layer that carries it.",
    )
    parser.add_argument("--adapter", metavar="MODULE:FUNCTION", help="the layer to run them on")
    parser.add_argument("--kind", action="append", choices=KINDS, default=[], help="run cases of this kind alone")
    parser.add_argument("--verbose", action="store_true", help="print the cases that passed too")
    parser.add_argument("--table", action="store_true", help="print what is expected as a Markdown table, and run none")
    parser.epilog = (
        "The adapter is called as function(history, source, target, markers) and returns {'history': ...} or "
        "{'refusal': '...'}; python -c 'help(\"turnout.testing.conformance\")' says more."
    )
    options = parser.parse_args(arguments)
    cases = load_cases(*options.kind)
    if options.table:
        print(markdown(cases), end="")
        return 0
    if options.adapter is None:
        parser.error("give the layer: --adapter module:function")
    try:
        adapter = _adapter(options.adapter)
    except (ImportError, AttributeError, ValueError) as error:
        print(f"--adapter {options.adapter}: {error}", file=sys.stderr)
        return 2
    report = run(adapter, cases)
    _print(report, verbose=options.verbose)
    return 0 if report.passed else 1


def _adapter(name: str) -> Carry:
    module, _, function = name.partition(":")
    if not module or not function:
        raise ValueError("write it as module:function")
    sys.path.insert(0, "")
    found: Carry = getattr(importlib.import_module(module), function)
    if not callable(found):
        raise ValueError(f"{function} is no function")
    return found


def _print(report: Report, *, verbose: bool) -> None:
    for case in report.cases:
        if verbose or not case.passed:
            print(f"{'pass' if case.passed else 'FAIL'}  {case.case.kind:<9} {case.case.id}: {case.outcome}")
        if not case.passed:
            print(f"      {case.problem}")
            print(f"      {case.case.why} ({case.case.rule['title']}, {case.case.rule['url']})")
    print(f"{'kind':<9} {'cases':>5} {'passed':>6} {'failed':>6}")
    for kind in KINDS:
        ours = [case for case in report.cases if case.case.kind == kind]
        if ours:
            failed = sum(not case.passed for case in ours)
            print(f"{kind:<9} {len(ours):>5} {len(ours) - failed:>6} {failed:>6}")
    print(f"{'all':<9} {len(report.cases):>5} {len(report.cases) - len(report.failed):>6} {len(report.failed):>6}")


if __name__ == "__main__":
    sys.exit(main())
