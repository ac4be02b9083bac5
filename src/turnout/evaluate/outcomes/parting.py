"""A table parted into several at random, so that no group is in two of them: to train, to calibrate and to test on.

A group goes where its hash says, so the same group goes to the same part in every table, whatever else is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from turnout.evaluate.outcomes.content import group_keys, name_key
from turnout.evaluate.outcomes.files import Source, private, write
from turnout.evaluate.outcomes.table import Batch, OutcomesError


def part_of(key: int, shares: Sequence[float], seed: int) -> int:
    """In which part a group is.

    Args:
        key: The group's hash.
        shares: How large the parts are, together 1.
        seed: Another one gives other parts.
    """
    drawn = name_key(str(seed), str(key)) / 2**64
    reached = 0.0
    for place, share in enumerate(shares):
        reached += share
        if drawn < reached:
            return place
    return len(shares) - 1


def parted(
    source: Source,
    parts: Sequence[tuple[Path, float]],
    *,
    seed: int = 0,
    progress: Callable[[int], None] = lambda rows: None,
) -> list[int]:
    """Write the parts; the table is read once for each. Parts of a file that only its owner may read are such files.

    Args:
        source: The table.
        parts: The files, each with its share of the groups.
        seed: Another one gives other parts.
        progress: Is told how many rows were read.

    Returns:
        How many rows each part has.

    Raises:
        OutcomesError: The shares are not together 1, a file is named twice or read too, or a row cannot be read.
        OSError: A file cannot be written.
    """
    shares = [share for _, share in parts]
    if len(parts) < 2 or any(not share > 0.0 for share in shares) or abs(sum(shares) - 1.0) > 1e-9:
        raise OutcomesError(f"two or more shares above 0 are needed, together 1, got {', '.join(map(str, shares))}")
    paths = [path.resolve() for path, _ in parts]
    read = {path.resolve() for path in source.paths}
    for place, path in enumerate(paths):
        if path in read or path in paths[:place]:
            raise OutcomesError(f"{parts[place][0]} is named twice")

    def of_part(place: int) -> Iterator[Batch]:
        for batch in source.batches():
            rows = [row for row, key in enumerate(group_keys(batch)) if part_of(key, shares, seed) == place]
            progress(len(batch))
            if rows:
                yield batch.take(rows)

    hidden = private(source.paths)
    with ExitStack() as undo:
        written = []
        for place, (path, _) in enumerate(parts):
            fresh = not path.exists()
            written.append(write(of_part(place), path, private=hidden))
            if fresh:
                undo.callback(path.unlink, missing_ok=True)
        undo.pop_all()
    return written
