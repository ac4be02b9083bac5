"""Whether the lock of the policy still says what is: prices, models, the classifier, and what the settings propose."""

from __future__ import annotations

from collections.abc import Sequence

from turnout.config import ConfigError, Settings
from turnout.config.policy_lock_changes import Difference, moved, proposed
from turnout.core.catalog import Catalog, UnknownModelError
from turnout.deploy.preflight.finding import Finding

_MOST_NAMED = 3
WHAT = "policy lock"
"""What the findings are called."""


def lock_findings(settings: Settings, catalog: Catalog) -> list[Finding]:
    """Where the lock that holds differs from the catalog, the classifier and ``[policy]``; nothing without a lock."""
    lock, file = settings.lock, settings.policy_file
    if lock is None or file is None:
        return []
    found: list[Finding] = []
    try:
        if differs := moved(lock, settings, catalog):
            says = "bills go by the catalog; `turnout plan` says what that does to spend and quality"
            found.append(Finding(WHAT, "note", f"{file}: since it was locked: {_named(differs)}: {says}"))
    except (ConfigError, UnknownModelError) as error:
        found.append(Finding(WHAT, "wrong", f"{file}: {error}"))
    if differs := proposed(lock, settings):
        says = "the lock holds; `turnout plan` shows the change, `turnout plan --write` takes it over"
        found.append(Finding(WHAT, "note", f"{file}: [policy] proposes {_named(differs)}: {says}"))
    if lock.edited:
        found.append(
            Finding(WHAT, "note", f"{file}: its models were edited by hand: `turnout plan --write` writes it anew")
        )
    return found or [Finding(WHAT, "ok", f"{file} holds: models, prices and classifier are as they were locked")]


def _named(differs: Sequence[Difference]) -> str:
    named = "; ".join(f"{one.key} {one.old or 'none'} → {one.new or 'none'}" for one in differs[:_MOST_NAMED])
    more = len(differs) - _MOST_NAMED
    return named + (f"; and {more} more" if more > 0 else "")
