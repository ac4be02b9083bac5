"""Hashes of all groups and texts of a table: what tells whether two tables share any."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING

from turnout.config.extras import require
from turnout.evaluate.outcomes.content import group_keys, text_key
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.pair import EXTRA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def content_keys(source: Source, *, progress: Callable[[int], None] = lambda rows: None) -> NDArray[np.uint64]:
    """The hashes of a table's groups and of its exact prompts or conversations, ascending, each once.

    Args:
        source: The table; it is read once.
        progress: Is told how many rows were read.
    """
    numpy = require("numpy", extra=EXTRA)
    found = array("Q")
    for batch in source.batches():
        found.extend(group_keys(batch))
        found.extend(
            text_key(prompt, conversation)
            for prompt, conversation, group in zip(batch.prompt, batch.conversation, batch.group, strict=True)
            if group
        )
        progress(len(batch))
    keys: NDArray[np.uint64] = numpy.unique(numpy.frombuffer(found, numpy.uint64))
    return keys
