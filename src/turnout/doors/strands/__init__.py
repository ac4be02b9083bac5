"""The Strands door: `RoutedModel` wherever Strands takes a model, `TurnoutStrategy` for Strands' own `ModelRouter`."""

from turnout.doors.strands.model import RoutedModel
from turnout.doors.strands.strategy import MeteredModel, TurnoutStrategy

__all__ = ["MeteredModel", "RoutedModel", "TurnoutStrategy"]
