"""What a client may call a model: Turnout itself, a preset or a route, or a candidate, which is then a pin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from turnout.config.errors import ConfigError
from turnout.config.routes import ROUTED, routes_of
from turnout.core.catalog import Catalog, UnknownModelError, unknown
from turnout.core.policy import Policy
from turnout.messages.wire.asked import WireProtocol

_MOST_REMEMBERED = 1_000
_LONGEST = 256


class Choice(NamedTuple):
    """What a model name stands for.

    Attributes:
        policy: The rules that hold.
        pin: The model that is insisted on; none: Turnout chooses.
    """

    policy: Policy
    pin: str | None


class Models:
    """The names that are known.

    Args:
        policy: The rules; its candidates can be named.
        catalog: Knows them.
        resolve: From other spellings to catalog ids (`turnout.config.settings.Settings.resolve`).
        speaks: For each catalog id the protocols in which it can be asked.
        routes: The policies that have names of their own.
    """

    def __init__(
        self,
        policy: Policy,
        catalog: Catalog,
        resolve: Callable[[str], str],
        speaks: Mapping[str, frozenset[WireProtocol]],
        routes: Mapping[str, Policy] | None = None,
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._speaks = speaks
        self._entries = {one.model: catalog[one.model] for one in policy.candidates}
        own = routes or {}
        self._choices = {name: Choice(rules, None) for name, rules in routes_of(policy, own).items()}
        self._routes = list(self._choices)
        # As what `turnout` means for a key, and for clients that want the prefix.
        self._choices |= {f"{ROUTED}/{name}": self._choices[name] for name in own}
        self._remembered: dict[tuple[str, WireProtocol], Choice] = {}

    @property
    def names(self) -> list[str]:
        """The names that are shown: the routes, then the candidates' catalog ids, the most capable first."""
        ranked = sorted(self._policy.candidates, key=lambda candidate: -candidate.rank)
        return [*self._routes, *(candidate.model for candidate in ranked)]

    def choose(self, name: str, protocol: WireProtocol) -> Choice:
        """What a name stands for.

        Args:
            name: As the client wrote it.
            protocol: How it asks: of two candidates of one name, the one that speaks it.

        Raises:
            UnknownModelError: Nothing; the message has the nearest name.
        """
        found = self._choices.get(name) or self._remembered.get((name, protocol))
        if found is None:
            found = Choice(self._policy, self._pin(name, protocol))
            if len(self._remembered) < _MOST_REMEMBERED:
                self._remembered[name, protocol] = found
        return found

    def pin(self, name: str, protocol: WireProtocol) -> str:
        """The catalog id of the candidate of that name.

        Raises:
            UnknownModelError: There is none.
        """
        pin = self.choose(name, protocol).pin
        if pin is None:
            raise UnknownModelError(f"{name!r} is no model to pin: name a candidate, such as {self.names[-1]!r}")
        return pin

    def _pin(self, name: str, protocol: WireProtocol) -> str:
        if len(name) > _LONGEST:
            raise UnknownModelError(f"unknown model {name[:40] + '...'!r}: no name has {len(name)} characters")
        if name in self._entries:
            return name
        called = [key for key, entry in self._entries.items() if entry.model_id == name]
        if not called:
            providers = dict.fromkeys(entry.provider for entry in self._entries.values())
            found = [self._resolved(spelling) for spelling in (name, *(f"{one}/{name}" for one in providers))]
            called = [key for key in dict.fromkeys(found) if key is not None]
        if not called:
            # Without an inference profile: the only candidate of that name.
            called = [key for key, entry in self._entries.items() if entry.model_id.endswith("." + name)]
        speaking = [key for key in called if protocol in self._speaks[key]] or called
        if len(speaking) == 1:
            return speaking[0]
        if speaking:
            raise UnknownModelError(f"the model {name!r} is one of {', '.join(sorted(speaking))}: name one of them")
        known = [*self._choices, *self._entries, *(entry.model_id for entry in self._entries.values())]
        raise UnknownModelError(f"{unknown('model', name, known)}; there are {', '.join(self.names)}")

    def _resolved(self, spelling: str) -> str | None:
        """The candidate that is spelled like that, or none."""
        try:
            found = self._resolve(spelling)
        except (UnknownModelError, ConfigError):
            return None
        return found if found in self._entries else None
