"""Judges that compare texts: with the right answer, or with what the capable model says."""

from __future__ import annotations

import unicodedata

from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.state import Grade
from turnout.evaluate.outcomes.content import normalised


class ExactJudge:
    """An answer scores 1 where it is the expected one, else 0.

    Args:
        loose: Whether case, punctuation and blanks are passed over; else only blanks around the answer are.
    """

    def __init__(self, *, loose: bool = False) -> None:
        self._loose = loose

    @property
    def name(self) -> str:
        """``exact`` or ``exact-loose``."""
        return "exact-loose" if self._loose else "exact"

    def lacks(self, request: Request) -> str | None:
        """The expected answer."""
        return None if request.expected.strip() else "no 'expected' answer"

    async def grade(self, request: Request, cheap: str, capable: str) -> Grade:
        """Compare both with the expected answer."""
        expected = self._form(request.expected)
        return Grade(cheap=float(self._form(cheap) == expected), capable=float(self._form(capable) == expected))

    def _form(self, text: str) -> str:
        return normalised(text) if self._loose else unicodedata.normalize("NFC", text.strip())


class AgreementJudge:
    """The capable model's answer is taken for right: the cheap one's scores 1 where it says the same.

    For answers of few forms, such as a category. Case, punctuation and blanks are passed over. Known limitation: where
    both are wrong alike, or only the capable one is, this does not see it.
    """

    @property
    def name(self) -> str:
        """``agreement``."""
        return "agreement"

    def lacks(self, request: Request) -> str | None:
        """Nothing."""
        return None

    async def grade(self, request: Request, cheap: str, capable: str) -> Grade:
        """Compare the two."""
        return Grade(cheap=float(normalised(cheap) == normalised(capable)), capable=1.0)
