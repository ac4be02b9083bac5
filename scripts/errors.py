"""The one error that the set-up raises on purpose."""


class SetUpError(Exception):
    """The set-up cannot go on; the text is for the user and says what to do."""
