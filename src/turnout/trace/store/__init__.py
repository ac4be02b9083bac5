"""The ledger: events written to SQLite in the background, found, exported and pruned again."""
