"""`make e2e-aws`: deploys the reference agent to an AWS account, asks the five prompts, compares, removes it again.

Versions 3 (not routed) and 4 (routed) are deployed beside each other, asked in one session each, compared by what their
answers say they cost, and removed, also after a failure or Ctrl-C. Every call to a model is billed. Without AWS
credentials it says so loudly and ends well.

Known limitation: not run by the project itself, which has no account.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import msgspec
from rich.console import Console
from rich.table import Table

from examples.customer_support.queries import TEST_PROMPTS
from scripts.uv_here import uv_path, uv_settings

VERSIONS = ("v3", "v4")
STATE = Path(".turnout", "e2e-aws.json")

IDLE_S = 60
"""Sessions end so soon after their last question: the shortest that AgentCore takes."""

VCPU_HOUR_USD = Decimal("0.0895")
GB_HOUR_USD = Decimal("0.00945")
VCPUS, GB = 2, 8
"""AgentCore Runtime's rates, and the most that one session may use, which bounds what a session costs. Sources: the
AgentCore pricing page and "Quotas for Amazon Bedrock AgentCore", second-hand and in a stored copy, read 2026-11-23."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One question to one version: seconds as the caller saw them, USD as the service counted them."""

    version: str
    title: str
    seconds: float
    model: str
    cost_usd: Decimal
    complexity: str | None = None


class Cloud(Protocol):
    """What is done in an account."""

    def deploy(self, version: str) -> None:
        """Bring a version to READY."""

    def ask(self, version: str, prompt: str) -> Mapping[str, Any]:
        """Ask it, in its one session."""

    def destroy(self, version: str) -> None:
        """Remove all of it."""


def main(arguments: Sequence[str] = ()) -> int:
    """Run it; 0 if all went well or there are no credentials."""
    console = Console()
    reason = missing_credentials()
    if reason:
        console.rule("SKIPPED", style="bold")
        console.print(f"*** SKIPPED: nothing was deployed and nothing was tested: {reason} ***", markup=False)
        console.rule(style="bold")
        return 0
    return check(Account(arguments), console)


def check(cloud: Cloud, console: Console) -> int:
    """Deploy, ask, compare, remove; what was deployed is removed whatever happens."""
    asked: list[Asked] = []
    started = time.monotonic()
    deployed: list[str] = []
    try:
        for version in VERSIONS:
            deployed.append(version)
            cloud.deploy(version)
        for version in VERSIONS:
            asked += [_ask(cloud, version, one.title, one.prompt) for one in TEST_PROMPTS]
        console.print(table(asked))
        for line in comparison(asked):
            console.print(line, highlight=False, markup=False)
    finally:
        left = [version for version in deployed if not _removed(cloud, version, console)]
        seconds = time.monotonic() - started
        models = sum((one.cost_usd for one in asked), Decimal(0))
        hosting = hosting_usd(seconds, sessions=len(deployed))
        console.print(
            f"this run cost {models:.6f} USD for models, as counted, and at most {hosting:.4f} USD for AgentCore "
            f"({seconds:.0f} s); storage and logs are fractions of a cent",
            highlight=False,
        )
        if left:
            console.print(f"*** still deployed: {', '.join(left)}; remove it by hand ***", markup=False, style="bold")
    return 1 if left else 0


def table(asked: Sequence[Asked]) -> Table:
    """Every question, one a row."""
    shown = Table(title="the five test prompts on AgentCore", title_justify="left")
    for heading in ("version", "query", "label", "model", "s", "cost $"):
        shown.add_column(heading, justify="right" if heading in ("s", "cost $") else "left", overflow="fold")
    for one in asked:
        label = one.complexity or "–"
        shown.add_row(one.version, one.title, label, one.model, f"{one.seconds:.2f}", f"{one.cost_usd:.6f}")
    return shown


def comparison(asked: Sequence[Asked]) -> list[str]:
    """Version 4 against version 3: cost with classifiers counted, and mean time. One run of five proves no saving."""
    lines = []
    for what, unit, value in (("cost", "USD", _cost), ("mean time", "s", _mean_seconds)):
        before, after = (value([one for one in asked if one.version == version]) for version in VERSIONS)
        change = f" ({(after / before - 1) * 100:+.1f} %)" if before else ""
        lines.append(f"{what}: v3 {before:.6f} {unit} -> v4 {after:.6f} {unit}{change}")
    return [*lines, "five prompts, asked once: this shows that it works, and proves no saving"]


def hosting_usd(seconds: float, *, sessions: int) -> Decimal:
    """The most that AgentCore can bill for so many sessions, each alive for all of that time and its idle time."""
    hours = Decimal(str(seconds + IDLE_S)) / 3600
    return sessions * hours * (VCPUS * VCPU_HOUR_USD + GB * GB_HOUR_USD)


def missing_credentials() -> str:
    """Why there is no account to use; empty if there is one."""
    from turnout.deploy.agentcore.aws import Aws, new_session
    from turnout.deploy.agentcore.errors import DeployError

    try:
        Aws(new_session(None, None)).place()
    except DeployError as error:
        return str(error)
    return ""


class Account:
    """The account of the credentials that boto3 finds.

    Args:
        arguments: Further options of `turnout agentcore deploy`, such as ``--container`` or ``--pair 5.5``.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        from turnout.deploy.agentcore.invoke import new_session_id

        self._arguments = list(arguments)
        self._sessions = {version: new_session_id() for version in VERSIONS}
        os.environ.update(uv_settings(os.environ))

    def deploy(self, version: str) -> None:
        """As `turnout agentcore deploy` does."""
        uv = uv_path()
        self._turnout(
            "deploy",
            *("--version", version, "--name", _name(version), "--idle", str(IDLE_S), "--yes"),
            *(("--uv", str(uv)) if uv else ()),
            *self._arguments,
        )

    def ask(self, version: str, prompt: str) -> Mapping[str, Any]:
        """By boto3's data client, as `turnout agentcore invoke` does."""
        from turnout.deploy.agentcore.aws import new_session
        from turnout.deploy.agentcore.invoke import data_client, invoke
        from turnout.deploy.agentcore.state import StateFile

        agent = StateFile(STATE).one(_name(version), None)
        client = data_client(new_session(agent.region, None))
        try:
            [answer] = invoke(client, agent.runtime_arn, prompt, self._sessions[version])
        finally:
            client.close()
        data: Mapping[str, Any] = answer.data
        return data

    def destroy(self, version: str) -> None:
        """As `turnout agentcore destroy` does."""
        self._turnout("destroy", "--name", _name(version), "--yes")

    def _turnout(self, command: str, *arguments: str) -> None:
        from turnout.cli.app import call

        if call(["agentcore", command, "--state", str(STATE), *arguments]) != 0:
            raise RuntimeError(f"turnout agentcore {command} failed")


def _ask(cloud: Cloud, version: str, title: str, prompt: str) -> Asked:
    start = time.monotonic()
    answer = cloud.ask(version, prompt)
    return Asked(
        version=version,
        title=title,
        seconds=time.monotonic() - start,
        model=str(answer["model_used"]),
        cost_usd=Decimal(answer["cost_usd"]),
        complexity=answer.get("complexity"),
    )


def _removed(cloud: Cloud, version: str, console: Console) -> bool:
    try:
        cloud.destroy(version)
    except Exception as error:  # the other version has to be removed all the same
        console.print(f"{version}: {error}", markup=False)
        return False
    return True


def _name(version: str) -> str:
    return f"turnout_e2e_{version}"


def _cost(asked: Sequence[Asked]) -> float:
    return float(sum((one.cost_usd for one in asked), Decimal(0)))


def _mean_seconds(asked: Sequence[Asked]) -> float:
    return sum(one.seconds for one in asked) / len(asked) if asked else 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
