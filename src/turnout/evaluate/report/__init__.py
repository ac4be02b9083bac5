"""A report on runs: a page that stands for itself, and pictures; every figure comes from the ledger."""
