from __future__ import annotations

import base64
import re
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doors.gateway.access.support import MADE, key
from turnout.config.errors import ConfigError
from turnout.core.policy import Candidate, Policy
from turnout.doors.gateway.access.denial import Denial
from turnout.doors.gateway.access.keys import (
    ANYBODY,
    Key,
    KeyRing,
    KeyRules,
    SigningPair,
    StoredKey,
    check_rules,
    new_key,
)

CHEAP, CAPABLE = "bedrock/cheap", "bedrock/capable"


def refused(outcome: Key | Denial, code: str) -> str:
    assert isinstance(outcome, Denial)
    assert (outcome.status, outcome.code, outcome.retry_after_s) == (401, code, None)
    return outcome.message


def revoked(stored: StoredKey) -> StoredKey:
    return msgspec.structs.replace(stored, revoked=MADE)


def test_a_key_has_256_random_bits_and_only_its_hash_is_kept() -> None:
    made = key(signing=True)
    form = re.fullmatch(r"tk-([0-9a-f]{8})-(.{43})", made.token)
    assert form is not None
    assert form[1] == made.stored.id
    assert len(base64.urlsafe_b64decode(form[2] + "=")) == 32
    assert made.stored.secret_sha256 == sha256(made.token.encode()).hexdigest()
    pair = made.stored.signing
    assert pair is not None
    assert re.fullmatch(r"TKIA[A-Z2-7]{16}", pair.access_key_id)
    assert len(base64.urlsafe_b64decode(pair.secret + "=")) == 32
    kept = msgspec.json.encode(made.stored).decode()
    assert form[2] not in kept
    assert pair.secret not in made.token
    assert len({key().token for _ in range(50)}) == 50


def test_a_key_is_told_from_a_wrong_one() -> None:
    first, second = key("a"), key("b")
    ring = KeyRing([first.stored, second.stored])
    assert (len(ring), ring.active) == (2, 2)
    assert ring.check(first.token) == first.stored.public
    assert ring.check(second.token) == second.stored.public
    refused(ring.check(key().token), "invalid_key")
    # The id of one with the secret of the other.
    mixed = first.token[:12] + second.token[12:]
    message = refused(ring.check(mixed), "invalid_key")
    assert first.token[12:] not in message
    assert "tk-" in refused(ring.check("sk-proj-something"), "invalid_key")
    refused(KeyRing().check(first.token), "invalid_key")


@given(st.integers(0, 54), st.characters(codec="latin-1"))
def test_any_changed_character_is_refused(place: int, other: str) -> None:
    made = key()
    token = made.token[:place] + other + made.token[place + 1 :]
    outcome = KeyRing([made.stored]).check(token)
    assert isinstance(outcome, Key) == (token == made.token)


@pytest.mark.parametrize("token", ["", "tk-", "tk-00000000-", "TK-" + "0" * 52, " tk-00000000-" + "A" * 43, "é"])
def test_what_is_no_key_of_ours_is_refused(token: str) -> None:
    refused(KeyRing([key().stored]).check(token), "invalid_key")
    made = key()
    refused(KeyRing([made.stored]).check(made.token + "\n"), "invalid_key")


def test_a_revoked_key_says_so_only_to_whoever_has_it() -> None:
    made = key("ci")
    ring = KeyRing([revoked(made.stored)])
    assert (len(ring), ring.active) == (1, 0)
    assert "'ci'" in refused(ring.check(made.token), "key_revoked")
    refused(ring.check(made.token[:-1] + ("A" if made.token[-1] != "A" else "B")), "invalid_key")


def test_pairs_are_found_by_their_public_half() -> None:
    made, plain = key("a", signing=True), key("b")
    ring = KeyRing([made.stored, plain.stored])
    assert made.stored.signing is not None
    assert ring.pair(made.stored.signing.access_key_id) == (made.stored.public, made.stored.signing.secret)
    assert ring.pair("TKIAAAAAAAAAAAAAAAAA") is None
    assert ring.pair("") is None
    assert ring.holds_secrets
    assert not KeyRing([plain.stored]).holds_secrets


def test_two_keys_differ_in_id_pair_and_name() -> None:
    one, other = key("a", signing=True).stored, key("b", signing=True).stored
    replace = msgspec.structs.replace
    with pytest.raises(ValueError, match="two keys have the id"):
        KeyRing([one, replace(other, id=one.id)])
    with pytest.raises(ValueError, match="two keys have the access key id"):
        KeyRing([one, replace(other, signing=one.signing)])
    with pytest.raises(ValueError, match="two keys have the name 'a'"):
        KeyRing([one, replace(other, name="a")])
    KeyRing([revoked(one), replace(other, name="a")])  # the name of a revoked key is free


@pytest.mark.parametrize(
    "rules",
    [
        {"requests_per_minute": 0},
        {"tokens_per_minute": -1},
        {"concurrent_requests": 10**13},
        {"budget_day_usd": Decimal(0)},
        {"budget_month_usd": Decimal("NaN")},
        {"budget_day_usd": Decimal("Infinity")},
        {"budget_day_usd": Decimal("1e-13")},
        {"budget_month_usd": Decimal("1000000.01")},
    ],
)
def test_limits_that_make_no_sense_are_refused(rules: dict[str, Any]) -> None:
    [name] = rules
    with pytest.raises(ValueError, match=f"{name}|finer than"):
        KeyRules(**rules)


@pytest.mark.parametrize("name", ["", " a", "../a", "a\nb", "a" * 65, "0123abcd", "_a", "a;b"])
def test_names_that_could_be_taken_for_something_else_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        new_key(name, MADE)
    new_key("Équipe 7: no"[:8], MADE)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "x"},
        {"secret_sha256": "0" * 63},
        {"name": ""},
        {"signing": SigningPair(access_key_id="TKIAAAAAAAAAAAAAAAAA", secret="")},
        {"signing": SigningPair(access_key_id="a/b", secret="s")},
    ],
)
def test_a_stored_key_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|name"):
        StoredKey(**{**msgspec.structs.asdict(key().stored), **changes})


def test_which_models_a_key_allows() -> None:
    policy = Policy(candidates=(Candidate(CHEAP, 1), Candidate(CAPABLE, 2)))
    assert ANYBODY.narrow(policy) is policy
    assert key(models=(CHEAP, CAPABLE)).stored.public.narrow(policy) is policy
    narrowed = key(models=(CAPABLE, "x/y")).stored.public.narrow(policy)
    assert narrowed == msgspec.structs.replace(policy, candidates=(Candidate(CAPABLE, 2),))
    outcome = key(models=("x/y",)).stored.public.narrow(policy)
    assert isinstance(outcome, Denial)
    assert (outcome.status, outcome.code) == (403, "model_not_allowed")


def test_what_keys_name_must_be_there() -> None:
    def check(**rules: Any) -> None:
        check_rules([key(**rules).stored.public], [CHEAP], ["economy"])

    check(models=(CHEAP,), route="economy")
    with pytest.raises(ConfigError, match=r"key 'ci' \(.*unknown model 'bedrock/cheep'; .*'bedrock/cheap'"):
        check(models=("bedrock/cheep",))
    with pytest.raises(ConfigError, match=r"unknown route 'econmy'; .*'economy'"):
        check(route="econmy")
    check_rules([revoked(key(route="econmy").stored).public], [CHEAP], ["economy"])  # of no consequence any more


def test_no_secret_is_shown() -> None:
    made = key(signing=True)
    ring = KeyRing([made.stored])
    pair = made.stored.signing
    assert pair is not None
    for value in (made, made.stored, made.stored.public, pair, ring, [made], {"k": pair}):
        for text in (repr(value), str(value), f"{value}"):
            assert made.token[12:] not in text
            assert made.stored.secret_sha256 not in text
            assert pair.secret not in text
