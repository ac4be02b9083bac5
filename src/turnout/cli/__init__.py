"""The command line: one file a command, no logic of its own."""

from turnout.cli.app import app, main

__all__ = ["app", "main"]
