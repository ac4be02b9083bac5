"""Converse-shaped content blocks, counted and hashed without importing any agent framework."""
