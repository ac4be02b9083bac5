"""Classifiers: each reads a conversation and returns a verdict; one file a strategy, one protocol for all."""
