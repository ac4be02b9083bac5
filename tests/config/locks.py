"""Locks of a pair of models, in memory and in files, for the tests of ``policy.toml``."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from turnout.config import load_catalog
from turnout.config.pairs import PAIR_4
from turnout.config.policy_lock import LockedClassifier, PolicyLock, lock_of
from turnout.config.policy_lock_text import lock_text
from turnout.core.catalog import Catalog
from turnout.core.policy import Policy

CATALOG = load_catalog()
POLICY = Policy(candidates=PAIR_4.candidates)
KEYWORD = LockedClassifier(kind="keyword")
LOCK = lock_of(POLICY, None, CATALOG, KEYWORD)


def written(folder: Path, lock: PolicyLock = LOCK) -> Path:
    """A file of a lock."""
    path = folder / "policy.toml"
    path.write_text(lock_text(lock))
    return path


def changed(folder: Path, old: str, new: str, lock: PolicyLock = LOCK) -> Path:
    """A file of a lock in which one text stands for another."""
    path = written(folder, lock)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


def dearer(factor: str = "2") -> Catalog:
    """The catalog with other prices of the cheap model."""
    return Catalog.of(
        msgspec.structs.replace(one, price=one.price.scaled(Decimal(factor))) if one.id == PAIR_4.cheap else one
        for one in CATALOG.models
    )
