"""Turnout sends each request to the cheapest language model that can carry it.

``import turnout`` loads the pure core only: no agent framework, no AWS SDK, no network.
"""

__version__ = "0.1.0"
