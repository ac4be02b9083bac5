"""`turnout agentcore destroy`: removes what a deployment made, and nothing else."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from turnout.cli.agentcore.account import (
    NameOption,
    ProfileOption,
    RegionOption,
    Shown,
    StateOption,
    deployed,
    state_file,
    told,
)
from turnout.cli.errors import UserError

NAME = "destroy"


def run(
    name: NameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed and kept.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    state: StateOption = None,
) -> None:
    """Remove what deploy made, by tags and state file; given buckets, images and roles are kept."""
    from turnout.deploy.agentcore.destroy import destroy, look_for_removal, removal

    with Shown() as shown, told():
        file = state_file(state)
        aws, names, agent = deployed(name, region, profile, file, shown)
        planned = removal(names, look_for_removal(aws, names, agent), agent)
        for call in planned.calls:
            typer.echo(f"remove: {call.why} ({_what(call.parameters)})")
        for kept in planned.kept:
            typer.echo(f"keep:   {kept}")
        if not planned.calls:
            if not dry_run:
                file.drop(names)
            typer.echo(f"nothing that Turnout made for {names.agent} is in {names.place.region}")
            return
        if dry_run:
            return
        if not yes:
            if not sys.stdin.isatty():
                raise UserError(f"{len(planned.calls)} removals and nobody can be asked: say --yes, or --dry-run")
            typer.confirm(f"Remove this from account {names.place.account} for good?", abort=True, err=True)
        destroy(aws, names, planned, file, agent, shown)
        shown.close()
        typer.echo(f"{names.agent} is gone from {names.place.region}; kept: {'; '.join(planned.kept) or 'nothing'}")


def _what(parameters: object) -> str:
    """The name of the thing that a call is about."""
    if isinstance(parameters, dict):
        for key in ("agentRuntimeId", "RoleName", "repositoryName", "name", "Bucket"):
            if key in parameters:
                return str(parameters[key])
    return ""
