"""Keys that the gateway gives out: what one may do, how it is made, and how it is told from a wrong one.

A key is ``tk-<id>-<secret>``: 8 hexadecimal digits that name it and may be shown, then 256 random bits. Only the
SHA-256 of the whole is kept. With so many random bits a slow hash would add nothing.

For clients that sign instead of showing a key (AWS' signature, version 4) a key may have a signing pair. Whoever checks
such a signature has to compute it, so the pair's secret is **kept as it is**: see `SigningPair`.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256

import msgspec

from turnout.config.errors import ConfigError
from turnout.core.catalog import unknown
from turnout.core.cost import usd_to_pico
from turnout.core.policy import Policy
from turnout.doors.gateway.access.denial import Denial

_TOKEN = re.compile(r"tk-([0-9a-f]{8})-[A-Za-z0-9_-]{43}")
_ID = re.compile(r"[0-9a-f]{8}")
_NAME = re.compile(r"[^\W_][\w.@ -]{0,63}")
_RANDOM_BYTES = 32
_NO_HASH = "0" * 64
"""What a key is compared with that nobody has: no token has this hash, as far as anybody can tell."""


class KeyRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a key may do; what is none is not limited.

    Attributes:
        models: Catalog ids of the models that may serve it; empty: every candidate.
        route: What the model name ``turnout`` means for it: a preset or a route; empty: what it means for all.
        budget_day_usd: What it may spend in a day (UTC), in USD.
        budget_month_usd: What it may spend in a calendar month (UTC), in USD.
        requests_per_minute: How many requests a minute it may make.
        tokens_per_minute: How many tokens a minute, prompts and answers together.
        concurrent_requests: How many requests may be under way at once.

    Raises:
        ValueError: A limit is below 1, or a budget is not above 0, is finer than 1e-12 USD or above 1e6 USD.
    """

    models: tuple[str, ...] = ()
    route: str = ""
    budget_day_usd: Decimal | None = None
    budget_month_usd: Decimal | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None

    def __post_init__(self) -> None:
        for name in ("requests_per_minute", "tokens_per_minute", "concurrent_requests"):
            limit = getattr(self, name)
            if limit is not None and not 1 <= limit <= _MOST:
                raise ValueError(f"{name} must be between 1 and {_MOST}")
        for name in ("budget_day_usd", "budget_month_usd"):
            usd = getattr(self, name)
            if usd is not None:
                # Asked in this order: a comparison with a NaN raises.
                if not usd.is_finite() or not 0 < usd <= _MOST_USD:
                    raise ValueError(f"{name} must be above 0 and at most {_MOST_USD} USD")
                usd_to_pico(usd)


_MOST = 10**12
_MOST_USD = 1_000_000
"""More than anybody spends in a month; the ledger's sums are exact up to nine times as much."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it may be shown: all but its secrets.

    Attributes:
        id: What it is called in events, logs and on the command line; empty where nobody needs a key.
        name: What people call it.
        created: When it was made.
        revoked: When it was revoked; none: it works.
        rules: What it may do.
        access_key_id: The public half of its signing pair, or empty.
    """

    id: str
    name: str
    created: datetime
    revoked: datetime | None = None
    rules: KeyRules = KeyRules()
    access_key_id: str = ""

    def allows(self, model: str) -> bool:
        """Whether a model, by its catalog id, may serve it."""
        return not self.rules.models or model in self.rules.models

    def narrow(self, policy: Policy) -> Policy | Denial:
        """The policy with those candidates alone that may serve this key; the same object if all may."""
        candidates = tuple(one for one in policy.candidates if self.allows(one.model))
        if len(candidates) == len(policy.candidates):
            return policy
        if not candidates:
            return Denial(
                status=403,
                code="model_not_allowed",
                message=f"the key {self.name!r} allows none of the models that could serve this request",
            )
        return msgspec.structs.replace(policy, candidates=candidates)


ANYBODY = Key(id="", name="", created=datetime(1970, 1, 1, tzinfo=UTC))
"""Who asks where no key is needed: no id, no limits."""


class SigningPair(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client signs with; the secret is kept as it is, since a signature can be checked in no other way.

    It is drawn apart from the key's own secret, opens the Bedrock door of this gateway and nothing at AWS. Whoever
    reads it can sign as this key, so the file that holds it must be readable by its owner alone.
    """

    access_key_id: str
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"SigningPair({self.access_key_id!r})"


class StoredKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key as the file has it.

    Attributes:
        id: Its id.
        name: Its name.
        created: When it was made.
        secret_sha256: SHA-256 of the whole key, in hexadecimal digits.
        revoked: When it was revoked; none: it works.
        rules: What it may do.
        signing: Its signing pair, or none.

    Raises:
        ValueError: Id, name or hash are not of the form that `new_key` gives them.
    """

    id: str
    name: str
    created: datetime
    secret_sha256: str
    revoked: datetime | None = None
    rules: KeyRules = KeyRules()
    signing: SigningPair | None = None

    def __post_init__(self) -> None:
        if _ID.fullmatch(self.id) is None:
            raise ValueError("id must be 8 hexadecimal digits")
        if re.fullmatch(r"[0-9a-f]{64}", self.secret_sha256) is None:
            raise ValueError("secret_sha256 must be 64 hexadecimal digits")
        check_name(self.name)
        if self.signing is not None and not (_PAIR_ID.fullmatch(self.signing.access_key_id) and self.signing.secret):
            raise ValueError(
                "signing must hold an access key id and a secret as `turnout keys create --aws` makes them"
            )

    def __repr__(self) -> str:
        """Without hash and pair."""
        return f"StoredKey({self.id!r}, {self.name!r})"

    @property
    def public(self) -> Key:
        """What of it may be shown."""
        return Key(
            id=self.id,
            name=self.name,
            created=self.created,
            revoked=self.revoked,
            rules=self.rules,
            access_key_id=self.signing.access_key_id if self.signing else "",
        )


_PAIR_ID = re.compile(r"[A-Za-z0-9]{16,128}")


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was just made: the only place where its secret is, to be shown once.

    Attributes:
        stored: What is kept of it.
        token: The key itself: ``tk-...``.
    """

    stored: StoredKey
    token: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"NewKey({self.stored.id!r})"


def check_name(name: str) -> str:
    """A name that a key may have.

    Raises:
        ValueError: It is empty, too long, holds characters that could be taken for something else, or looks like an id.
    """
    if _ID.fullmatch(name) is not None:
        raise ValueError(f"{name!r} looks like the id of a key: take another name")
    if _NAME.fullmatch(name) is None:
        raise ValueError(
            "a key's name has 1 to 64 letters, digits, blanks or . _ @ - and begins with a letter or digit"
        )
    return name


def new_key(name: str, created: datetime, rules: KeyRules | None = None, *, signing: bool = False) -> NewKey:
    """Draw a key.

    Args:
        name: What people call it.
        created: The time now, with its zone.
        rules: What it may do; none: everything.
        signing: Whether it gets a signing pair for the Bedrock door.

    Raises:
        ValueError: The name cannot be one.
    """
    id = secrets.token_hex(4)
    token = f"tk-{id}-{secrets.token_urlsafe(_RANDOM_BYTES)}"
    pair = None
    if signing:
        # As long as AWS' own, 20 characters: some tools check that.
        public = base64.b32encode(secrets.token_bytes(10)).decode()
        pair = SigningPair(access_key_id=f"TKIA{public}", secret=secrets.token_urlsafe(_RANDOM_BYTES))
    stored = StoredKey(
        id=id,
        name=name,
        created=created,
        secret_sha256=_hash(token),
        rules=rules or KeyRules(),
        signing=pair,
    )
    return NewKey(stored=stored, token=token)


class KeyRing:
    """All keys that were given out, revoked ones too, as they were when the file was read; never changed.

    Args:
        stored: The keys.

    Raises:
        ValueError: Two have the same id or the same access key id, or two that work have the same name.

    Attributes:
        stored: The keys.
        keys: The same, as they may be shown.
    """

    def __init__(self, stored: Iterable[StoredKey] = ()) -> None:
        self.stored = tuple(stored)
        self.keys = tuple(one.public for one in self.stored)
        pairs = [one.signing.access_key_id for one in self.stored if one.signing]
        for what, values in (
            ("id", [one.id for one in self.stored]),
            ("access key id", pairs),
            ("name", [one.name for one in self.stored if one.revoked is None]),
        ):
            doubled = [value for value, count in Counter(values).items() if count > 1]
            if doubled:
                raise ValueError(f"two keys have the {what} {doubled[0]!r}")
        self._by_id = {one.id: (key, one.secret_sha256) for one, key in zip(self.stored, self.keys, strict=True)}
        self._by_pair = {
            one.signing.access_key_id: (key, one.signing.secret)
            for one, key in zip(self.stored, self.keys, strict=True)
            if one.signing
        }

    def __len__(self) -> int:
        return len(self.stored)

    def __repr__(self) -> str:
        """How many, and nothing of them."""
        return f"KeyRing(keys={len(self)}, active={self.active})"

    @property
    def active(self) -> int:
        """How many of the keys work."""
        return sum(key.revoked is None for key in self.keys)

    @property
    def holds_secrets(self) -> bool:
        """Whether any of the keys has a signing pair, whose secret is kept as it is."""
        return bool(self._by_pair)

    def check(self, token: str) -> Key | Denial:
        """The key that a client shows, or why it is none.

        What is compared are hashes, in constant time; an id that nobody has is compared too.
        """
        form = _TOKEN.fullmatch(token)
        if form is None:
            return Denial(
                status=401,
                code="invalid_key",
                message="this is no key of this gateway: its keys begin with tk- and are made by `turnout keys create`",
            )
        key, known = self._by_id.get(form[1], (None, _NO_HASH))
        same = hmac.compare_digest(_hash(token), known)
        if key is None or not same:
            return Denial(status=401, code="invalid_key", message="the gateway does not know this key")
        return usable(key)

    def pair(self, access_key_id: str) -> tuple[Key, str] | None:
        """The key and the secret of a signing pair; none if nobody was given it."""
        return self._by_pair.get(access_key_id)


def usable(key: Key) -> Key | Denial:
    """A key whose secret was proved, unless it was revoked."""
    if key.revoked is None:
        return key
    return Denial(status=401, code="key_revoked", message=f"the key {key.name!r} ({key.id}) was revoked")


def check_rules(keys: Iterable[Key], models: Sequence[str], routes: Iterable[str]) -> None:
    """Hold what keys that work may do against what there is, at start-up.

    Args:
        keys: The keys.
        models: The catalog ids that a key may name.
        routes: The names of presets and routes.

    Raises:
        ConfigError: A key names a model or route that there is not; the message names the nearest one.
    """
    known = list(routes)
    for key in keys:
        if key.revoked is not None:
            continue
        where = f"key {key.name!r} ({key.id})"
        for model in key.rules.models:
            if model not in models:
                raise ConfigError(f"{where}: {unknown('model', model, models)}")
        if key.rules.route and key.rules.route not in known:
            raise ConfigError(f"{where}: {unknown('route', key.rules.route, known)}")


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
