"""The reference table: its printed costs reproduced, and what its method leaves out.

`docs/reference-table.md` shows the working; every table and every number of the page is checked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.core.price_table import HAIKU_4_5, SONNET_4_6
from turnout.core.catalog import Model
from turnout.core.cost import Cost, cost_of
from turnout.core.usage import Usage

PAGE = Path(__file__).parents[2] / "docs" / "reference-table.md"
HEAD = 1_743
"""Tokens of system and tools, as Sonnet cached them."""


class Row(msgspec.Struct, frozen=True):
    """One line of the printed table; `written` is the cache write that the lab counted and did not price."""

    test: str
    model: Model
    usage: Usage
    printed: str
    seconds: str
    written: int = 0


def row(test: str, model: Model, counts: tuple[int, int, int], printed: str, seconds: str, written: int = 0) -> Row:
    fresh, output, read = counts
    usage = Usage(input_tokens=fresh, output_tokens=output, cache_read_tokens=read)
    return Row(test, model, usage, printed, seconds, written)


V4 = [
    row("Return Policy", HAIKU_4_5, (4_349, 331, 0), "0.0060", "3.89"),
    row("Product Info", HAIKU_4_5, (4_396, 360, 0), "0.0062", "3.86"),
    row("Technical Support", SONNET_4_6, (917, 418, 1_743), "0.0095", "9.35", written=1_743),
    row("Multi-part Question", SONNET_4_6, (1_207, 510, 3_486), "0.0123", "9.09"),
    row("General Question", HAIKU_4_5, (2_075, 149, 0), "0.0028", "1.78"),
]
V4_PRINTED, V3_PRINTED = "0.0369", "0.0438"
V3_INPUT, V3_OUTPUT, V3_SECONDS = 4_228, 1_795, "8.10"
V3_READS = 8

ASSUMPTIONS = [
    ("none of their tokens are the classifier's", 0, 0),
    ("as many as the greeting leaves room for", V4[4].usage.input_tokens - HEAD, 5),
    ("a prompt of 400 tokens and one word", 400, 5),
]
"""What a classifier call may have cost in the rows that Sonnet answered: input and output tokens."""


def lab_cost(one: Row) -> Cost:
    """The lab's convention: everything but writes, at the price of the model that answered."""
    return cost_of(one.usage, one.model.price)


def v3_usage(reads: int, *, write: bool = False) -> Usage:
    return Usage(
        input_tokens=V3_INPUT,
        output_tokens=V3_OUTPUT,
        cache_read_tokens=reads * HEAD,
        cache_write_5m_tokens=HEAD if write else 0,
    )


def v3_cost(reads: int = V3_READS, *, write: bool = True) -> Decimal:
    return cost_of(v3_usage(reads, write=write), SONNET_4_6.price).usd


def v4_cost(classifier_input: int, classifier_output: int) -> Decimal:
    """v4 with its write priced, and the classifier's share of the complex rows at the cheap model's prices."""
    total = Cost()
    for one in V4:
        usage = msgspec.structs.replace(one.usage, cache_write_5m_tokens=one.written)
        if one.model is SONNET_4_6:
            classifier = Usage(input_tokens=classifier_input, output_tokens=classifier_output)
            usage = msgspec.structs.replace(
                usage,
                input_tokens=usage.input_tokens - classifier_input,
                output_tokens=usage.output_tokens - classifier_output,
            )
            total += cost_of(classifier, HAIKU_4_5.price)
        total += cost_of(usage, one.model.price)
    return total.usd


def change(new: Decimal, old: Decimal) -> str:
    """A signed change in percent, to one decimal."""
    return f"{(new - old) / old * 100:+.1f} %".replace("-", "−")


def number(value: int | Decimal) -> str:
    """With thousands separators and without needless zeros."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def usd(value: Decimal) -> str:
    return f"${value:.4f}"


def millionths(pico: int) -> Decimal:
    return Decimal(f"{pico}E-6")


def working(cost: Cost) -> str:
    parts = [number(millionths(pico)) for pico in (cost.input_pico, cost.output_pico, cost.cache_read_pico)]
    return " + ".join(parts) + f" = {number(millionths(cost.total_pico))}"


def total_of_v4() -> tuple[Usage, Cost]:
    usage, cost = Usage(), Cost()
    for one in V4:
        usage, cost = usage + one.usage, cost + lab_cost(one)
    return usage, cost


def price_lines() -> Iterator[list[str]]:
    yield ["model", "input", "output", "cache read", "cache write, 5 min"]
    for name, model in (("Claude Haiku 4.5", HAIKU_4_5), ("Claude Sonnet 4.6", SONNET_4_6)):
        tier = model.price.tiers[0]
        yield [name, *(f"{figure}" for figure in (tier.input, tier.output, tier.cache_read, tier.cache_write_5m))]


def printed_lines() -> Iterator[list[str]]:
    yield ["test", "answered by", "input", "output", "cache read", "working", "cost", "printed"]
    usage, cost = total_of_v4()
    lines = [(one.test, one.model.name, one.usage, lab_cost(one), one.printed) for one in V4]
    for name, model, used, paid, printed in [*lines, ("v4, total", "", usage, cost, V4_PRINTED)]:
        counts = (used.input_tokens, used.output_tokens, used.cache_read_tokens)
        answered_by = {HAIKU_4_5.name: "Haiku", SONNET_4_6.name: "Sonnet"}.get(model, "")
        yield [name, answered_by, *map(number, counts), working(paid), usd(paid.usd), f"${printed}"]


def v3_lines() -> Iterator[list[str]]:
    yield ["reads of the head", "working", "cost"]
    for reads in (V3_READS - 1, V3_READS, V3_READS + 1):
        cost = cost_of(v3_usage(reads), SONNET_4_6.price)
        yield [str(reads), working(cost), usd(cost.usd)]


def write_lines() -> Iterator[list[str]]:
    yield ["", "as printed", "write", "with the write", "cost"]
    write = cost_of(Usage(cache_write_5m_tokens=HEAD), SONNET_4_6.price).usd
    for name, printed in (("v3", v3_cost(write=False)), ("v4", total_of_v4()[1].usd)):
        amounts = (printed, write, printed + write)
        yield [name, *(number(amount * 10**6) for amount in amounts), usd(printed + write)]


def classifier_lines() -> Iterator[list[str]]:
    yield ["assumption on the two rows that Sonnet answered", "a call's input", "output", "working", "v4", "against v3"]
    with_write = v4_cost(0, 0)
    for assumption, tokens, output in ASSUMPTIONS:
        cost = v4_cost(tokens, output)
        less = f"{number(with_write * 10**6)} − 2 x ({tokens} x 2 + {output} x 10) = {number(cost * 10**6)}"
        yield [assumption, str(tokens), str(output), less, usd(cost), change(cost, v3_cost())]


def comparison_lines() -> Iterator[list[str]]:
    yield ["", "v3", "v4", "change", "printed"]
    usage, cost = total_of_v4()
    seconds = sum((Decimal(one.seconds) for one in V4), Decimal(0)) / len(V4)
    v3 = v3_cost(write=False)
    yield ["cost, as printed", usd(v3), usd(cost.usd), change(cost.usd, v3), "−15.8 %"]
    yield ["average latency", f"{V3_SECONDS} s", f"{seconds:.2f} s", change(seconds, Decimal(V3_SECONDS)), "−30.9 %"]
    for name, old, new, printed in (
        ("input", V3_INPUT, usage.input_tokens, "+206.1 %"),
        ("output", V3_OUTPUT, usage.output_tokens, "−1.5 %"),
    ):
        yield [name, number(old), number(new), change(Decimal(new), Decimal(old)), printed]


TABLES = {
    "Prices": [price_lines],
    "The printed costs, reproduced": [printed_lines, v3_lines],
    "The change, as printed": [comparison_lines],
    "What the cache writes add": [write_lines],
    "What the classifier's own price takes away": [classifier_lines],
}


def tables_of(page: str) -> dict[str, list[list[list[str]]]]:
    """The tables of a Markdown page by the heading that they stand under, without their ruled lines."""
    found: dict[str, list[list[list[str]]]] = {}
    heading, in_table = "", False
    for line in page.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        if line.startswith("|"):
            tables = found.setdefault(heading, [])
            if not in_table:
                tables.append([])
            if not re.fullmatch(r"[|\-]+", line):
                tables[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        in_table = line.startswith("|")
    return found


def numbers_in(text: str) -> set[str]:
    return set(re.findall(r"\d(?:[\d,.]*\d)?", text))


@pytest.mark.parametrize("one", V4, ids=[one.test for one in V4])
def test_each_printed_cost_is_reproduced_to_four_decimals(one: Row) -> None:
    assert usd(lab_cost(one).usd) == f"${one.printed}"


def test_the_printed_totals_are_reproduced_to_four_decimals() -> None:
    usage, cost = total_of_v4()
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) == (12_944, 1_768, 5_229)
    # 6,004 + 6,196 + 9,543.9 + 12,316.8 + 2,820 = 36,880.7 millionths of a USD.
    assert cost.usd == Decimal("0.0368807")
    assert usd(cost.usd) == f"${V4_PRINTED}"
    # Eight reads of the head are the only whole number of them that gives v3's printed cost.
    assert [reads for reads in range(20) if usd(v3_cost(reads, write=False)) == f"${V3_PRINTED}"] == [V3_READS]


def test_with_cache_writes_both_versions_cost_more() -> None:
    # 1,743 x 3.75 = 6,536.25 millionths: v3 43,792.2 + 6,536.25 and v4 36,880.7 + 6,536.25.
    assert v3_cost() == Decimal("0.05032845")
    assert v4_cost(0, 0) == Decimal("0.04341695")


def test_what_the_classifier_costs_depends_on_its_share_of_the_tokens() -> None:
    # Two classifier calls of 400 and 5 tokens are priced too high by 400 x (3 - 1) + 5 x (15 - 5) = 850 each.
    assert v4_cost(400, 5) == Decimal("0.04171695")
    # The greeting is one call of the answering model, which carries the head of 1,743 tokens: of its 2,075 at most 332
    # are the classifier's, and 332 x 2 + 5 x 10 = 714.
    assert v4_cost(332, 5) == Decimal("0.04198895")


def test_like_for_like_the_change_is_around_the_printed_one() -> None:
    changes = [change(v4_cost(tokens, output), v3_cost()) for _, tokens, output in ASSUMPTIONS]
    assert changes == ["−13.7 %", "−16.6 %", "−17.1 %"]


def test_every_table_of_the_page_is_the_one_worked_out_here() -> None:
    page = tables_of(PAGE.read_text())
    assert list(page) == list(TABLES)
    for heading, tables in TABLES.items():
        assert page[heading] == [list(lines()) for lines in tables], heading


def test_every_number_in_the_text_of_the_page_is_one_of_the_tables_or_a_stated_fact() -> None:
    text = "\n".join(line for line in PAGE.read_text().splitlines() if not line.startswith("|"))
    worked_out = {
        number
        for tables in TABLES.values()
        for lines in tables
        for line in lines()
        for cell in line
        for number in numbers_in(cell)
    }
    facts = {
        "3",  # the version before routing
        "4",  # the version with routing
        "2026",  # when the prices were read
        "10.1",  # what other recorded runs of the lab print
        "2.8",
        "1,743",  # tokens of the head
        "4,096",  # Haiku 4.5's floor
        "8.1",  # seconds of a prompt, on average
    }
    assert numbers_in(text) <= worked_out | facts


def test_the_parser_sees_a_wrong_number() -> None:
    page = PAGE.read_text()
    wrong = page.replace("| $0.0503 |", "| $0.0504 |")
    assert wrong != page
    assert tables_of(wrong) != tables_of(page)
