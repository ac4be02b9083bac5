"""`turnout agentcore`: the agents as an Amazon Bedrock AgentCore Runtime service, here and deployed.

One file a command: a module with ``NAME`` and ``run`` (and ``SETTINGS`` where the command needs some), listed in
`COMMANDS`. What a command works with is imported when it runs, so that the help stays fast.
"""

from __future__ import annotations

import typer

from turnout.cli.agentcore import app as local_app
from turnout.cli.agentcore import deploy, destroy, invoke, logs, status
from turnout.cli.common import group

NAME = "agentcore"

COMMANDS = (local_app, deploy, status, invoke, logs, destroy)
"""The commands in the order of the help: first what runs here, then what runs in an account."""

agentcore = typer.Typer(
    help="Serve an agent as an AgentCore Runtime service, here or deployed.", invoke_without_command=True
)
for command in COMMANDS:
    agentcore.command(name=command.NAME, **getattr(command, "SETTINGS", {}))(command.run)
agentcore.callback()(group)

app = agentcore
"""The name by which the command line finds a group of commands."""
