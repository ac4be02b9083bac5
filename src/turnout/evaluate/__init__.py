"""Looks back at what was recorded: reports of runs, and what a run would have cost otherwise."""
