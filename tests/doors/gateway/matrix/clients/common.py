"""What a client of the matrix can do: the seven cases, each in the client's own words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from tests.doors.gateway.matrix.said import Heard


class Driver(ABC):
    """One client. Every method takes the name of the model, and raises what the client raises.

    Attributes:
        always_streams: The client streams on the wire even where it hands the answer over as a whole.
        errors: For a status the class of the client's own exception.
        broken: The class of the exception for a stream that carries an error.
    """

    always_streams: ClassVar[bool] = False
    errors: Mapping[int, type[Exception]]
    broken: type[Exception]

    @abstractmethod
    def plain(self, model: str) -> Heard:
        """Ask, and take the answer as a whole."""

    @abstractmethod
    def stream(self, model: str) -> Heard:
        """Ask, and take the answer in pieces."""

    @abstractmethod
    def tools(self, model: str) -> tuple[Heard, Heard]:
        """Ask with tools, bring their results, and take the answer."""

    @abstractmethod
    def tools_streamed(self, model: str) -> tuple[Heard, Heard]:
        """The same in pieces."""

    @abstractmethod
    def image(self, model: str) -> Heard:
        """Show a picture."""

    @abstractmethod
    def cancel(self, model: str) -> None:
        """Take the first pieces of a stream, and leave."""

    @abstractmethod
    def status_of(self, error: Exception) -> int | None:
        """The HTTP status that an exception tells of; none where it tells of none."""

    def close(self) -> None:
        """Close connections; there are none that outlive a call, unless a client says otherwise."""
        return
