"""`turnout score`: feedback on what was recorded, sent to Langfuse."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from turnout.cli.common import ConfigOption, JsonOption, LedgerOption, load, open_for_reading, print_json
from turnout.cli.errors import UserError
from turnout.cli.sources import langfuse_switched_on
from turnout.trace.views.explain_text import printable

NAME = "score"

SETTINGS: dict[str, Any] = {
    "epilog": """\b
Examples:
turnout score last user-feedback true
turnout score 019abc quality 0.8 --comment "right, and too long"
turnout score turn-7 verdict good --data-type categorical
turnout score last rating -- -1"""
}


def run(
    id: Annotated[
        str, typer.Argument(help="Id of a decision, a call or a turn, or the beginning of one; last: the newest turn.")
    ],
    name: Annotated[str, typer.Argument(help="What is scored, such as user-feedback.")],
    value: Annotated[str, typer.Argument(help="A number, true or false, or a text. A negative number goes behind --.")],
    comment: Annotated[str | None, typer.Option(help="The user's own words; they are sent as they are.")] = None,
    data_type: Annotated[
        str | None, typer.Option(help="numeric, categorical or boolean. Default: what the value looks like.")
    ] = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Score a call, a decision or a turn in Langfuse: feedback beside its trace."""
    from turnout.trace.langfuse import LangfuseError, create_score
    from turnout.trace.langfuse.feedback import score_value, to_score

    try:
        scored = score_value(value, data_type)
    except ValueError as error:
        raise UserError(f"VALUE: {error}") from None
    if not name.strip():
        raise UserError("NAME is empty: say what is scored, such as user-feedback")
    langfuse = langfuse_switched_on()
    settings, _ = load(config)
    with open_for_reading(ledger or settings.ledger) as opened:
        target = to_score(opened, id)
    try:
        score_id = create_score(
            langfuse,
            name=name,
            value=scored,
            trace_id=target.trace_id,
            observation_id=target.observation_id,
            comment=comment,
        )
    except LangfuseError as error:
        raise UserError(str(error)) from None
    if json:
        print_json({**target._asdict(), "score_id": score_id, "name": name, "value": scored})
        return
    shown = str(scored).lower() if isinstance(scored, bool) else scored
    what = "trace" if target.observation_id is None else "span"
    typer.echo(
        str(printable(f"{name} = {shown} for the {target.kind} {target.id}"))
        + f" ({what} {target.observation_id or target.trace_id}), score {score_id}"
    )
