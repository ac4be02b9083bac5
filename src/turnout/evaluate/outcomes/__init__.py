"""Outcomes, graded answers, as one documented table: read, written, converted, inspected, and aligned in pairs."""
