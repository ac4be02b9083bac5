"""A mistake of the user, told in one line."""


class UserError(Exception):
    """What was wrong, where, and what to do; ends the command with exit code 2 and no traceback."""
