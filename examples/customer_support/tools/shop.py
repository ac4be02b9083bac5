"""What the shop sells and how it takes things back: look-ups in ``data/products.toml`` and ``data/policies.toml``.

The answers are text for a model to read. Whatever a customer asks for, there is an answer: an unknown category gets
the list of the known ones.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

DATA = Path(__file__).resolve().parent.parent / "data"


@cache
def _table(name: str) -> dict[str, Any]:
    with (DATA / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


def categories() -> dict[str, str]:
    """The product categories: id and name."""
    return {category["id"]: category["name"] for category in _table("products")["category"]}


def category_names(category_id: str) -> list[str]:
    """What the category is called: its id, its name and its aliases.

    Raises:
        KeyError: There is no such category.
    """
    category = _category(category_id)
    return [category["id"].replace("_", " "), category["name"].lower(), *category["aliases"]]


def find_category(text: str) -> str | None:
    """The id of the category that the text names by its id, name or an alias, in any spelling of case and spaces.

    Where it names several, the longest name wins ("memory card for a camera" is about memory cards).
    """
    words = _words(text)
    named = [
        (len(alias), category_id)
        for category_id in categories()
        for alias in map(_words, category_names(category_id))
        if f" {alias} " in f" {words} "
    ]
    return max(named)[1] if named else None


def product_info(product_type: str) -> str:
    """Price, stock and specifications of the products that are named, else of a family of products, else of a category.

    A product is recognised by its full name or number ("Halden X2 Mini" is not the Halden X2), a family by the first
    word of its products' names.
    """
    if named := _named_items(product_type):
        return "\n".join(map(_describe, named))
    category_id = find_category(product_type)
    if category_id is None:
        return (
            f"No category or product is named {_quoted(product_type)}. Categories: {', '.join(categories().values())}."
        )
    category = _category(category_id)
    return "\n".join([f"{category['name']} at Brightwell Electronics", *map(_describe, category["item"])])


def return_policy(product_category: str) -> str:
    """Window, condition, fees, refund time, exceptions and warranty for a category, and how to start a return."""
    category_id = find_category(product_category)
    if category_id is None:
        return _windows(product_category)
    policy = next(entry for entry in _table("policies")["policy"] if entry["category"] == category_id)
    general = _table("policies")["general"]
    return "\n".join(
        [
            f"Return policy for {categories()[category_id].lower()}",
            f"- Window: {policy['window_days']} days from delivery. {general['holidays']}",
            f"- Condition: {policy['condition']}",
            f"- Restocking fee: {policy['restocking_fee']}",
            f"- Return shipping: {policy['return_shipping']}",
            f"- Refund: {policy['refund_time']} {general['refund_method']}",
            f"- Exceptions: {' '.join(policy['exceptions'])}",
            f"- Damaged on arrival: {general['damaged_on_arrival']}",
            f"- Warranty: {policy['warranty']}",
            f"- How to start: {general['how_to_start']}",
            f"- Proof of purchase: {general['proof']}",
        ]
    )


def with_category(text: str) -> str:
    """The text, led by the category of the product that it names: a search by meaning does not know our names."""
    named = _named_items(text)
    if not named:
        return text
    category = next(one for one in _table("products")["category"] if named[0] in one["item"])
    return f"{category['name']}: {text}"


def families() -> list[str]:
    """The first words of the products' names, in lower case."""
    return sorted({_family(item) for item in _items()})


def _items() -> Iterator[Mapping[str, Any]]:
    for category in _table("products")["category"]:
        yield from category["item"]


def _family(item: Mapping[str, Any]) -> str:
    return str(item["name"]).split()[0].lower()


def _named_items(text: str) -> list[Mapping[str, Any]]:
    """The products whose names stand in the text, without those whose names are parts of others; else the family."""
    words = f" {_words(text)} "
    found = {
        name: item for item in _items() for name in (_words(item["name"]), _words(item["sku"])) if f" {name} " in words
    }
    whole = [name for name in found if not any(f" {name} " in f" {other} " for other in found if other != name)]
    if whole:
        return [found[name] for name in whole]
    return [item for item in _items() if f" {_words(_family(item))} " in words]


def _describe(item: Mapping[str, Any]) -> str:
    stock = f"{item['stock']} in stock" if item["stock"] else "out of stock"
    specs = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in item["specs"].items())
    return f"- {item['name']} ({item['sku']}): ${item['price']}, {stock}; best for {item['best_for']}; {specs}"


def _windows(asked: str) -> str:
    """The answer where no category is named: all of them, with their windows."""
    windows = ", ".join(
        f"{categories()[policy['category']]} {policy['window_days']} days" for policy in _table("policies")["policy"]
    )
    return f"No category is named {_quoted(asked)}. Ask which one it is. Return windows from delivery: {windows}."


def _category(category_id: str) -> Mapping[str, Any]:
    for category in _table("products")["category"]:
        if category["id"] == category_id:
            return cast("Mapping[str, Any]", category)
    raise KeyError(category_id)


def _quoted(asked: str) -> str:
    return repr(" ".join(asked.split())[:60])


def _words(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
