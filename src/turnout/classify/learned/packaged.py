"""The artefact that comes with Turnout: what can be learned from the packaged queries, and no more.

There is no universal router in it. It learned from the labels of invented support queries (the splits ``examples`` and
``calibration`` of `turnout.classify.examples`), so it says how likely the label ``simple`` is, and nothing of whether
any model's answer suffices. It is cautious in three ways:

- its log-odds are lowered by the least amount at which, of queries that it had not seen and calls simple, at most one
  in ten is complex where half of all are;
- it never expects more than half of all queries to be simple;
- a query that is unlike those of training gets P = 0, and so the capable model, under any bar.

``python -m scripts.train_default`` makes it, from nothing else than the package: `turnout.evaluate.training.default`.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path

FOLDER = "learned_default"
"""The artefact's folder in ``turnout/classify/data``."""


def packaged_artefact() -> Path:
    """Where the artefact is."""
    return Path(str(importlib.resources.files("turnout.classify") / "data" / FOLDER))
