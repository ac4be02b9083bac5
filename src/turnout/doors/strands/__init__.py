"""The Strands door.

`RoutedModel` goes wherever Strands takes a model, `TurnoutStrategy` into Strands' own `ModelRouter`, and `MeteredModel`
records what is not routed.
"""

from turnout.doors.strands.metered import MeteredModel
from turnout.doors.strands.model import RoutedModel
from turnout.doors.strands.strategy import TurnoutStrategy

__all__ = ["MeteredModel", "RoutedModel", "TurnoutStrategy"]
