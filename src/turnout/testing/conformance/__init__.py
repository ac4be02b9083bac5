"""A conformance suite for history that goes from one model to another: named cases, and a runner for any layer.

A case is data: a history in Converse content blocks, a pair of models, whose the cache points are, and what the other
model may be sent, or that the layer must refuse, with the reason and the source of the rule. Nothing in here knows
Turnout, so that Turnout's own layer is one of those that can fail.

Run it on a layer of your own::

    python -m turnout.testing.conformance --adapter your_package.your_module:your_function

The function is called as ``function(history, source, target, markers)``. ``history`` has ``system``, ``tools`` and
``messages``; ``source`` and ``target`` are models as in ``data/models.json``; ``markers`` is ``user``, ``fill`` or
``manage``. It returns ``{"history": ..., "edits": [...]}`` with what the target is sent, in the same blocks, or
``{"refusal": "why"}``. Tools and system that are left out of an answer count as empty.
"""

from turnout.testing.conformance.cases import Case, CaseError, load_cases
from turnout.testing.conformance.running import CaseReport, Report, run

__all__ = ["Case", "CaseError", "CaseReport", "Report", "load_cases", "run"]
