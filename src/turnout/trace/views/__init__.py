"""What people look at: metrics, comparisons and explanations, read from events and the same from every source."""
