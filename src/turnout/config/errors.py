"""The one exception of this room."""

from __future__ import annotations


class ConfigError(ValueError):
    """Something in a configuration file, the environment or a model's name that cannot be used.

    The message is one line: where it stands (file and key, or variable), what is wrong, and the nearest right thing.
    Values that were read are not repeated, names of models apart: a key may have been put in the wrong place.
    """
