"""Session and cache state between turns."""
