"""The shell around the decision: classify, decide, call, record.

Doors use it: they build a conversation and a request, ask `Router.route` which model serves, make the call themselves
and tell the router how it went through `Router.begin_call`. What follows a call that failed is for the door to drive
(`turnout.upstream.retry`): `Router.retry` calls the same model again, `Router.failover` decides again.
"""

from turnout.router.calls import OpenCall
from turnout.router.routing import Router
from turnout.router.turns import MayMove, RefusedError, Routed, Turn
from turnout.router.verdicts import CANCELLED, UNPRICED

__all__ = ["CANCELLED", "UNPRICED", "MayMove", "OpenCall", "RefusedError", "Routed", "Router", "Turn"]
