"""Every example of README and docs runs, and prints what the page says it prints."""

from __future__ import annotations

import builtins
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.docs.examples import Block, ExampleError, blocks, run_page, unseen_blocks
from tests.trace.otel import fresh_tracing

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("README.md")])


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# What a page says does not hang on the version of Python; the first page that is read is tried on all of them.
ON_EVERY_PYTHON = {"README.md"}


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=() if name(path) in ON_EVERY_PYTHON else pytest.mark.once) for path in PAGES],
    ids=name,
)
def test_every_example_of_the_page_runs(
    path: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Keys and runs that another page has made are none of this one's.
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
    wanted = [block for block in blocks(path) if block.language in ("python", "console")]
    assert unseen_blocks(path) == []
    with fresh_tracing(monkeypatch):
        ran = run_page(path, tmp_path, ROOT)
    assert ran == len([block for block in wanted if block.skipped_because is None])


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "page.md"


def run(page: Path, text: str) -> int:
    page.write_text(text, encoding="utf-8")
    return run_page(page, page.parent, ROOT)


def test_python_blocks_build_on_each_other(page: Path) -> None:
    text = "```python\nx = 20\n```\nthen\n```python\nprint(x + 1)\n#> 21\nprint('a')\n#> a\n```\n"
    assert run(page, text) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\nprint(1)\n#> 2\n```\n", "shown and printed differ"),
        ("```python\nprint(1)\nprint(2)\n#> 1\n```\n", "shown and printed differ"),
        ("```console\n$ python -c 'exit(3)'\n```\n", "ended with 3"),
        ("```console exact\n$ python -c 'print(1)'\n2\n```\n", "shown and printed differ"),
        ("```console\n$ rm -r /tmp/no-such-folder\n```\n", "only turnout and python"),
        ("```console no-run\n$ make demo\n```\n", "say why"),
        ("```console\nturnout --help\n```\n", "starts with a line"),
        ("```console\n```\n", "holds no command"),
        ("```bash\nturnout\n```\n", "not 'bash'"),
        ("```\nturnout\n```\n", "not ''"),
    ],
)
def test_what_a_page_may_not_say(page: Path, text: str, message: str) -> None:
    with pytest.raises(ExampleError, match=message):
        run(page, text)


def test_an_error_in_a_block_is_traced_to_the_line_of_the_page(page: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        run(page, "one\n\n```python\nx = 1\nx / 0\n```\n")
    assert caught.traceback[-1].lineno + 1 == 5


STARTED = """
import http.server, subprocess, sys, threading
from turnout.testing.completions import OpenAIDouble

doubles = [OpenAIDouble().start()]
program = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); import time; time.sleep(600)"], stdout=-1)
program.stdout.readline()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
import builtins
builtins.started_by_a_page = doubles[0], program, server
"""


@pytest.mark.parametrize("failing", [True, False])
def test_what_a_page_started_is_ended(page: Path, failing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtins, "started_by_a_page", (), raising=False)
    with pytest.raises(ZeroDivisionError) if failing else nullcontext():
        run(page, f"```python\n{STARTED}\n{'1 / 0' if failing else ''}\n```\n")
    double, program, server = builtins.started_by_a_page  # type: ignore[attr-defined] # what the page has set
    assert program.poll() is not None
    assert server.socket.fileno() == -1
    with pytest.raises(RuntimeError, match="not running"):
        _ = double.url


@pytest.mark.parametrize(
    "text",
    [
        "```console exact\n$ python -c 'print(1); print(2); print(3)'\n1\n...\n3\n$ python -c 'print(4)'\n4\n```\n",
        "```console exact exit=2\n$ python -c \\\n    'print(1); exit(2)'\n1\n```\n",
        "```console\n$ python -c 'print(1)'\nanything, as the block does not say exact\n```\n",
    ],
)
def test_console_blocks(page: Path, text: str) -> None:
    assert run(page, text) == 1


def test_what_does_not_run(page: Path) -> None:
    text = "```console no-run: needs an AWS account\n$ make demo ARGS=--live\n```\n```toml\nx = 1\n```\n"
    assert run(page, text) == 0
    assert [block.skipped_because for block in blocks(page)] == ["needs an AWS account", None]


def test_fences_that_are_not_seen_are_found(page: Path) -> None:
    page.write_text("```text\nfine\n```\n\n- item\n\n  ```python\n  1 / 0\n  ```\n\n~~~python\n", encoding="utf-8")
    assert unseen_blocks(page) == [7, 9, 11]
    assert [block.text for block in blocks(page)] == ["fine\n"]


def test_where_a_block_stands() -> None:
    assert Block(Path("a.md"), 3, "python", "", "").where == "a.md:3"
