from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from labs.run import VARIES, differences, execute, notebooks, problems, read, tidy, write

pytestmark = pytest.mark.once

v4: Any = nbformat.v4


def notebook(*cells: Any) -> Any:
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return v4.new_notebook(cells=list(cells))


def printed(text: str, *, tags: list[str] | None = None, name: str = "stdout") -> Any:
    """A code cell that has printed a text."""
    cell = v4.new_code_cell("...", outputs=[v4.new_output("stream", name=name, text=text)])
    if tags:
        cell.metadata["tags"] = tags
    return cell


class TestNotebooks:
    def test_they_come_in_order(self) -> None:
        assert [path.name for path in notebooks()] == ["03-prompt-caching.ipynb", "04-llm-routing.ipynb"]

    def test_one_is_found_by_the_beginning_of_its_name(self) -> None:
        assert [path.name for path in notebooks(["04"])] == ["04-llm-routing.ipynb"]

    def test_an_unknown_one_is_told_with_those_that_there_are(self) -> None:
        with pytest.raises(ValueError, match=r"no notebook begins with '05'; there are 03-prompt-caching"):
            notebooks(["04", "05"])


@pytest.fixture(scope="module")
def run() -> Any:
    cells = [
        v4.new_code_cell("import os\nprint('a')"),
        v4.new_code_cell("os.environ['GIVEN']"),
        v4.new_code_cell("raise ValueError('no')"),
        v4.new_code_cell("print('never')"),
    ]
    return execute(notebook(*cells), {**os.environ, "GIVEN": "here"})


class TestExecute:
    def test_cells_run_with_that_environment(self, run: Any) -> None:
        assert run.cells[0].outputs[0].text == "a\n"
        assert run.cells[1].outputs[0].data["text/plain"] == "'here'"

    def test_it_ends_at_the_first_error(self, run: Any) -> None:
        assert [line for line in problems(run) if "ValueError" in line] == problems(run)
        assert len(problems(run)) == 1
        assert run.cells[3].outputs == []

    def test_nothing_of_the_execution_is_left(self, run: Any) -> None:
        assert {cell.execution_count for cell in run.cells} == {None}
        assert all(not cell.metadata for cell in run.cells)


class TestTidy:
    def test_neighbours_of_one_stream_are_joined_and_terminal_codes_go(self) -> None:
        cell = v4.new_code_cell(
            "...",
            outputs=[
                v4.new_output("stream", name="stdout", text="\x1b[1mone"),
                v4.new_output("stream", name="stdout", text=" two\n"),
                v4.new_output("stream", name="stderr", text="three"),
                v4.new_output("display_data", data={"text/plain": "\x1b[31mred\x1b[0m   \nline"}),
            ],
            execution_count=7,
            metadata={"execution": {"iopub.status.busy": "now"}, "tags": [VARIES]},
        )
        (one,) = tidy(notebook(cell)).cells
        assert [output.get("text") for output in one.outputs] == ["one two\n", "three", None]
        assert one.outputs[2].data["text/plain"] == "red\nline"
        assert one.execution_count is None
        assert one.metadata == {"tags": [VARIES]}


class TestProblems:
    def test_what_is_written_to_standard_error_is_one(self) -> None:
        assert problems(notebook(printed("Warning: old\n", name="stderr"))) == [
            "cell cell-0 wrote to standard error: Warning: old"
        ]

    def test_what_is_printed_is_none(self) -> None:
        assert problems(notebook(printed("fine\n"))) == []


class TestDifferences:
    @pytest.mark.parametrize(
        ("was", "now"),
        [
            ("cost 0.043542 $", "cost 0.043542 $"),
            ("cost 0.043542 $", "cost 0.043543 $"),
            ("p  0.50", "p 0.49"),
            ("simple (0.99)", "simple (1.00)"),
        ],
    )
    def test_one_in_the_last_place_is_none(self, was: str, now: str) -> None:
        assert differences(notebook(printed(was)), notebook(printed(now))) == []

    @pytest.mark.parametrize(
        ("was", "now"),
        [
            ("cost 0.043542 $", "cost 0.043544 $"),
            ("0.50", "0.500"),
            ("4 of 5", "5 of 5"),
            ("simple 0.50", "complex 0.50"),
            ("a 0.50", "a 0.50 b"),
        ],
    )
    def test_anything_else_is_told(self, was: str, now: str) -> None:
        (found,) = differences(notebook(printed(was)), notebook(printed(now)))
        assert found == f"cell cell-0: stored is {was!r}, now it is {now!r}"

    def test_a_line_too_many_is_told(self) -> None:
        (found,) = differences(notebook(printed("a\n")), notebook(printed("a\nb\n")))
        assert "another number of lines" in found

    def test_a_cell_whose_figures_vary_must_have_printed_something(self) -> None:
        slow, fast = printed("9 ms", tags=[VARIES]), printed("2 ms", tags=[VARIES])
        assert differences(notebook(slow), notebook(fast)) == []
        (found,) = differences(notebook(slow), notebook(v4.new_code_cell("...")))
        assert found == "cell cell-0: stored are ['stream stdout'], now there are none"


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "notebook.ipynb"
    write(notebook(printed("ü\n")), path)
    assert path.read_bytes().endswith(b"}\n")
    assert read(path).cells[0].outputs[0].text == "ü\n"
