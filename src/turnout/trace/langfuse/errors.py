"""What can go wrong with Langfuse, each in one line that says what to do and never holds a key."""

from __future__ import annotations

from types import ModuleType

from turnout.config import extras


class LangfuseError(Exception):
    """Langfuse cannot be set up, read or written to; the message is one line."""


class LangfuseSettingsError(LangfuseError, ValueError):
    """A variable of the environment that cannot be used, or the other half of the keys is missing."""


class LangfuseAccessError(LangfuseError):
    """Langfuse does not know the keys, or they may not do this. Trying again does not help."""


class LangfuseRequestError(LangfuseError):
    """Langfuse refused the request as it was, or what answers is not Langfuse. Trying again does not help."""


class LangfuseUnavailableError(LangfuseError):
    """Langfuse was too slow, was broken or wanted fewer requests. It may work later.

    Attributes:
        retry_after_s: The seconds that Langfuse asked to wait, 0 where it did not say.
    """

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ApiMissingError(LangfuseError):
    """This Langfuse is too old for the v2 API that was asked for."""


class TraceNotFoundError(LangfuseError):
    """There is no such trace, or it has not been ingested yet."""


class WaitCancelledError(LangfuseError):
    """The caller cancelled the waiting."""


class MissingPackageError(LangfuseError, ImportError):
    """An optional package is not installed; the message says how to install it."""


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional package where it is first used.

    Args:
        module: The module's name.
        extra: The extra of Turnout that brings it.

    Raises:
        MissingPackageError: It is not installed.
    """
    return extras.require(module, extra=extra, error=MissingPackageError)
