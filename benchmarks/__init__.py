"""Benchmarks: one file a subject, each a program that prints its medians; ``make bench`` runs them all."""
