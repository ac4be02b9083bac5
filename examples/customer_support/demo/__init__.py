"""The demonstration: the reference prompts with and without routing, priced and compared."""
