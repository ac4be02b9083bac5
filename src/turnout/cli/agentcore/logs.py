"""`turnout agentcore logs`: what a deployed agent prints."""

from __future__ import annotations

import time
from datetime import UTC, datetime
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
from turnout.cli.common import JsonOption, print_json

NAME = "logs"


def run(
    since: Annotated[str, typer.Option(help="From when: an age such as 10m, 36h or 7d, or a date or time.")] = "1h",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more, until Ctrl-C.")] = False,
    name: NameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Print what a deployed agent logged, from CloudWatch; with --follow as it comes."""
    from turnout.deploy.agentcore.errors import DeployError
    from turnout.deploy.agentcore.logs import tail
    from turnout.deploy.agentcore.look import find_runtime
    from turnout.deploy.agentcore.names import log_group
    from turnout.trace.store.selection import since as parse

    since_ms = parse(since, time.time_ns() // 1_000_000)
    with Shown() as shown, told():
        aws, names, agent = deployed(name, region, profile, state_file(state), shown)
        runtime_id = agent.runtime_id if agent is not None else ""
        if not runtime_id:
            runtime = find_runtime(aws, names)
            if runtime is None:
                raise DeployError(f"there is no AgentCore Runtime {names.agent} in {names.place.region}")
            runtime_id = runtime.id
        shown.close()
        for line in tail(aws, log_group(runtime_id), since_ms, follow=follow):
            if json:
                print_json(line)
            else:
                moment = datetime.fromtimestamp(line.at_ms / 1000, UTC)
                typer.echo(f"{moment:%Y-%m-%d %H:%M:%S} {line.text}")
