import json

from tests.cli.conftest import Run


def test_models_are_listed_with_prices_and_floors(turnout: Run) -> None:
    code, out, _ = turnout("models", "--provider", "bedrock")
    assert code == 0
    row = next(line for line in out.splitlines() if "bedrock/global.anthropic.claude-sonnet-4-6 " in line)
    assert [cell.strip() for cell in row.strip("│ ").split("│")[1:]] == [
        "3", "15", "0.3", "3.75", "6", "1,024", "1,000,000",
    ]  # fmt: skip


def test_long_prompt_tiers_have_their_own_row(turnout: Run) -> None:
    _, out, _ = turnout("models", "global.haiku-5.5")
    assert "prompts above 100,000 tokens" in out


def test_one_model_is_shown_with_the_source_of_each_fact(turnout: Run) -> None:
    code, out, _ = turnout("models", "global.sonnet-4.6", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["model"]["cache"]["floor_tokens"] == 1024
    floor = document["provenance"]["cache.floor_tokens"]
    assert floor["disputed"]
    assert floor["source"]


def test_all_models_as_json(turnout: Run) -> None:
    _, out, _ = turnout("models", "--provider", "local", "--json")
    assert [model["id"] for model in json.loads(out)] == ["local/smollm2-135m-instruct"]
