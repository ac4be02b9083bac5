"""Hashed word and character n-grams, and counts of characters, of many texts at once, on numpy alone.

A text is lowered and encoded as UTF-8; all texts of a call stand one behind the other in one array of bytes. The hash
of any stretch of bytes comes from running sums of a polynomial modulo 2^64 (Rabin and Karp), so that no n-gram is ever
cut out as a string: the words, pairs of neighbouring words and runs of four characters of a text of 500 characters take
some tens of microseconds. A word is a run of letters, digits and underscores; every byte beyond ASCII counts as a
letter.

Known limitations: hashes collide (1 in 2^17 for two n-grams of a kind); lowering is Unicode's, but no accents are taken
off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from turnout.config.extras import require

BITS = 18
"""An n-gram's bucket is a number below 2^18."""

BUCKETS = 1 << BITS
"""How many buckets there are."""

FIRST_RUN = BUCKETS // 2
"""Words and pairs of words have the buckets below it, runs of characters the others."""

MOST_BYTES = 8_192
"""Bytes of a text that are read: the head two thirds, the tail one third, as of `turnout.classify.query.bounded`."""

_RUN = 4
_BASE = 0x9E3779B97F4A7C15 | 1  # odd, so it has an inverse modulo 2^64
_PAIR = 0xC2B2AE3D27D4EB4F
_MIX = 0xD6E8FEB86659FD93
_WORD_SALT, _PAIR_SALT, _RUN_SALT = 0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0
_MASK = (1 << 64) - 1


class Grams(NamedTuple):
    """What is counted in some texts.

    Attributes:
        buckets: The buckets of each text's n-grams, each once, ascending, one text behind the other: int64.
        texts: For each of them which text it is of: int64, ascending.
        times: How often each stands in its text: integers.
        bytes_: How often each byte stands in each text, before lowering: shape (texts, 256), float64.
        words: Words of each text: float64.
        numbers: Words that begin with a digit: float64.
        longest: The longest word's length in bytes: float64.
    """

    buckets: Any
    texts: Any
    times: Any
    bytes_: Any
    words: Any
    numbers: Any
    longest: Any


def grams_of(texts: Sequence[str]) -> Grams:
    """The n-grams and counts of some texts; texts that are longer than `MOST_BYTES` are read in part."""
    np = require("numpy", extra="embedding")
    count = len(texts)
    raw = [_bounded(text.encode("utf-8", "replace")) for text in texts]
    plain = [_bounded(text.lower().encode("utf-8", "replace")) for text in texts]
    counts = _byte_counts(np, raw)
    # A blank before, between and behind: every word has an end, and every run of characters knows where a text ends.
    data = np.frombuffer(b" " + b" ".join(plain) + b" ", np.uint8)
    lengths = np.array([len(one) + 1 for one in plain], np.int64)
    ends = np.cumsum(lengths)
    powers, inverses = _powers(np, len(data) + 1)
    sums = np.zeros(len(data) + 1, np.uint64)
    np.cumsum((data.astype(np.uint64) + np.uint64(1)) * powers[: len(data)], out=sums[1:])

    is_word = _word_bytes(np)[data]
    edges = np.flatnonzero(is_word[1:] != is_word[:-1]) + 1
    starts, stops = edges[0::2], edges[1::2]
    words = (sums[stops] - sums[starts]) * inverses[starts]
    pairs = words[:-1] * np.uint64(_PAIR) + words[1:]
    of_word = np.searchsorted(ends, starts, side="left") if count > 1 else np.zeros(len(starts), np.int64)
    of_pair = of_word[1:]
    if count > 1:
        together = of_pair == of_word[:-1]
        pairs, of_pair = pairs[together], of_pair[together]

    many_runs = max(len(data) - _RUN + 1, 0)
    runs = (sums[_RUN:] - sums[:many_runs]) * inverses[:many_runs]
    if count > 1:
        begins = np.arange(many_runs)
        # A run belongs to the text that its second character is in, and its last one must be in the same or end it.
        of_run = np.repeat(np.arange(count), lengths)[np.minimum(begins, len(data) - 2)]
        inside = begins + _RUN - 1 <= ends[of_run]
        runs, of_run = runs[inside], of_run[inside]

    hashes = np.concatenate([words ^ np.uint64(_WORD_SALT), pairs ^ np.uint64(_PAIR_SALT), runs ^ np.uint64(_RUN_SALT)])
    hashes = (hashes ^ (hashes >> np.uint64(29))) * np.uint64(_MIX)
    cells = (hashes >> np.uint64(65 - BITS)).astype(np.int64)
    cells[len(words) + len(pairs) :] += FIRST_RUN
    if count > 1:
        cells += np.concatenate([of_word, of_pair, of_run]) << BITS
    cells.sort()
    fresh = np.ones(len(cells) + 1, bool)
    np.not_equal(cells[1:], cells[:-1], out=fresh[1:-1])
    places = np.flatnonzero(fresh)
    cells, times = cells[places[:-1]], places[1:] - places[:-1]
    owners, buckets = cells >> BITS, cells & (BUCKETS - 1)
    sizes, first = stops - starts, data[starts]
    is_number = (first >= 48) & (first <= 57)
    if count == 1:
        many = np.array([len(starts), np.count_nonzero(is_number), sizes.max(initial=0)], np.float64)
        return Grams(buckets, owners, times, counts, many[:1], many[1:2], many[2:])
    longest = np.zeros(count)
    np.maximum.at(longest, of_word, sizes)
    numbers = np.bincount(of_word[is_number], minlength=count).astype(np.float64)
    words_of = np.bincount(of_word, minlength=count).astype(np.float64)
    return Grams(buckets, owners, times, counts, words_of, numbers, longest)


def _bounded(raw: bytes) -> bytes:
    if len(raw) <= MOST_BYTES:
        return raw
    tail = MOST_BYTES // 3
    return raw[: MOST_BYTES - tail - 1] + b" " + raw[-tail:]


def _byte_counts(np: Any, raw: list[bytes]) -> Any:
    if len(raw) == 1:
        return np.bincount(np.frombuffer(raw[0], np.uint8), minlength=256)[None, :].astype(np.float64)
    owners = np.repeat(np.arange(len(raw)), [len(one) for one in raw])
    joined = np.frombuffer(b"".join(raw), np.uint8)
    return np.bincount(owners * 256 + joined, minlength=256 * len(raw)).reshape(len(raw), 256).astype(np.float64)


_power_tables: list[Any] = []
_word_table: list[Any] = []


def _powers(np: Any, count: int) -> tuple[Any, Any]:
    """The powers of the base and of its inverse modulo 2^64, kept for the next call."""
    if not _power_tables or len(_power_tables[0][0]) < count:
        size = max(count, 1 << 14)
        inverse = pow(_BASE, -1, _MASK + 1)
        tables = []
        for base in (_BASE, inverse):
            steps = np.full(size, base, np.uint64)
            steps[0] = 1
            tables.append(np.cumprod(steps, dtype=np.uint64))
        # One assignment, so that another thread sees both tables or none.
        _power_tables[:] = [tuple(tables)]
    powers, inverses = _power_tables[0]
    return powers, inverses


def _word_bytes(np: Any) -> Any:
    if not _word_table:
        table = np.zeros(256, bool)
        table[[*range(48, 58), *range(65, 91), 95, *range(97, 123), *range(128, 256)]] = True
        _word_table.append(table)
    return _word_table[0]
