"""What can be wrong with what a plan is given."""

from __future__ import annotations


class PlanError(ValueError):
    """There is nothing to replay, or a bound cannot be held against what is known; one line."""
