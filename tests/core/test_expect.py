"""Expected costs, worked out by hand. All sums are in millionths of a USD, since prices are USD per million tokens.

Unless a case says otherwise its output is 300 tokens and a turn is one call.
"""

from __future__ import annotations

import itertools
from decimal import Decimal

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.core.price_table import HAIKU_4_5, HAIKU_5_5, IMPLICIT, PLAIN, SONNET_4_6, SONNET_5_5
from tests.core.strategies import HASHES, NOW_MS, TTLS, models
from turnout.core.cache import (
    COLD,
    NO_PLAN,
    CacheEntry,
    CachePlan,
    CacheRules,
    CacheState,
    Marker,
    Prompt,
    Ttl,
    WriteSpan,
    after_call,
    warm_prefixes,
    write_spans,
)
from turnout.core.catalog import Model
from turnout.core.cost import cost_of, pico_to_usd
from turnout.core.expect import ExpectedTurn, call_cost_pico, expected_turn, expected_turn_cold
from turnout.core.price import flat_price
from turnout.core.request import Request, Segment
from turnout.core.statistics import ModelStatistics
from turnout.core.usage import Usage


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A turn whose cost was worked out by hand.

    Attributes:
        name: What the case shows.
        model: Its model.
        blocks: The lengths of the prompt's blocks in the model's tokens.
        marks: For each marked block the TTL.
        warm: For each block whose prefix is believed warm, the chance that it is.
        output: Tokens of output of one call.
        calls: Calls of the turn, or none where the request has no tools.
        growth: By how much the prompt grows from call to call.
        usd: The expected cost.
    """

    name: str
    model: Model
    blocks: tuple[int, ...]
    marks: dict[int, Ttl] = {}
    warm: dict[int, float] = {}
    output: float = 300
    calls: float | None = None
    growth: float = 400
    usd: str


NO_READ_PRICE = msgspec.structs.replace(PLAIN, cache=CacheRules(floor_tokens=512))
IMPLICIT_WITH_A_WRITE_PRICE = msgspec.structs.replace(
    IMPLICIT, price=flat_price("2", "8", cache_read="0.5", cache_write_5m="2.5")
)
IMPLICIT_FROM_1000 = msgspec.structs.replace(
    IMPLICIT, cache=CacheRules(mode="implicit", floor_tokens=1_000, step_tokens=128)
)
NO_1H_PRICE = msgspec.structs.replace(SONNET_4_6, price=flat_price("3", "15", cache_read="0.30", cache_write_5m="3.75"))

CASES = [
    # -- A cold and a warm prefix ------------------------------------------------------------------------------------
    # A prefix of 6,000 tokens that is marked and cold is written: 6,000 x 1.25 + 300 x 5 = 7,500 + 1,500 = 9,000.
    Case(name="Haiku 4.5 cold", model=HAIKU_4_5, blocks=(6_000,), marks={0: "5m"}, usd="0.0090"),
    # The same without a marker is plain input: 6,000 x 1 + 1,500 = 7,500.
    Case(name="Haiku 4.5 unmarked", model=HAIKU_4_5, blocks=(6_000,), usd="0.0075"),
    # Warm on the capable model: 6,000 x 0.30 + 300 x 15 = 1,800 + 4,500 = 6,300: less than cold on the cheap one.
    Case(name="Sonnet 4.6 warm", model=SONNET_4_6, blocks=(6_000,), marks={0: "5m"}, warm={0: 1}, usd="0.0063"),
    # On the 5.5 pair it is the other way round: 6,000 x 0.125 + 300 x 0.50 = 750 + 150 = 900,
    Case(name="Haiku 5.5 cold", model=HAIKU_5_5, blocks=(6_000,), marks={0: "5m"}, usd="0.0009"),
    # against 6,000 x 0.10 + 300 x 10 = 600 + 3,000 = 3,600.
    Case(name="Sonnet 5.5 warm", model=SONNET_5_5, blocks=(6_000,), marks={0: "5m"}, warm={0: 1}, usd="0.0036"),
    # -- Floors ------------------------------------------------------------------------------------------------------
    # 1,030 tokens reach a floor of 1,024: 1,030 x 3.75 + 200 x 3 + 4,500 = 3,862.5 + 600 + 4,500 = 8,962.5.
    Case(name="above a floor of 1,024", model=SONNET_4_6, blocks=(1_030, 200), marks={0: "5m"}, usd="0.0089625"),
    # Warm: 1,030 x 0.30 + 600 + 4,500 = 309 + 5,100 = 5,409.
    Case(
        name="warm above a floor of 1,024",
        model=SONNET_4_6,
        blocks=(1_030, 200),
        marks={0: "5m"},
        warm={0: 1},
        usd="0.005409",
    ),
    # They never reach one of 4,096: 1,230 x 1 + 300 x 5 = 1,230 + 1,500 = 2,730,
    Case(name="below a floor of 4,096", model=HAIKU_4_5, blocks=(1_030, 200), marks={0: "5m"}, usd="0.00273"),
    # not even where the prefix is believed warm.
    Case(
        name="warm below a floor of 4,096",
        model=HAIKU_4_5,
        blocks=(1_030, 200),
        marks={0: "5m"},
        warm={0: 1},
        usd="0.00273",
    ),
    # At the floor: 4,096 x 1.25 + 4 x 1 + 1,500 = 5,120 + 4 + 1,500 = 6,624.
    Case(name="at the floor", model=HAIKU_4_5, blocks=(4_096, 4), marks={0: "5m"}, usd="0.006624"),
    # One token less: 4,100 x 1 + 1,500 = 5,600.
    Case(name="one below the floor", model=HAIKU_4_5, blocks=(4_095, 5), marks={0: "5m"}, usd="0.0056"),
    # -- Partial prefixes --------------------------------------------------------------------------------------------
    # 2,000 read, 1,000 written, 500 fresh: 2,000 x 0.30 + 1,000 x 3.75 + 500 x 3 + 4,500
    # = 600 + 3,750 + 1,500 + 4,500 = 10,350.
    Case(
        name="partial prefix",
        model=SONNET_4_6,
        blocks=(2_000, 1_000, 500),
        marks={0: "5m", 1: "5m"},
        warm={0: 1},
        usd="0.01035",
    ),
    # The same through the one marker behind it, which looks back.
    Case(
        name="partial prefix by lookback",
        model=SONNET_4_6,
        blocks=(2_000, 1_000, 500),
        marks={1: "5m"},
        warm={0: 1},
        usd="0.01035",
    ),
    # Without a marker nothing is read: 2,500 x 3 + 4,500 = 12,000.
    Case(name="warm but unmarked", model=SONNET_4_6, blocks=(2_000, 500), warm={0: 1}, usd="0.012"),
    # -- TTLs --------------------------------------------------------------------------------------------------------
    # 2,000 for an hour, 500 for 5 minutes, 100 fresh: 2,000 x 6 + 500 x 3.75 + 100 x 3 + 4,500
    # = 12,000 + 1,875 + 300 + 4,500 = 18,675.
    Case(
        name="1 h then 5 min, cold",
        model=SONNET_4_6,
        blocks=(2_000, 500, 100),
        marks={0: "1h", 1: "5m"},
        usd="0.018675",
    ),
    # The hour's part warm: 2,000 x 0.30 + 1,875 + 300 + 4,500 = 7,275.
    Case(
        name="1 h warm, then 5 min",
        model=SONNET_4_6,
        blocks=(2_000, 500, 100),
        marks={0: "1h", 1: "5m"},
        warm={0: 1},
        usd="0.007275",
    ),
    # Both warm: 2,500 x 0.30 + 300 + 4,500 = 5,550.
    Case(
        name="1 h then 5 min, warm",
        model=SONNET_4_6,
        blocks=(2_000, 500, 100),
        marks={0: "1h", 1: "5m"},
        warm={0: 1, 1: 1},
        usd="0.00555",
    ),
    # A marker below the floor writes nothing; its 500 tokens belong to the next one, at that one's price:
    # 1,500 x 3.75 + 100 x 3 + 4,500 = 5,625 + 300 + 4,500 = 10,425.
    Case(
        name="1 h below the floor, then 5 min",
        model=SONNET_4_6,
        blocks=(500, 1_000, 100),
        marks={0: "1h", 1: "5m"},
        usd="0.010425",
    ),
    # -- Tiers -------------------------------------------------------------------------------------------------------
    # 100,000 tokens are in the first tier: 100,000 x 0.10 + 1,000 x 0.50 = 10,000 + 500 = 10,500.
    Case(name="100,000 tokens", model=HAIKU_5_5, blocks=(100_000,), output=1_000, usd="0.0105"),
    # One more, and all of them are in the second: 100,001 x 0.50 + 1,000 x 2.50 = 50,000.5 + 2,500 = 52,500.5.
    Case(name="100,001 tokens", model=HAIKU_5_5, blocks=(100_001,), output=1_000, usd="0.0525005"),
    # Tokens that are read count for the tier: 90,000 x 0.05 + 10,001 x 0.50 + 2,500 = 4,500 + 5,000.5 + 2,500.
    Case(
        name="100,001 tokens, mostly read",
        model=HAIKU_5_5,
        blocks=(90_000, 10_001),
        marks={0: "5m"},
        warm={0: 1},
        output=1_000,
        usd="0.0120005",
    ),
    # A turn may grow out of a tier: 99,800 x 0.10 + 150 = 10,130, then 100,200 x 0.50 + 300 x 2.50 = 50,850.
    Case(name="a tier within the turn", model=HAIKU_5_5, blocks=(99_800,), calls=2, usd="0.06098"),
    # -- Prices that are not stated ----------------------------------------------------------------------------------
    # No write price is the input price: 1,500 x 2 + 100 x 8 = 3,800.
    Case(name="no write price", model=IMPLICIT, blocks=(1_500,), output=100, usd="0.0038"),
    # No cache price at all: a read costs what fresh input does: 1,000 x 1 + 100 x 2 = 1,200, cold
    Case(name="no cache price, cold", model=NO_READ_PRICE, blocks=(1_000,), marks={0: "5m"}, output=100, usd="0.0012"),
    # or warm.
    Case(
        name="no cache price, warm",
        model=NO_READ_PRICE,
        blocks=(1_000,),
        marks={0: "5m"},
        warm={0: 1},
        output=100,
        usd="0.0012",
    ),
    # No price for an hour is the one for 5 minutes: 2,000 x 3.75 + 4,500 = 12,000.
    Case(name="no 1 h price", model=NO_1H_PRICE, blocks=(2_000,), marks={0: "1h"}, usd="0.012"),
    # No cache at all: 3,000 x 1 + 300 x 2 = 3,600, whatever is marked and believed.
    Case(name="no cache", model=PLAIN, blocks=(3_000,), marks={0: "5m"}, warm={0: 1}, usd="0.0036"),
    # -- Implicit caches ---------------------------------------------------------------------------------------------
    # 1,500 warm tokens are read in steps of 128 above 1,024, as 1,408: 1,408 x 0.5 + 592 x 2 + 100 x 8
    # = 704 + 1,184 + 800 = 2,688.
    Case(name="steps of 128", model=IMPLICIT, blocks=(1_500, 500), warm={0: 1}, output=100, usd="0.002688"),
    # Below the floor nothing is read: 1,000 x 2 + 800 = 2,800.
    Case(name="implicit below the floor", model=IMPLICIT, blocks=(900, 100), warm={0: 1}, output=100, usd="0.0028"),
    # The second call of a turn reads of the first: 1,500 x 2 + 800 = 3,800, then 1,408 x 0.5 + 492 x 2 + 800 = 2,488.
    Case(name="implicit turn", model=IMPLICIT, blocks=(1_500,), output=100, calls=2, usd="0.006288"),
    # A turn may grow over the floor: 1,000 x 2 + 800 = 2,800; 1,400 x 2 + 800 = 3,600, since the 1,000 of the first
    # call were not cached; 1,800 with 1,024 + 2 x 128 = 1,280 of 1,400 read: 640 + 520 x 2 + 800 = 2,480.
    Case(name="implicit turn over the floor", model=IMPLICIT, blocks=(1_000,), output=100, calls=3, usd="0.00888"),
    # At the floor the first call is cached: 1,024 x 2 = 2,048, then 1,024 x 0.5 + 76 x 2 = 664.
    Case(
        name="implicit turn at the floor", model=IMPLICIT, blocks=(1_024,), output=0, calls=2, growth=76, usd="0.002712"
    ),
    # Steps are counted from the floor: of 1,200 tokens 1,000 + 128 = 1,128 are read: 2,400 + (564 + 172 x 2).
    Case(
        name="implicit turn in steps from 1,000",
        model=IMPLICIT_FROM_1000,
        blocks=(1_200,),
        output=0,
        calls=2,
        growth=100,
        usd="0.003308",
    ),
    # Where a cache that works by itself charges for writes, a prompt that grows to the floor is written: 1,000 x 2
    # = 2,000, then 1,024 x 2.5 = 2,560.
    Case(
        name="implicit turn to the floor, with a write price",
        model=IMPLICIT_WITH_A_WRITE_PRICE,
        blocks=(1_000,),
        output=0,
        calls=2,
        growth=24,
        usd="0.00456",
    ),
    # One that stays below it never reads: 500 x 2 + 800 = 1,800, then 600 x 2 + 800 = 2,000.
    Case(
        name="implicit turn below the floor",
        model=IMPLICIT,
        blocks=(500,),
        output=100,
        calls=2,
        growth=100,
        usd="0.0038",
    ),
    # -- Chances -----------------------------------------------------------------------------------------------------
    # Warm 6,000 x 0.10 + 1,500 = 2,100, cold 9,000: 0.5 x 2,100 + 0.5 x 9,000 = 5,550.
    Case(name="a chance of 0.5", model=HAIKU_4_5, blocks=(6_000,), marks={0: "5m"}, warm={0: 0.5}, usd="0.00555"),
    # A chance of 0 is cold.
    Case(name="a chance of 0", model=HAIKU_4_5, blocks=(6_000,), marks={0: "5m"}, warm={0: 0}, usd="0.009"),
    # 6,000 warm with 0.5, else the 4,000 within with 0.8, else nothing:
    #   reading 6,000: 6,000 x 0.30 + 500 x 3 + 4,500 = 1,800 + 1,500 + 4,500 = 7,800
    #   reading 4,000: 4,000 x 0.30 + 2,000 x 3.75 + 1,500 + 4,500 = 1,200 + 7,500 + 6,000 = 14,700
    #   cold: 6,000 x 3.75 + 1,500 + 4,500 = 22,500 + 6,000 = 28,500
    #   0.5 x 7,800 + 0.5 x 0.8 x 14,700 + 0.5 x 0.2 x 28,500 = 3,900 + 5,880 + 2,850 = 12,630.
    Case(
        name="nested chances",
        model=SONNET_4_6,
        blocks=(4_000, 2_000, 500),
        marks={0: "5m", 1: "5m"},
        warm={0: 0.8, 1: 0.5},
        usd="0.01263",
    ),
    # An uncertain long prefix does not hide a certain short one: 0.5 x 7,800 + 0.5 x 14,700 = 11,250.
    Case(
        name="a sure prefix within an unsure one",
        model=SONNET_4_6,
        blocks=(4_000, 2_000, 500),
        marks={0: "5m", 1: "5m"},
        warm={0: 1, 1: 0.5},
        usd="0.01125",
    ),
    # A certain long one hides what is within: 7,800.
    Case(
        name="an unsure prefix within a sure one",
        model=SONNET_4_6,
        blocks=(4_000, 2_000, 500),
        marks={0: "5m", 1: "5m"},
        warm={0: 0.5, 1: 1},
        usd="0.0078",
    ),
    # -- Turns of several calls --------------------------------------------------------------------------------------
    # The second call reads what the first wrote, and 400 tokens are new: 9,000 + (600 + 400 + 1,500) = 11,500.
    Case(name="two calls", model=HAIKU_4_5, blocks=(6_000,), marks={0: "5m"}, calls=2, usd="0.0115"),
    # Half of a third call: + (600 + 800 + 1,500) / 2 = 1,450.
    Case(name="2.5 calls", model=HAIKU_4_5, blocks=(6_000,), marks={0: "5m"}, calls=2.5, usd="0.01295"),
    # Warm from the start: 2,100 + 2,500 = 4,600.
    Case(name="two calls, warm", model=HAIKU_4_5, blocks=(6_000,), marks={0: "5m"}, warm={0: 1}, calls=2, usd="0.0046"),
    # Perhaps warm: 5,550 + 2,500: after the first call the prefix is warm for sure.
    Case(
        name="two calls, a chance of 0.5",
        model=HAIKU_4_5,
        blocks=(6_000,),
        marks={0: "5m"},
        warm={0: 0.5},
        calls=2,
        usd="0.00805",
    ),
    # Below the floor each call pays for all: 1,230 + 1,500 = 2,730, then 1,630 + 1,500 = 3,130.
    Case(
        name="two calls below the floor",
        model=HAIKU_4_5,
        blocks=(1_030, 200),
        marks={0: "5m"},
        calls=2,
        usd="0.00586",
    ),
    # The hour's part and that of 5 minutes are both read: 18,675 + (2,500 x 0.30 + 500 x 3 + 4,500 = 6,750).
    Case(
        name="two calls, 1 h then 5 min",
        model=SONNET_4_6,
        blocks=(2_000, 500, 100),
        marks={0: "1h", 1: "5m"},
        calls=2,
        usd="0.025425",
    ),
    # Growth is a mean; the grown prompt is rounded to whole tokens: 6,000 + 123.4 = 6,123: 9,000 + 600 + 123 + 1,500.
    Case(
        name="growth of 123.4",
        model=HAIKU_4_5,
        blocks=(6_000,),
        marks={0: "5m"},
        calls=2,
        growth=123.4,
        usd="0.011223",
    ),
    # Output is a mean too: 6,000 x 1 + 333.3 x 5 = 6,000 + 1,666.5 = 7,666.5.
    Case(name="output of 333.3", model=HAIKU_4_5, blocks=(6_000,), output=333.3, usd="0.0076665"),
    Case(name="nothing", model=HAIKU_4_5, blocks=(), output=0, usd="0"),
]


def prompt_of(*lengths: int) -> Prompt:
    return Prompt(tuple(itertools.accumulate(lengths)), tuple(f"h{index}" for index in range(len(lengths))))


def state_of(warm: dict[int, float]) -> CacheState:
    return CacheState(
        tuple(
            CacheEntry(prefix_hash=f"h{block}", ttl="5m", expires_ms=NOW_MS + 1, chance=chance)
            for block, chance in warm.items()
        )
    )


def turn(case: Case, *, now_ms: int = NOW_MS) -> ExpectedTurn:
    return expected_turn(
        case.model,
        prompt_of(*case.blocks),
        CachePlan(tuple(Marker(block, ttl) for block, ttl in case.marks.items()), "user"),
        state_of(case.warm),
        ModelStatistics(output_tokens=case.output, calls_per_turn=case.calls or 2, growth_tokens=case.growth),
        now_ms,
        uses_tools=case.calls is not None,
    )


def case(name: str) -> Case:
    return next(one for one in CASES if one.name == name)


@pytest.mark.parametrize("worked", CASES, ids=[one.name for one in CASES])
def test_an_expected_cost_is_the_one_worked_out_by_hand(worked: Case) -> None:
    assert pico_to_usd(turn(worked).cost_pico) == Decimal(worked.usd)


def test_the_cheap_model_is_not_always_the_cheaper_one() -> None:
    # The figures of the design's first paragraph: each prefix of 6,000 tokens is marked, so a cold one is *written*
    # (unmarked, Haiku 4.5 would cost 0.0075); the whole prompt is prefix; the output is 300 tokens.
    cost = {name: turn(case(name)).cost_pico for name in ("Haiku 4.5 cold", "Sonnet 4.6 warm")}
    assert cost["Haiku 4.5 cold"] > cost["Sonnet 4.6 warm"]
    cost = {name: turn(case(name)).cost_pico for name in ("Haiku 5.5 cold", "Sonnet 5.5 warm")}
    assert cost["Haiku 5.5 cold"] < cost["Sonnet 5.5 warm"]


def test_a_prefix_is_cold_from_the_millisecond_in_which_it_expires() -> None:
    worked = case("Sonnet 4.6 warm")
    assert turn(worked, now_ms=NOW_MS).read_tokens == 6_000
    # Cold it is written: 6,000 x 3.75 + 300 x 15 = 22,500 + 4,500 = 27,000 millionths.
    assert pico_to_usd(turn(worked, now_ms=NOW_MS + 1).cost_pico) == Decimal("0.027")


def test_a_turn_tells_what_its_first_call_reads_and_writes() -> None:
    assert turn(case("partial prefix")) == ExpectedTurn(
        cost_pico=10_350_000_000,
        calls=1.0,
        prompt_tokens=3_500,
        read_tokens=2_000,
        read_chance=1.0,
        write_tokens=1_000,
        output_tokens=300.0,
    )
    cold = turn(case("2.5 calls"))
    assert (cold.calls, cold.read_tokens, cold.read_chance, cold.write_tokens) == (2.5, 0, 1.0, 6_000)
    nested = turn(case("nested chances"))
    assert (nested.read_tokens, nested.read_chance, nested.write_tokens) == (6_000, 0.5, 0)


@pytest.mark.parametrize(
    ("tokens", "ratio", "usd"),
    [
        # A model that needs 1.3 tokens for one of reference leaves its first tier at 76,923 of them:
        # 76,923 x 1.3 = 99,999.9, rounded 100,000: 100,000 x 0.10 + 300 x 0.50 = 10,000 + 150 = 10,150.
        (76_923, 1.3, "0.01015"),
        # 76,924 x 1.3 = 100,001.2, rounded 100,001: 100,001 x 0.50 + 300 x 2.50 = 50,000.5 + 750 = 50,750.5.
        (76_924, 1.3, "0.0507505"),
        (76_924, 1.0, "0.0078424"),  # 76,924 x 0.10 + 150 = 7,842.4
        # And it reaches a floor of 512 earlier: 394 x 1.3 = 512.2, rounded 512: 512 x 0.125 + 150 = 214. (The whole
        # prompt is marked here.)
        (394, 1.3, "0.000214"),
        (393, 1.3, "0.0002011"),  # 393 x 1.3 = 510.9, rounded 511, below the floor: 511 x 0.10 + 150 = 201.1
        (394, 1.0, "0.0001894"),  # 394 x 0.10 + 150 = 189.4
    ],
)
def test_a_tokenizer_ratio_changes_the_floor_the_tier_and_the_bill(tokens: int, ratio: float, usd: str) -> None:
    marker: Ttl | None = "5m" if tokens < 1_000 else None
    request = Request(
        session_id="s", segments=(Segment(kind="message", tokens=tokens, prefix_hash="h0", marker=marker),)
    )
    expected = expected_turn(
        HAIKU_5_5, request.prompt_for(ratio), request.user_plan, COLD, ModelStatistics(), NOW_MS, uses_tools=False
    )
    assert pico_to_usd(expected.cost_pico) == Decimal(usd)


@pytest.mark.parametrize(("tokens", "pico"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_a_fraction_of_a_pico_usd_is_rounded_half_to_even(tokens: int, pico: int) -> None:
    # Input at 1 pico-USD a token, reads free, warm with a chance of 0.5: half of 1, 3, 5 and 7 pico-USD.
    model = msgspec.structs.replace(
        SONNET_4_6, price=flat_price("0.000001", "0", cache_read="0"), cache=CacheRules(floor_tokens=1)
    )
    worked = Case(name="", model=model, blocks=(tokens,), marks={0: "5m"}, warm={0: 0.5}, output=0, usd="")
    assert turn(worked).cost_pico == pico


def test_a_read_beyond_every_span_writes_nothing() -> None:
    spans = (WriteSpan(1_000, "1h"), WriteSpan(1_500, "5m"))
    tier = SONNET_4_6.price.tiers[0]
    # 1,500 x 0.30 + 100 x 3 = 750 millionths; from 1,200 on 300 x 3.75 are written: 360 + 1,125 + 300 = 1,785.
    assert call_cost_pico(tier, 1_600, spans, 1_500, 0) == 750_000_000
    assert call_cost_pico(tier, 1_600, spans, 1_200, 0) == 1_785_000_000


class Turn(msgspec.Struct, frozen=True):
    """A random turn on a random model whose reads cost no more than its input and its writes."""

    model: Model
    prompt: Prompt
    plan: CachePlan
    statistics: ModelStatistics


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    lengths = draw(st.lists(st.integers(0, 2_000), min_size=1, max_size=len(HASHES)))
    marked = draw(st.lists(st.integers(0, len(lengths) - 1), unique=True, max_size=4))
    # Most plans mark the end of the prompt, as agents do: otherwise little is ever read.
    marked = sorted({*marked, *draw(st.sampled_from([(len(lengths) - 1,), (len(lengths) - 1,), ()]))})
    ttls = draw(st.lists(st.sampled_from(TTLS), min_size=len(marked), max_size=len(marked)))
    statistics = draw(
        st.sampled_from(
            [
                ModelStatistics(calls_per_turn=1),
                ModelStatistics(calls_per_turn=2.5, growth_tokens=700.3, output_tokens=99.9),
            ]
        )
    )
    plan = CachePlan(tuple(Marker(index, ttl) for index, ttl in zip(marked, ttls, strict=True)), "user")
    return Turn(draw(models("lab/able", sane=True)), prompt_of(*lengths), plan, statistics)


chances = st.dictionaries(
    st.integers(0, len(HASHES) - 1), st.one_of(st.just(1.0), st.sampled_from([0.1, 0.5, 0.9]), st.floats(0, 1))
)


def cost(drawn: Turn, warm: dict[int, float]) -> int:
    return expected_turn(
        drawn.model, drawn.prompt, drawn.plan, state_of(warm), drawn.statistics, NOW_MS, uses_tools=True
    ).cost_pico


@given(turns(), chances, st.integers(0, len(HASHES) - 1), st.floats(0, 1))
def test_a_turn_never_gets_dearer_when_a_prefix_gets_warm(
    drawn: Turn, warm: dict[int, float], block: int, chance: float
) -> None:
    before = cost(drawn, warm)
    surer = cost(drawn, {**warm, block: max(chance, warm.get(block, 0.0))})
    sure = cost(drawn, {**warm, block: 1.0})
    event("cheaper" if sure < before else "the same")
    assert sure <= surer <= before <= cost(drawn, {})


@given(turns(), chances)
def test_the_expectation_lies_between_the_best_and_the_worst_call(drawn: Turn, warm: dict[int, float]) -> None:
    sure = dict.fromkeys(warm, 1.0)
    assert cost(drawn, sure) <= cost(drawn, warm) <= cost(drawn, {})


@given(turns(), chances, st.integers(0, 3_000))
def test_the_expected_cost_of_one_certain_call_is_the_bill_for_it(
    drawn: Turn, warm: dict[int, float], output: int
) -> None:
    rules, prompt = drawn.model.cache, drawn.prompt
    state = state_of(dict.fromkeys(warm, 1.0))
    longest = warm_prefixes(prompt, drawn.plan, rules, state, NOW_MS)[:1]
    read = longest[0].tokens if longest else 0
    written: dict[Ttl, int] = {"5m": 0, "1h": 0}
    start = read
    for span in write_spans(prompt, drawn.plan, rules):
        written[span.ttl] += max(0, span.end - start)
        start = max(start, span.end)
    usage = Usage(
        input_tokens=prompt.tokens - start,
        cache_read_tokens=read,
        cache_write_5m_tokens=written["5m"],
        cache_write_1h_tokens=written["1h"],
        output_tokens=output,
    )
    expected = expected_turn(
        drawn.model, prompt, drawn.plan, state, ModelStatistics(output_tokens=output), NOW_MS, uses_tools=False
    )
    assert usage.prompt_tokens == prompt.tokens
    assert expected.cost_pico == cost_of(usage, drawn.model.price).total_pico
    assert (expected.read_tokens, expected.write_tokens) == (read, usage.cache_write_tokens)


@given(turns(), chances)
def test_a_turn_of_several_calls_is_those_calls_one_after_the_other(drawn: Turn, warm: dict[int, float]) -> None:
    # Two calls in one turn cost what one costs and then another, on the grown prompt and the state the first left.
    statistics = ModelStatistics(output_tokens=50, calls_per_turn=2, growth_tokens=300)
    state = state_of(warm)
    rules, plan, prompt = drawn.model.cache, drawn.plan, drawn.prompt
    grown = Prompt((*prompt.offsets, prompt.tokens + 300), (*prompt.prefix_hashes, "grown"))
    first = expected_turn(drawn.model, prompt, plan, state, statistics, NOW_MS, uses_tools=False)
    left = after_call(prompt, plan, rules, state, NOW_MS)
    second = expected_turn(drawn.model, grown, plan, left, statistics, NOW_MS, uses_tools=False)
    both = expected_turn(drawn.model, prompt, plan, state, statistics, NOW_MS, uses_tools=True)
    assert both.cost_pico == first.cost_pico + second.cost_pico


def test_a_request_without_tools_is_one_call() -> None:
    prompt, plan = prompt_of(6_000), CachePlan((Marker(0),), "user")
    statistics = ModelStatistics(calls_per_turn=5)
    alone = expected_turn(HAIKU_4_5, prompt, plan, COLD, statistics, NOW_MS, uses_tools=False)
    assert alone.calls == 1.0
    assert alone.cost_pico == 9_000_000_000
    assert expected_turn(HAIKU_4_5, prompt, NO_PLAN, COLD, statistics, NOW_MS, uses_tools=True).calls == 5.0


@given(turns(), st.booleans())
def test_a_cold_prompt_without_markers_is_priced_by_its_length_alone(drawn: Turn, uses_tools: bool) -> None:
    whole = expected_turn(drawn.model, drawn.prompt, NO_PLAN, COLD, drawn.statistics, NOW_MS, uses_tools=uses_tools)
    short = expected_turn_cold(drawn.model, drawn.prompt.tokens, drawn.statistics, uses_tools=uses_tools)
    assert short == whole
