from typing import Any

import pytest

from examples.customer_support.options import AgentOptions, checked
from turnout.cli.errors import UserError

NONE: dict[str, Any] = {
    "live": False,
    "local": False,
    "base_url": None,
    "cheap": None,
    "capable": None,
    "region": None,
    "pairs": None,
    "ledger": None,
}


def options(**given: Any) -> AgentOptions:
    return checked(**(NONE | given))


def test_without_options_both_pairs_are_simulated_with_all_queries() -> None:
    made = options()
    assert (made.mode, made.pairs, made.all_sets) == ("simulated", ("4.5", "5.5"), True)


def test_real_models_run_the_five_prompts_alone_unless_more_is_asked_for() -> None:
    assert not options(live=True).all_sets
    assert options(live=True, all_sets=True).all_sets
    assert options(local=True).pairs == ("local",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"live": True, "local": True}, "choose one of"),
        ({"cheap": "a"}, "give its --base-url too"),
        ({"base_url": "localhost:11434", "cheap": "a", "capable": "b"}, "must begin with http"),
        ({"base_url": "http://127.0.0.1:1", "cheap": "a"}, "needs --cheap MODEL and --capable MODEL"),
        ({"base_url": "http://127.0.0.1:1", "cheap": "a", "capable": "a"}, "needs two models"),
        ({"pairs": ["4.6"]}, "known are 4.5, 5.5"),
    ],
)
def test_options_that_contradict_each_other_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        options(**given)
