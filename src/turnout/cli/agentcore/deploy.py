"""`turnout agentcore deploy`: an agent to AgentCore Runtime, as code or as a container."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnout.cli.agentcore.account import ProfileOption, Shown, StateOption, state_file, told
from turnout.cli.common import ConfigOption, JsonOption, load, print_json
from turnout.cli.errors import UserError

if TYPE_CHECKING:
    from turnout.deploy.agentcore.aws import Aws
    from turnout.deploy.agentcore.calls import Call
    from turnout.deploy.agentcore.package.value import Package
    from turnout.deploy.agentcore.wanted import Place, Wanted

NAME = "deploy"

PACKAGES = Path(".turnout", "packages")
"""Where packages are built."""

NO_ACCOUNT = "000000000000"
"""Stands for the account in a dry run that may not ask one."""


def run(
    name: Annotated[str, typer.Option(help="What the AgentCore Runtime is called.")] = "customer_support",
    version: Annotated[str | None, typer.Option(help="The reference agent: v1, v2, v3 or v4 (the default).")] = None,
    agent: Annotated[str | None, typer.Option(metavar="MODULE:NAME", help="An agent of your own.")] = None,
    pair: Annotated[str | None, typer.Option(help="The reference agent's pair of models, 4.5 or 5.5.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model that the role may call; again for more. Default: as configured, or the pair."),
    ] = None,
    source: Annotated[Path, typer.Option(help="The project's folder.")] = Path("."),
    include: Annotated[list[str] | None, typer.Option(help="Take this file or folder along; again for more.")] = None,
    requirement: Annotated[list[str] | None, typer.Option(help="A package that the agent needs; again.")] = None,
    requirements: Annotated[list[Path] | None, typer.Option(help="A file of requirements; again for more.")] = None,
    bare: Annotated[
        list[str] | None, typer.Option(help="A package without what it depends on, such as weights; again for more.")
    ] = None,
    container: Annotated[bool, typer.Option("--container", help="An image, built by CodeBuild, not a zip.")] = False,
    image: Annotated[str | None, typer.Option(help="With --container: an image that is in ECR already.")] = None,
    python: Annotated[str, typer.Option(help="The Python that it runs on: 3.11, 3.12 or 3.13.")] = "3.12",
    env: Annotated[
        list[str] | None, typer.Option(metavar="NAME[=VALUE]", help="A variable; without value: as it is here.")
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=ARN[#KEY]", help="A variable that is read from Secrets Manager at the start."),
    ] = None,
    role: Annotated[str | None, typer.Option(help="The ARN of an execution role. Default: one is made.")] = None,
    bucket: Annotated[str | None, typer.Option(help="The S3 bucket for the package. Default: one is made.")] = None,
    subnet: Annotated[list[str] | None, typer.Option(help="Run in a VPC: a subnet; again for more.")] = None,
    security_group: Annotated[list[str] | None, typer.Option(help="Run in a VPC: a security group; again.")] = None,
    knowledge_base: Annotated[str | None, typer.Option(help="The Bedrock Knowledge Base it retrieves from.")] = None,
    idle: Annotated[int | None, typer.Option(help="Seconds until an idle session ends. Default: AgentCore's.")] = None,
    lifetime: Annotated[int | None, typer.Option(help="Seconds until any session ends.")] = None,
    region: Annotated[str | None, typer.Option(help="AWS region. Default: as AWS is configured.")] = None,
    profile: ProfileOption = None,
    account: Annotated[str | None, typer.Option(help="With --dry-run: plan for this account, asking none.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print every call, and make none that changes.")] = False,
    build_only: Annotated[bool, typer.Option("--build-only", help="Build and check the package, then stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    uv: Annotated[Path | None, typer.Option(help="The uv that packs. Default: the installed one.")] = None,
    state: StateOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Deploy an agent to Amazon Bedrock AgentCore Runtime; a second run updates what differs and nothing else."""
    from turnout.deploy.agentcore.wanted import Wanted, check

    if agent is not None and (version is not None or pair is not None):
        raise UserError("--agent brings its own models: leave --version and --pair out")
    if account is not None and not dry_run:
        raise UserError("--account goes with --dry-run: a deployment goes to the account of the credentials")
    app = agent or version or "v4"
    with Shown() as shown, told():
        aws, place = _place(region, profile, account, asked=not (dry_run or build_only), shown=shown)
        wanted = check(
            Wanted(
                name=name,
                place=place,
                app=app,
                models=_models(model, pair, config),
                kind="container" if container else "code",
                python=python,
                environment=_variables(env or []),
                secrets=_pairs(secret or [], "--secret"),
                role_arn=role,
                bucket=bucket,
                image=image,
                subnets=tuple(subnet or ()),
                security_groups=tuple(security_group or ()),
                knowledge_base=knowledge_base,
                idle_seconds=idle,
                lifetime_seconds=lifetime,
            )
        )
        package = None
        if wanted.packs:
            package = _package(wanted, source, include, requirement, requirements, bare, pair, uv, shown)
        if build_only:
            return
        if dry_run:
            _dry_run(wanted, package, aws, state, json=json)
            return
        assert aws is not None  # only a dry run or a build asks no account
        _deploy(wanted, package, aws, state, yes=yes, shown=shown)


def _place(
    region: str | None, profile: str | None, account: str | None, *, asked: bool, shown: Shown
) -> tuple[Aws | None, Place]:
    """Where it goes; a dry run or a build without credentials goes to no account."""
    from turnout.deploy.agentcore.aws import Aws, check_region, new_session
    from turnout.deploy.agentcore.errors import CallError
    from turnout.deploy.agentcore.wanted import Place

    session = new_session(region, profile)
    aws = Aws(session, tell=shown.progress)
    if account is None:
        try:
            return aws, aws.place()
        except CallError as error:
            if asked:
                raise
            shown.note(f"no account is asked ({error}): planning for account {NO_ACCOUNT}, where nothing is yet")
    elif not (len(account) == 12 and account.isdigit()):
        raise UserError(f"--account must be twelve digits, got {account!r}")
    where = session.region_name or "us-east-1"
    check_region(session, where)
    partition = session.get_partition_for_region(where)
    return None, Place(account=account or NO_ACCOUNT, region=where, partition=partition)


def _models(given: list[str] | None, pair: str | None, config: Path | None) -> tuple[str, ...]:
    """The models that may be called, as ids on Bedrock: the given ones, else candidates and classifier."""
    from turnout.config import PAIR_4, PAIR_5_5

    settings, catalog = load(config)
    pairs = {"4.5": PAIR_4, "5.5": PAIR_5_5}
    if given:
        names = [settings.resolve(one) for one in given]
    elif pair is not None:
        if pair not in pairs:
            raise UserError(f"there is no pair {pair!r}; known are {', '.join(pairs)}")
        names = list(pairs[pair])
    else:
        names = [candidate.model for candidate in settings.policy(catalog).candidates]
        names += [settings.classifier.model] if settings.classifier.model else []
    return tuple(dict.fromkeys(one.removeprefix("bedrock/") for one in names if one.startswith("bedrock/")))


def _variables(given: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Variables as ``NAME=VALUE``, or ``NAME`` for its value here, which no history of a shell keeps."""
    variables = []
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            if name not in os.environ:
                raise UserError(f"--env {name}: there is no such variable here; give it as {name}=VALUE")
            value = os.environ[name]
        variables.append((name, value))
    return tuple(variables)


def _pairs(given: Sequence[str], option: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not value:
            raise UserError(f"{option} must be NAME=ARN; a secret's value is never given here")
        pairs.append((name, value))
    return tuple(pairs)


def _package(
    wanted: Wanted,
    source: Path,
    include: list[str] | None,
    requirement: list[str] | None,
    requirements: list[Path] | None,
    bare: list[str] | None,
    pair: str | None,
    uv: Path | None,
    shown: Shown,
) -> Package:
    from turnout.deploy.agentcore.package.build import build
    from turnout.deploy.agentcore.package.recipe import Recipe, find_uv

    recipe = Recipe.for_app(
        wanted.app,
        own_knowledge=wanted.knowledge_base is None,
        python=wanted.python,
        requirements=tuple(requirement or ()),
        requirement_files=tuple(requirements or ()),
        bare=tuple(bare or ()),
    )
    package = build(
        wanted.app,
        source,
        recipe,
        PACKAGES / f"{wanted.name}-{wanted.kind}.zip",
        uv=find_uv(uv),
        include=include or (),
        pair=pair,
        container=wanted.kind == "container",
        tell=shown.progress,
    )
    shown.note(
        f"package: {package.path}, {package.size / 1024**2:.1f} MB zipped, {package.unpacked / 1024**2:.1f} MB "
        f"unpacked; {package.wheels} wheels and {package.binaries} binaries, all for arm64"
    )
    return package


def _dry_run(wanted: Wanted, package: Package | None, aws: Aws | None, state: Path | None, *, json: bool) -> None:
    from turnout.deploy.agentcore.calls import as_data, shown
    from turnout.deploy.agentcore.deployment import planned
    from turnout.deploy.agentcore.found import NOTHING
    from turnout.deploy.agentcore.plan import plan

    calls = plan(wanted, package, NOTHING) if aws is None else planned(wanted, package, aws, state_file(state))
    if json:
        print_json([as_data(call) for call in calls])
        return
    for number, call in enumerate(calls, 1):
        typer.echo(f"{number}. {shown(call)}\n")
    place = wanted.place
    typer.echo(f"{len(calls)} calls to account {place.account} in {place.region}; none was made")


def _deploy(wanted: Wanted, package: Package | None, aws: Aws, state: Path | None, *, yes: bool, shown: Shown) -> None:
    from turnout.deploy.agentcore.deployment import deploy

    aws.redact = wanted.secret_values
    agent = deploy(wanted, package, aws, state_file(state), shown, lambda calls: _agree(calls, wanted, shown, yes=yes))
    shown.close()
    typer.echo(f"{agent.runtime_arn} is READY, version {agent.runtime_version}")
    typer.echo(f"ask it: turnout agentcore invoke --name {wanted.name} 'What is your return policy?'")


def _agree(calls: Sequence[Call], wanted: Wanted, told: Shown, *, yes: bool) -> bool:
    """Show the roles in full and every call in a line, and ask."""
    from turnout.deploy.agentcore.calls import shown

    for call in calls:
        if call.service == "iam":
            told.note(shown(call))
    for number, call in enumerate(calls, 1):
        told.note(f"{number}. {call.why} ({call.service} {call.operation})")
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UserError(f"{len(calls)} calls would change the account and nobody can be asked: say --yes, or --dry-run")
    place = wanted.place
    return typer.confirm(f"Make these {len(calls)} calls in account {place.account}, {place.region}?", err=True)
