"""MiniLM's vectors, each text's once: folds ask for the same texts again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnout.classify.learned.features import Embed
from turnout.classify.learned.model import minilm_vectors
from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA

MOST_REMEMBERED = 50_000
"""So many vectors are kept, 77 MB; later ones are computed each time."""


class RememberedVectors:
    """Gives vectors, and remembers them.

    Args:
        embed: What computes them; default: MiniLM, loaded at the first text.
    """

    def __init__(self, embed: Embed | None = None) -> None:
        self._embed = embed
        self._known: dict[str, Any] = {}

    def __call__(self, texts: Sequence[str]) -> Any:
        """The vectors of some texts: shape (texts, 384).

        Raises:
            MissingExtraError: The extra ``embedding`` is not installed.
            WeightsError: The weights are not installed, or are not the expected ones.
        """
        np = require("numpy", extra=EXTRA)
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        fresh: dict[str, Any] = {}
        if new:
            if self._embed is None:
                self._embed = minilm_vectors()
            fresh = dict(zip(new, self._embed(new), strict=True))
            room = MOST_REMEMBERED - len(self._known)
            self._known.update({text: fresh[text] for text in new[: max(room, 0)]})
        return np.array([fresh[text] if text in fresh else self._known[text] for text in texts])
