from turnout.testing.conformance import load_cases
from turnout.testing.conformance.table import markdown


def test_a_row_for_each_row_and_a_column_for_each_pair() -> None:
    lines = markdown(load_cases("text")).splitlines()
    assert lines[0].startswith("| what the history holds | Bedrock to Bedrock | Bedrock to Anthropic |")
    assert {line.count("|") for line in lines} == {11}
    guard = next(line for line in lines if line.startswith("| content for a guardrail |"))
    assert guard == "| content for a guardrail |" + " as it is | refused | refused |" * 3


def test_pairs_without_a_case_say_so() -> None:
    row = "| signed thinking in an open tool loop |" + " refused |" * 6 + " - |" * 3
    assert row in markdown(load_cases("thinking")).splitlines()
