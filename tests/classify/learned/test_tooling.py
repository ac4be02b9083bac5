from __future__ import annotations

import math

from turnout.classify.learned.rows import Tool, tools_of
from turnout.classify.learned.tooling import NAMES, NOTHING, tooling

AREA, WEATHER = tools_of(
    [
        {
            "name": "geometry.circle_area",
            "description": "Computes the area of a circle.",
            "parameters": {
                "properties": {"radius": {"type": "number", "description": "The radius."}, "unit": {"enum": ["feet"]}},
                "required": ["radius"],
            },
        },
        {
            "name": "getWeather",
            "description": "Tells the weather of a city.",
            "parameters": {"properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    ]
)


def of(text: str, *tools: Tool) -> dict[str, float]:
    return dict(zip(NAMES, tooling(text, tools), strict=True))


def test_without_tools_there_is_nothing() -> None:
    assert tooling("anything", ()) == NOTHING
    assert len(NOTHING) == len(NAMES)


def test_a_tool_that_fits_and_one_that_does_not() -> None:
    fits, not_ = of("What is the area of a circle of radius 3 feet?", AREA), of("Who painted the ceiling?", AREA)
    assert fits["match_name_first"] > 0.5 > not_["match_name_first"]
    assert not_["unmatched"] > fits["unmatched"]
    assert fits["values_named"] == 1.0
    assert not_["lacking"] == 1.0
    assert fits["lacking"] == 0.0


def test_several_calls_are_seen() -> None:
    two = of("Compute the area of a circle of radius 3, and tell the weather of Rome.", AREA, WEATHER)
    one = of("Compute the area of a circle of radius 3.", AREA, WEATHER)
    assert (two["clause_tools"], one["clause_tools"]) == (2.0, 1.0)
    again = of("Find the area of a circle of radius 3, then the area of a circle of radius 4.", AREA)
    assert again["most_clauses_of_a_tool"] == 2.0
    assert again["numbers_to_numeric"] == math.log(3 / 2)


def test_names_are_split_into_words() -> None:
    assert of("How is the weather?", WEATHER)["match_name_first"] > 0.5
    assert of("x", AREA)["dotted"] == 1.0
