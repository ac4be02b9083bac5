"""Runs a recorded or public trace through the decision core, with a simulated provider cache and simulated models."""
