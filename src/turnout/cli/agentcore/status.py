"""`turnout agentcore status`: what a deployment is doing."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

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
from turnout.cli.common import JsonOption, console, print_json

NAME = "status"


def run(
    name: NameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> int:
    """Say what a deployment is doing now; exit code 2 if it cannot be called."""
    from turnout.deploy.agentcore.status import status

    with Shown() as shown, told():
        aws, names, _ = deployed(name, region, profile, state_file(state), shown)
        now = status(aws, names)
    if json:
        print_json(now)
    else:
        table = Table(
            title=f"{now.name} in {now.region}, account {now.account}", title_justify="left", show_header=False
        )
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        endpoints = ", ".join(f"{one.name} {one.status} (version {one.version})" for one in now.endpoints)
        for what, value in (
            ("status", f"{now.status}{': ' + now.failure if now.failure else ''}"),
            ("version", now.version),
            ("ARN", now.arn),
            ("made by Turnout", "yes" if now.made_by_turnout else "no"),
            ("runs", now.artifact),
            ("role", now.role),
            ("variables", ", ".join(now.variables)),
            ("endpoints", endpoints),
            ("log group", now.log_group),
        ):
            if value:
                table.add_row(what, Text(value))
        console().print(table)
    return 0 if now.status == "READY" else 2
