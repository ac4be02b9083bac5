"""Thresholds with a guarantee: learn then test, with p-values that hold for any finite number of graded prompts."""
