"""Deployment: what brings an agent with Turnout in it to where it serves."""
