from decimal import Decimal

from turnout.core.usage import Usage
from turnout.evaluate.replay.outcome import Outcome, Tally


def test_sums_and_shares() -> None:
    tally = Tally()
    usage = Usage(
        input_tokens=10, cache_read_tokens=70, cache_write_5m_tokens=15, cache_write_1h_tokens=5, output_tokens=3
    )
    tally.add(usage, 7, cheap=True, switched=True, unsafe=False, below=True)
    tally.add(usage, 5, cheap=False, switched=True, unsafe=True, below=False)
    assert tally == Tally(
        calls=2,
        cost_pico=12,
        prompt_tokens=200,
        read_tokens=140,
        write_5m_tokens=30,
        write_1h_tokens=10,
        output_tokens=6,
        cheap_calls=1,
        switches=2,
        unsafe_switches=1,
        below_bar=1,
    )
    assert (tally.hit_share, tally.cheap_share, tally.usd) == (0.7, 0.5, Decimal("0.000000000012"))
    assert Outcome(policy="p", fitted=tally, rest=tally).whole.cost_pico == 24


def test_nothing_has_no_shares() -> None:
    assert (Tally().hit_share, Tally().cheap_share) == (0.0, 0.0)
