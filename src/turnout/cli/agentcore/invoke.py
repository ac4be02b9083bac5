"""`turnout agentcore invoke`: ask a deployed agent, or one that is served on this machine."""

from __future__ import annotations

from typing import Annotated, Any

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
from turnout.cli.errors import UserError

NAME = "invoke"


def run(
    prompt: Annotated[str, typer.Argument(help="The question.")],
    session: Annotated[str | None, typer.Option(help="Go on with this session, 33 to 256 characters.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Print the answer as it comes.")] = False,
    local: Annotated[
        str | None, typer.Option(metavar="URL", help="Ask a service on this machine, without an account.")
    ] = None,
    name: NameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Ask a deployed agent a question; print its answer, which model gave it, why, and what it cost."""
    from turnout.deploy.agentcore import invoke
    from turnout.deploy.agentcore.aws import new_session

    with Shown() as shown, told():
        session_id = invoke.check_session_id(session) if session else invoke.new_session_id()
        if local is not None:
            client, arn = invoke.data_client(new_session(None, None), local=local), invoke.LOCAL_ARN
        else:
            aws, names, agent = deployed(name, region, profile, state_file(state), shown)
            client, arn = invoke.data_client(new_session(names.place.region, profile)), _arn(aws, names, agent)
        shown.close()
        for answer in invoke.invoke(client, arn, prompt, session_id, stream=stream):
            if json:
                print_json(answer)
            else:
                _print(answer.data, streamed=answer.streamed)
            session_id = answer.session_id
    if not json:
        typer.echo(f"session: {session_id}", err=True)


def _arn(aws: Any, names: Any, agent: Any) -> str:
    """The runtime's ARN, from the state file or from AgentCore."""
    from turnout.deploy.agentcore.errors import DeployError
    from turnout.deploy.agentcore.look import find_runtime

    if agent is not None and agent.runtime_arn:
        return str(agent.runtime_arn)
    runtime = find_runtime(aws, names)
    if runtime is None:
        raise DeployError(f"there is no AgentCore Runtime {names.agent} in {names.place.region}")
    return runtime.arn


def _print(data: Any, *, streamed: bool) -> None:
    """The answer on standard output, what is told about it on standard error."""
    if not isinstance(data, dict):
        typer.echo(data, nl=not streamed)
        return
    if "error" in data:
        error = data["error"]
        raise UserError(f"the agent answered: {error.get('message', error) if isinstance(error, dict) else error}")
    if streamed and data.get("type") in ("decision", "tool"):
        return  # the last event tells of it
    text = data.get("text", data.get("data"))
    if streamed and isinstance(text, str):
        typer.echo(text, nl=False)
        return
    if "response" in data:
        # A stream's last event repeats the whole answer, which was printed piece by piece.
        typer.echo("" if streamed else data["response"])
    decision = data.get("decision") or {}
    facts = {
        "model": data.get("model_used"),
        "reason": decision.get("reason"),
        "complexity": data.get("complexity"),
        "cost": f"{data['cost_usd']} USD" if data.get("cost_usd") is not None else None,
        "note": data.get("label"),
    }
    for what, value in facts.items():
        if value is not None:
            typer.echo(f"{what}: {value}", err=True)
