"""A bar for one's own outcomes, one's own classifier and what one wants: with a guarantee where it is of quality."""
