"""`turnout keys`: makes, lists, shows and revokes the keys of the gateway."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from turnout.cli.common import (
    ConfigOption,
    JsonOption,
    LedgerOption,
    console,
    group,
    load,
    open_for_reading,
    print_json,
)
from turnout.cli.errors import UserError
from turnout.config.presets import PRESETS
from turnout.config.routes import route_names
from turnout.core.catalog import unknown
from turnout.core.cost import pico_to_usd
from turnout.doors.gateway.access.key_file import KeyFile, default_keys
from turnout.doors.gateway.access.keys import Key, KeyRing, KeyRules, StoredKey, check_name, new_key
from turnout.doors.gateway.access.spending import Spent, spent_by_key
from turnout.trace.views.figures import usd

NAME = "keys"

app = typer.Typer(help="Make, list, show and revoke the keys of the gateway.", invoke_without_command=True)

KeysOption = Annotated[
    Path | None, typer.Option("--keys", help="Key file. Default: as configured, else keys.json in the data directory.")
]
KeyArgument = Annotated[str, typer.Argument(help="Id or name of a key.")]


app.callback()(group)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call it, such as the name of a team or a program.")],
    model: Annotated[
        list[str] | None, typer.Option("--model", help="A model that may serve it; can be repeated. Default: all.")
    ] = None,
    route: Annotated[
        str,
        typer.Option(
            "--route", help=f"What the model `turnout` means for it: {', '.join(PRESETS)}, or a route of the settings."
        ),
    ] = "",
    budget_day: Annotated[str | None, typer.Option(help="What it may spend in a day (UTC), in USD.")] = None,
    budget_month: Annotated[str | None, typer.Option(help="What it may spend in a month (UTC), in USD.")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(help="Requests a minute.")] = None,
    tokens_per_minute: Annotated[int | None, typer.Option(help="Tokens a minute, answers included.")] = None,
    concurrent_requests: Annotated[int | None, typer.Option(help="Requests at once.")] = None,
    aws: Annotated[bool, typer.Option("--aws", help="With a pair that AWS clients sign with at the Bedrock door.")] = (
        False
    ),
    keys: KeysOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make a key and show it, this once: only a hash of it is kept."""
    if route and route not in PRESETS:
        routes = route_names(load(config)[0].routes)
        if route not in routes:
            raise UserError(f"--route: {unknown('route', route, routes)}; one of {', '.join(routes)}")
    try:
        check_name(name)
        rules = KeyRules(
            models=_models(model, config),
            route=route,
            budget_day_usd=_money("--budget-day", budget_day),
            budget_month_usd=_money("--budget-month", budget_month),
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            concurrent_requests=concurrent_requests,
        )
    except ValueError as error:
        raise UserError(str(error)) from None
    made = new_key(name, _now(), rules, signing=aws)
    file = _file(keys, config)

    def added(ring: KeyRing) -> tuple[StoredKey, ...]:
        for key in ring.keys:
            if key.name == name and key.revoked is None:
                raise UserError(f"there is a key {name!r} already ({key.id}): revoke it first, or take another name")
        return *ring.stored, made.stored

    file.change(added)
    pair = made.stored.signing
    if json:
        secrets = {"key": made.token, "aws_access_key_id": None, "aws_secret_access_key": None}
        if pair is not None:
            secrets |= {"aws_access_key_id": pair.access_key_id, "aws_secret_access_key": pair.secret}
        print_json({**_document(made.stored.public), **secrets})
        return
    typer.echo(made.token)
    if pair is not None:
        typer.echo(f"AWS_ACCESS_KEY_ID={pair.access_key_id}\nAWS_SECRET_ACCESS_KEY={pair.secret}")
    kept = "the pair's secret as it is" if pair is not None else "nothing else"
    typer.echo(
        f"key {made.stored.id} {name!r} made; it is shown this once: {file.path} keeps its hash and {kept}", err=True
    )


@app.command(name="list")
def list_(
    keys: KeysOption = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List all keys, with what they have spent; the newest last."""
    found = _file(keys, config).read().keys
    spent = _spent(ledger, config) if found else {}
    if json:
        print_json([_document(key, spent.get(key.id)) for key in found])
        return
    table = Table("id", "name", "made", "state", "models", "limits", "spent today", "this month")
    for key in found:
        used = spent.get(key.id, Spent(0, 0))
        table.add_row(
            key.id,
            key.name,
            _time(key.created),
            "works" if key.revoked is None else f"revoked {_time(key.revoked)}",
            ", ".join(key.rules.models) or "all",
            "; ".join(_limits(key.rules)) or "none",
            usd(pico_to_usd(used.day_pico)),
            usd(pico_to_usd(used.month_pico)),
        )
    console().print(table)


@app.command()
def show(
    key: KeyArgument,
    keys: KeysOption = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a key may do and what it has spent; never its secrets."""
    found = _find(_file(keys, config).read(), key)
    used = _spent(ledger, config).get(found.id)
    if json:
        print_json(_document(found, used))
        return
    table = Table(show_header=False)
    for name, value in _document(found, used).items():
        shown = ", ".join(value) if isinstance(value, tuple) else value
        table.add_row(name, "-" if shown in (None, "") else str(shown))
    console().print(table)


@app.command()
def revoke(key: KeyArgument, keys: KeysOption = None, config: ConfigOption = None) -> None:
    """Revoke a key for good; a running gateway follows within seconds."""
    revoked: list[Key] = []

    def changed(ring: KeyRing) -> tuple[StoredKey, ...]:
        found = _find(ring, key)
        if found.revoked is not None:
            raise UserError(f"the key {found.name!r} ({found.id}) was revoked before, {_time(found.revoked)}")
        revoked.append(found)
        now = _now()
        # Its signing secret has no use any more; its id stays known.
        return tuple(
            msgspec.structs.replace(one, revoked=now, signing=None) if one.id == found.id else one
            for one in ring.stored
        )

    _file(keys, config).change(changed)
    typer.echo(f"key {revoked[0].id} {revoked[0].name!r} revoked")


def _file(path: Path | None, config: Path | None) -> KeyFile:
    """The file of keys that a gateway with these settings reads.

    Raises:
        ConfigError: No file was named, and the settings cannot be loaded.
    """
    return KeyFile(path or load(config)[0].gateway.keys or default_keys())


def _find(ring: KeyRing, wanted: str) -> Key:
    """The key of that id or name; of several names the one that works, else the newest."""
    found = [key for key in ring.keys if wanted in (key.id, key.name)]
    if not found:
        raise UserError(unknown("key", wanted, [name for key in ring.keys for name in (key.name, key.id)]))
    return next((key for key in found if wanted == key.id or key.revoked is None), found[-1])


def _models(named: list[str] | None, config: Path | None) -> tuple[str, ...]:
    """The catalog ids of models that were named.

    Raises:
        UnknownModelError: There is no such model.
        ConfigError: The settings cannot be loaded, or a name lacks an inference profile.
    """
    if not named:
        return ()
    settings, _ = load(config)
    return tuple(dict.fromkeys(settings.resolve(name) for name in named))


def _money(option: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise UserError(f"{option}: {text!r} is no amount in USD, such as 2.50") from None


def _spent(ledger: Path | None, config: Path | None) -> dict[str, Spent]:
    """What keys have spent, by the ledger; nothing where there is none yet."""
    settings, _ = load(config)
    path = ledger or settings.ledger
    if ledger is None and not path.exists():
        return {}
    with open_for_reading(path) as opened:
        return dict(spent_by_key(opened, int(_now().timestamp() * 1000)))


def _document(key: Key, spent: Spent | None = None) -> dict[str, Any]:
    """All that may be shown of a key, for machines."""
    used = spent or Spent(0, 0)
    return {
        "id": key.id,
        "name": key.name,
        "created": _time(key.created),
        "revoked": None if key.revoked is None else _time(key.revoked),
        "aws_access_key_id": key.access_key_id or None,
        **{name: getattr(key.rules, name) for name in KeyRules.__struct_fields__},
        "spent_day_usd": f"{pico_to_usd(used.day_pico):f}",
        "spent_month_usd": f"{pico_to_usd(used.month_pico):f}",
    }


def _limits(rules: KeyRules) -> list[str]:
    words = {
        "route": "route {}",
        "budget_day_usd": "{} USD a day",
        "budget_month_usd": "{} USD a month",
        "requests_per_minute": "{:,} requests a minute",
        "tokens_per_minute": "{:,} tokens a minute",
        "concurrent_requests": "{:,} at once",
    }
    return [form.format(value) for name, form in words.items() if (value := getattr(rules, name))]


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
