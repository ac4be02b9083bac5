"""Finds the examples in a page of the docs and runs them. CONTRIBUTING.md tells writers the rules.

All blocks of a page run in order, in one namespace and one empty folder, so that an example may build on the one
before it. Limitation: only fenced blocks at the start of a line are seen; `unseen_blocks` finds the others.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnout.testing.loopback import LoopbackDouble

RUN = ("python", "console")
SHOWN = ("css", "html", "http", "json", "jsonc", "makefile", "mermaid", "text", "toml", "yaml")
TIMEOUT_S = 300
ENDING_S = 10

_BLOCK = re.compile(r"^```([^\n`]*)\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"exit=(\d+)")
_OUTPUT = "#>"


class ExampleError(AssertionError):
    """An example does not do what the page says."""


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, what its first line says, and its text.

    Attributes:
        path: The page.
        line: The line of its first line of text, from 1.
        language: The first word after the fence.
        options: What follows on that line.
        text: What stands between the fences.
    """

    path: Path
    line: int
    language: str
    options: str
    text: str

    @property
    def where(self) -> str:
        """Page and line, for messages."""
        return f"{self.path}:{self.line}"

    @property
    def skipped_because(self) -> str | None:
        """The reason that ``no-run:`` gives; none if the block runs."""
        if not self.options.startswith("no-run"):
            return None
        reason = self.options.removeprefix("no-run").removeprefix(":").strip()
        if not reason:
            raise ExampleError(f"{self.where}: say why it does not run: ```{self.language} no-run: the reason")
        return reason


def blocks(path: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order.

    Raises:
        ExampleError: A block's language is neither run nor known to be only shown.
    """
    page = path.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(page):
        language, _, options = match.group(1).strip().partition(" ")
        block = Block(path, page.count("\n", 0, match.start(2)) + 1, language, options.strip(), match.group(2))
        if language not in RUN + SHOWN:
            raise ExampleError(f"{block.where}: a block is one of {', '.join(RUN + SHOWN)}, not {language!r}")
        yield block


def unseen_blocks(path: Path) -> list[int]:
    """Lines with a fence that `blocks` does not see: indented, made of tildes, or never closed."""
    page = path.read_text(encoding="utf-8")
    rest = _BLOCK.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), page)
    return [number for number, line in enumerate(rest.splitlines(), 1) if re.match(r"\s*(```|~~~)", line)]


def run_page(path: Path, folder: Path, root: Path) -> int:
    """Run every block of a page in ``folder``, and end what it started: also where a block fails.

    Args:
        path: The page.
        folder: An empty folder that the process is in already.
        root: The checkout; ``python -m examples...`` finds its modules there.

    Returns:
        How many blocks ran.

    Raises:
        ExampleError: A command ended otherwise, or something else was printed than the page says.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    ran = 0
    try:
        for block in blocks(path):
            if block.language not in RUN or block.skipped_because is not None:
                continue
            if block.language == "python":
                _run_python(block, namespace)
            else:
                _run_console(block, folder, root)
            ran += 1
    finally:
        _end_what_runs(namespace)
    return ran


def _end_what_runs(namespace: dict[str, Any]) -> None:
    """End the programs and the servers that a page's names still hold, alone or in a list or tuple.

    Limitation: what no name of the page holds is not found.
    """
    for value in namespace.values():
        for one in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(one, subprocess.Popen):
                _end(one)
            elif isinstance(one, LoopbackDouble):
                one.stop()
            elif isinstance(one, socketserver.BaseServer):
                # In a thread of its own: it waits for ever for a server that never served.
                ending = threading.Thread(target=one.shutdown, daemon=True)
                ending.start()
                ending.join(ENDING_S)
                one.server_close()


def _end(program: subprocess.Popen[Any]) -> None:
    if program.poll() is None:
        program.terminate()
    try:
        program.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
    for stream in (program.stdin, program.stdout, program.stderr):
        if stream is not None:
            stream.close()


def _run_python(block: Block, namespace: dict[str, Any]) -> None:
    """Execute the block; what it prints must be what its ``#>`` lines say, where it has any."""
    source = "\n" * (block.line - 1) + block.text  # a traceback names the page's own line
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, str(block.path), "exec", dont_inherit=True), namespace)
    shown = [
        line.strip()[len(_OUTPUT) :].strip() for line in block.text.splitlines() if line.strip().startswith(_OUTPUT)
    ]
    if shown:
        _compare(block, shown, [line.strip() for line in printed.getvalue().splitlines()])


def _run_console(block: Block, folder: Path, root: Path) -> None:
    """Run each ``$`` line in a shell; what follows it is its output, compared where the block says ``exact``."""
    wanted_exit = int(match.group(1)) if (match := _EXIT.search(block.options)) else 0
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(root),
        "COLUMNS": "100",
    }
    for command, shown in _commands(block):
        program = command.split()[0]
        if program not in ("turnout", "python"):
            raise ExampleError(f"{block.where}: only turnout and python run here, not {program!r}; or say no-run: why")
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
        )
        if done.returncode != wanted_exit:
            raise ExampleError(f"{block.where}: `{command}` ended with {done.returncode}:\n{done.stdout[-2000:]}")
        if "exact" in block.options.split():
            _compare(block, shown, [line.rstrip() for line in done.stdout.rstrip().splitlines()])


def _commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a block, lines that end in a backslash joined, with the lines shown below it."""
    command, shown = "", list[str]()
    for line in block.text.rstrip().splitlines():
        if command.endswith("\\"):
            command = command[:-1] + line.strip()
        elif line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line[2:].strip(), []
        elif command:
            shown.append(line.rstrip())
        else:
            raise ExampleError(f"{block.where}: a console block starts with a line `$ command`")
    if not command:
        raise ExampleError(f"{block.where}: the block holds no command")
    yield command, shown


def _compare(block: Block, shown: list[str], printed: list[str]) -> None:
    """Hold what is shown against what was printed; a line ``...`` stands for any number of lines.

    How wide a table is may hang on the path that stands in it, so runs of blanks and of lines count as one.
    """
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(_narrow(line)) + r"\n" for line in shown)
    if not re.fullmatch(pattern, "".join(f"{_narrow(line)}\n" for line in printed)):
        lines = "\n".join(printed)
        raise ExampleError(f"{block.where}: shown and printed differ; printed was:\n{lines}")


def _narrow(line: str) -> str:
    """The line with each run of blanks, or of one character of a frame, as one."""
    return re.sub(r"([ ─━═])\1+", r"\1", line)
