"""Runs the notebooks from top to bottom, each in a fresh kernel: ``python -m labs.run [--check] [04 ...]``.

Without ``--check`` the outputs are stored in the notebooks, so that they can be read where they are not run. With it
nothing is written, and outputs that differ from the stored ones are told. With ``LIVE=1`` in the environment the
notebooks run on Amazon Bedrock, and the result goes to ``.turnout/labs`` and not into the repository.

Stored notebooks hold neither times nor counters of their execution, so that running them again changes only what their
cells print.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat as untyped_nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config

nbformat: Any = untyped_nbformat  # most of its functions have no types

LABS = Path(__file__).resolve().parent
LIVE_OUTPUT = LABS.parent / ".turnout" / "labs"

VARIES = "varies"
"""The tag of cells whose figures differ from machine to machine; their stored output is not compared."""

_CELL_SECONDS = 300
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_TERMINAL_CODE = re.compile(r"\x1b\[[0-9;]*m")
_FIGURE = re.compile(r"-?\d+\.\d+")


def notebooks(wanted: Sequence[str] = ()) -> list[Path]:
    """The notebooks whose names begin so, in order; without a beginning all of them.

    Raises:
        ValueError: No notebook begins so.
    """
    found = sorted(LABS.glob("*.ipynb"))
    for beginning in wanted:
        if not any(path.name.startswith(beginning) for path in found):
            raise ValueError(f"no notebook begins with {beginning!r}; there are {', '.join(p.name for p in found)}")
    return [path for path in found if not wanted or path.name.startswith(tuple(wanted))]


def execute(notebook: Any, environ: Mapping[str, str] = os.environ) -> Any:
    """A tidy copy of a notebook, run from top to bottom in a fresh kernel up to its end or its first error.

    Args:
        notebook: As ``nbformat`` reads it; it is not changed.
        environ: The kernel's environment.
    """
    run = nbformat.from_dict(notebook)
    for cell in run.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    with tempfile.TemporaryDirectory(prefix="turnout-lab-") as folder:
        # Sockets in a folder of our own: nobody else on the machine can reach the kernel.
        sockets = {"transport": "ipc", "ip": str(Path(folder) / "kernel")}
        client = NotebookClient(
            run,
            kernel_name="python3",
            timeout=_CELL_SECONDS,
            record_timing=False,
            resources={"metadata": {"path": str(LABS)}},
            config=Config({"ConnectionFileMixin": sockets}),
        )
        with suppress(CellExecutionError):  # the error stands in the cell's outputs
            asyncio.run(client.async_execute(env=dict(environ)))
    return tidy(run)


def tidy(notebook: Any) -> Any:
    """A notebook without counters, times and terminal codes, streams joined, and metadata the same everywhere."""
    notebook.metadata = nbformat.from_dict(_METADATA)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = [_tidy_output(output) for output in _joined(cell.outputs)]
    return notebook


def problems(notebook: Any) -> list[str]:
    """What should not be in a notebook that was run: errors, and everything that was written to standard error."""
    found = []
    for cell, output in _outputs(notebook):
        if output.output_type == "error":
            found.append(f"cell {cell.id}: {' '.join(output.traceback) or output.ename}")
        elif output.output_type == "stream" and output.name == "stderr":
            found.append(f"cell {cell.id} wrote to standard error: {output.text.strip()}")
    return found


def differences(stored: Any, fresh: Any) -> list[str]:
    """Where the text of two runs of a notebook differs: one line for each cell.

    Figures with a point may differ by one in their last place, since processors round differently. Pictures, and cells
    that are tagged as varying, are only looked at for being there.
    """
    found = []
    for one, other in zip(stored.cells, fresh.cells, strict=True):
        if one.cell_type != "code":
            continue
        before, after = _kinds(one), _kinds(other)
        if before != after:
            found.append(f"cell {one.id}: stored are {before or 'no outputs'}, now there are {after or 'none'}")
        elif VARIES not in one.metadata.get("tags", ()):
            lines = zip(_text(one).splitlines(), _text(other).splitlines(), strict=False)
            changed = next(((was, now) for was, now in lines if not _alike(was, now)), None)
            if changed is not None:
                found.append(f"cell {one.id}: stored is {changed[0].strip()!r}, now it is {changed[1].strip()!r}")
            elif _text(one).count("\n") != _text(other).count("\n"):
                found.append(f"cell {one.id}: the outputs have another number of lines")
    return found


def write(notebook: Any, path: Path) -> None:
    """Write a notebook, indented by one, with a newline at its end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(notebook, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> Any:
    """Read a notebook; an older or damaged one raises."""
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    return notebook


def _outputs(notebook: Any) -> Iterator[tuple[Any, Any]]:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            for output in cell.outputs:
                yield cell, output


def _joined(outputs: Sequence[Any]) -> list[Any]:
    """Outputs with neighbours of one stream put together: how a kernel cuts them is chance."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last is not None and last.output_type == "stream" == output.output_type and last.name == output.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _tidy_output(output: Any) -> Any:
    if "execution_count" in output:
        output.execution_count = None
    if output.output_type == "stream":
        output.text = _TERMINAL_CODE.sub("", output.text)
    if "text/plain" in output.get("data", {}):
        text = _TERMINAL_CODE.sub("", output.data["text/plain"])
        output.data["text/plain"] = "\n".join(line.rstrip() for line in text.splitlines())
    if output.output_type == "error":
        output.traceback = [_TERMINAL_CODE.sub("", line) for line in output.traceback]
    return output


def _kinds(cell: Any) -> list[str]:
    return [
        f"stream {output.name}" if output.output_type == "stream" else " ".join(sorted(output.get("data", ["error"])))
        for output in cell.outputs
    ]


def _text(cell: Any) -> str:
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "\n".join(text for text in texts if not text.startswith("<Figure"))


def _alike(was: str, now: str) -> bool:
    """Whether two lines are the same but for one in the last place of figures with a point."""
    if was == now:
        return True
    if _FIGURE.sub("#", was).split() != _FIGURE.sub("#", now).split():
        return False
    for one, other in zip(_FIGURE.findall(was), _FIGURE.findall(now), strict=True):
        places = len(one.partition(".")[2])
        if places != len(other.partition(".")[2]) or abs(float(one) - float(other)) > 1.5 * 10**-places:
            return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 1 if a notebook failed or, with ``--check``, prints something else than is stored."""
    parser = argparse.ArgumentParser(prog="python -m labs.run", description="Run the notebooks from top to bottom.")
    parser.add_argument("wanted", nargs="*", metavar="04", help="beginnings of names; default: all notebooks")
    parser.add_argument("--check", action="store_true", help="write nothing; tell where outputs differ from the stored")
    options = parser.parse_args(arguments)
    live = os.environ.get("LIVE", "").strip().lower() not in ("", "0", "false", "no")
    try:
        chosen = notebooks(options.wanted)
    except ValueError as error:
        parser.error(str(error))
    failed = False
    for path in chosen:
        print(f"{path.name} ...", flush=True)
        started = time.monotonic()
        stored = read(path)
        fresh = execute(stored)
        wrong = problems(fresh)
        if not live:
            wrong += differences(stored, fresh) if options.check and not wrong else []
        for line in wrong:
            print(f"  {line}", file=sys.stderr)
        failed = failed or bool(wrong)
        where = LIVE_OUTPUT / path.name if live else path
        if not options.check and (live or not wrong):
            write(fresh, where)
            ended = "stopped after" if wrong else "ran in"
            print(f"  {ended} {time.monotonic() - started:.0f} s; outputs are in {os.path.relpath(where)}")
        elif not wrong:
            print(f"  ran in {time.monotonic() - started:.0f} s; its outputs are the stored ones")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
