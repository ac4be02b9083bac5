from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluate.outcomes.tables import answers, file_of
from turnout.evaluate.outcomes.convert import FORMATS
from turnout.evaluate.outcomes.table import Batch, OutcomesError

LABS = Path(__file__).parents[4] / "labs" / "data" / "outcomes_crux.jsonl"


def rows_of(name: str, *paths: Path) -> Batch:
    """All rows in one batch."""
    whole = Batch()
    for batch in FORMATS[name].read(paths):
        for column, values in batch.columns():
            getattr(whole, column).extend(values)
    return whole


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


Written = Callable[[str, str], Path]


class TestRouteLLM:
    def test_a_column_a_model(self, written: Written) -> None:
        path = written("mmlu_anatomy.csv", 'prompt,mixtral,gpt-4\n"Which?\nA. 0",True,False\nWhy?,,True\n')
        found = rows_of("routellm", path)
        assert found.model == ["mixtral", "gpt-4", "gpt-4"]
        assert found.score == [1.0, 0.0, 1.0]
        assert found.prompt == ["Which?\nA. 0", "Which?\nA. 0", "Why?"]
        assert set(zip(found.dataset, found.category, strict=True)) == {("mmlu", "anatomy")}
        assert found.cost_usd == [None] * 3

    def test_grades_may_be_numbers(self, written: Written) -> None:
        found = rows_of("routellm", written("gsm8k_responses.csv", "prompt,a,b\nq,0.5,1\n"))
        assert (found.score, found.dataset, found.category) == ([0.5, 1.0], ["gsm8k_responses"] * 2, ["", ""])

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("question,a\nq,True\n", "no column 'prompt'"),
            ("prompt\nq\n", "no column of a model"),
            ("prompt,a\nq,maybe\n", "line 2, column 'a', column score: must be a number, got 'maybe'"),
            ("prompt,a\nq,True,1\n", "line 2: more cells than the header names columns"),
        ],
    )
    def test_what_is_wrong_is_named(self, written: Written, text: str, message: str) -> None:
        with pytest.raises(OutcomesError, match=re.escape(message)):
            rows_of("routellm", written("x.csv", text))


class TestRouterBench:
    HEAD = (
        "sample_id,prompt,eval_name,m,n,m|model_response,m|total_cost,n|model_response,n|total_cost,"
        "oracle_model_to_route_to\n"
    )

    def test_grade_and_cost_of_each_model(self, written: Written) -> None:
        path = written(
            "rb.csv", self.HEAD + "s.1,ask,mmlu-law,1.0,0.25,x,0.001,y,0.02,m\ns.2,ask2,gsm8k,0.0,,x,,y,0.02,m\n"
        )
        found = rows_of("routerbench", path)
        assert list(zip(found.prompt_id, found.model, found.score, found.cost_usd, strict=True)) == [
            ("s.1", "m", 1.0, 0.001),
            ("s.1", "n", 0.25, 0.02),
            ("s.2", "m", 0.0, None),
        ]
        assert found.category == ["mmlu-law", "mmlu-law", "gsm8k"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("prompt,eval_name\na,b\n", "no column 'sample_id'"),
            ("sample_id,prompt,eval_name,m\n1,a,b,1\n", "there is no model"),
            ("sample_id,prompt,eval_name,m|total_cost\n1,a,b,1\n", "no column 'm' with the model's grade"),
        ],
    )
    def test_what_is_wrong_is_named(self, written: Written, text: str, message: str) -> None:
        with pytest.raises(OutcomesError, match=re.escape(message)):
            rows_of("routerbench", written("x.csv", text))

    def test_pickles_are_not_read(self, written: Written) -> None:
        with pytest.raises(OutcomesError, match=r"can run any code.*to_parquet"):
            rows_of("routerbench", written("routerbench_0shot.pkl", ""))


class TestAnswers:
    def test_the_lab_s_file(self) -> None:
        found = rows_of("answers", LABS)
        assert len(found) == 930
        assert set(found.model) == {"claude-3-haiku-20240307", "claude-3-5-sonnet-20241022"}
        assert None not in found.cost_usd
        assert set(found.dataset) == {"outcomes_crux"}

    @pytest.mark.parametrize("text", ['{"prompt":"a","model":"m","score":1}', '{"prompt":"a","answers":["m"]}'])
    def test_a_line_without_answers(self, written: Written, text: str) -> None:
        with pytest.raises(OutcomesError, match="line 1: no list of objects under 'answers'"):
            rows_of("answers", written("a.jsonl", text))

    def test_a_wrong_grade_is_named(self, written: Written) -> None:
        with pytest.raises(OutcomesError, match=r"line 1, answer 0, column score: is missing"):
            rows_of("answers", written("a.jsonl", '{"prompt":"a","answers":[{"model":"m"}]}'))


def test_our_own_table_is_one_of_the_formats(tmp_path: Path) -> None:
    file_of(tmp_path / "t.csv", *answers("a", 0, 1))
    assert rows_of("outcomes", tmp_path / "t.csv").model == ["cheap", "capable"]


def test_other_endings_are_refused(written: Written) -> None:
    with pytest.raises(OutcomesError, match=r"must end in .csv, .jsonl or .parquet"):
        rows_of("routellm", written("x.xlsx", ""))


def test_wide_tables_in_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs pyarrow (extra parquet), which is large")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"prompt": ["q"], "a": [True], "b": [None]}), tmp_path / "t.parquet")
    found = rows_of("routellm", tmp_path / "t.parquet")
    assert (found.model, found.score) == (["a"], [1.0])
