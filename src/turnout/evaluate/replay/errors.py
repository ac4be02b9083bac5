"""What can be wrong with what a replay is given."""

from __future__ import annotations


class TraceError(ValueError):
    """A trace, or a file beside it, that cannot be read; the message names the file and the line."""
