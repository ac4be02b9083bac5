"""The record: events, the ledger that keeps them, and what is read from it."""
