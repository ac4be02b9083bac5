"""One side of a plan: what routes by it, and at which prices."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import msgspec

from turnout.config.policy_lock import PolicyLock, classifier_of, lock_of
from turnout.config.policy_lock_file import is_lock, read_lock
from turnout.config.presets import PRESETS, bars_of
from turnout.config.settings import Settings, load_settings
from turnout.core.catalog import Catalog
from turnout.core.policy import Policy
from turnout.core.spend_bound import SpendBound


class Side(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What routes, from a lock or from settings.

    Attributes:
        name: What tables call it: the file's name.
        lock: Everything that decides.
    """

    name: str
    lock: PolicyLock

    @property
    def policy(self) -> Policy:
        """The rules and candidates."""
        return self.lock.policy

    @property
    def bound(self) -> SpendBound | None:
        """The spend bound, or none."""
        return self.lock.bound

    def policy_named(self, name: str) -> Policy:
        """The policy of a route or a preset; the side's own where it has none of that name, or for no name."""
        if name in self.lock.routes:
            return self.lock.routes[name]
        return msgspec.structs.replace(self.policy, **bars_of(name)) if name in PRESETS else self.policy

    @cached_property
    def prices(self) -> Catalog:
        """The candidates and what the classifier asks."""
        return self.lock.catalog

    @cached_property
    def catalog(self) -> Catalog:
        """The candidates, as decisions are given them."""
        return self.prices.only(candidate.model for candidate in self.policy.candidates)


def side_of_settings(settings: Settings, catalog: Catalog, name: str) -> Side:
    """The side of the settings' ``[policy]``, whatever lock holds.

    Raises:
        ConfigError: A file of the classifier cannot be read.
        UnknownModelError: The catalog lacks a model.
    """
    policy = settings.proposed or settings.rules
    lock = lock_of(policy, settings.proposed_bound, catalog, classifier_of(settings), routes=settings.proposed_routes)
    return Side(name=name, lock=lock)


def side_of_file(path: Path) -> Side:
    """The side of a lock, or of a file of settings with the catalog's prices of today.

    Raises:
        ConfigError: The file cannot be used.
        UnknownModelError: The catalog lacks a model of the settings.
    """
    if is_lock(path):
        return Side(name=path.name, lock=read_lock(path))
    from turnout.config.catalog import load_catalog

    settings = load_settings(path, locked=False)
    return side_of_settings(settings, load_catalog(settings.overrides), path.name)
