"""Runs agents and frameworks of others, unmodified, against the gateway: ``python -m scripts.try_clients [NAME ...]``.

Each is installed from its registry into an environment of its own, below ``--folder``, and pointed at a gateway in
front of the doubles by what it documents for that: a base URL and a key. Nothing of Turnout is installed there, and no
provider is called. What came of it is printed; ``docs/gateway-clients.md`` tells of one such run. Needs uv and, for
some, npm.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.clients.gateway import HEARD, Tried, running

PROGRAMS = Path(__file__).parent / "clients" / "programs"
_SECONDS = 120


@dataclass(frozen=True)
class Try:
    """One client in one way.

    Attributes:
        name: Its name.
        packages: What is installed; of npm where ``npm`` says so.
        shown: The package whose version is shown.
        program: The program and its arguments; ``{url}`` in them is the gateway's.
        expected: Texts that the output must hold.
        npm: Whether it comes from npm.
        environ: Variables that it is given; ``{url}`` is the gateway's.
    """

    name: str
    packages: tuple[str, ...]
    shown: str
    program: tuple[str, ...]
    expected: tuple[str, ...] = ("answer: The simulated model", "streamed:")
    npm: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)


def _claude(name: str, **environ: str) -> Try:
    """Claude Code: one prompt, one command that it may run."""
    program = ("claude", "-p", "Say hello", "--allowedTools", "Bash(echo:*)", "--output-format", "json")
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
    package = "@anthropic-ai/claude-code"
    return Try(name, (package,), package, program, expected=(HEARD,), npm=True, environ={**quiet, **environ})


_PROVIDER = 'model_providers.turnout={name="turnout",base_url="{url}/v1",wire_api="responses",env_key="GATEWAY_KEY"}'
_CODEX = ("-c", 'model="turnout"', "-c", 'model_provider="turnout"', "-c", _PROVIDER)
_PYDANTIC = ("pydantic-ai-slim[openai,anthropic,bedrock]",)
_LANGCHAIN = ("langchain-openai", "langchain-anthropic", "langchain-aws")
_VERCEL = ("ai", "@ai-sdk/openai", "@ai-sdk/anthropic", "@ai-sdk/amazon-bedrock", "zod")

TRIES = (
    *(
        Try(f"openai-agents {kind}", ("openai-agents",), "openai-agents", ("openai_agents.py", kind))
        for kind in ("chat", "responses")
    ),
    *(
        Try(f"pydantic-ai {kind}", _PYDANTIC, "pydantic-ai-slim", ("pydantic_ai.py", kind))
        for kind in ("chat", "responses", "anthropic", "bedrock")
    ),
    *(
        Try(f"langchain {kind}", _LANGCHAIN, f"langchain-{package}", ("langchain_models.py", kind))
        for kind, package in (
            ("openai", "openai"),
            ("responses", "openai"),
            ("anthropic", "anthropic"),
            ("bedrock", "aws"),
        )
    ),
    *(
        Try(f"litellm {kind}", ("litellm", "boto3", "mcp"), "litellm", ("litellm_sdk.py", kind))
        for kind in ("openai", "anthropic", "bedrock")
    ),
    *(
        Try(f"vercel {kind}", _VERCEL, "ai", ("vercel_ai.mjs", kind), npm=True)
        for kind in ("openai", "responses", "anthropic", "bedrock")
    ),
    _claude(
        "claude-code",
        ANTHROPIC_BASE_URL="{url}",
        ANTHROPIC_AUTH_TOKEN="client-key",
        ANTHROPIC_MODEL="turnout",
        ANTHROPIC_DEFAULT_HAIKU_MODEL="turnout/economy",
    ),
    _claude(
        "claude-code bedrock",
        CLAUDE_CODE_USE_BEDROCK="1",
        ANTHROPIC_BEDROCK_BASE_URL="{url}",
        AWS_REGION="eu-west-1",
        AWS_ACCESS_KEY_ID="client-id",
        AWS_SECRET_ACCESS_KEY="client-secret",
        ANTHROPIC_MODEL="turnout",
        ANTHROPIC_DEFAULT_HAIKU_MODEL="turnout/economy",
    ),
    Try(
        "codex",
        ("@openai/codex",),
        "@openai/codex",
        ("codex", "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", *_CODEX, "Say hello"),
        expected=(HEARD,),
        npm=True,
        environ={"GATEWAY_KEY": "client-key"},
    ),
)


def main(arguments: Sequence[str]) -> int:
    """Try those that were named, or all; 1 if one did not work."""
    parser = argparse.ArgumentParser(prog="python -m scripts.try_clients", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"beginnings of names: {', '.join(one.name for one in TRIES)}")
    parser.add_argument("--folder", type=Path, default=Path("build/clients"), help="for environments; they are kept")
    parser.add_argument("--json", type=Path, help="write what came of it there, too")
    options = parser.parse_args(arguments)
    chosen = [one for one in TRIES if not options.names or any(one.name.startswith(n) for n in options.names)]
    if not chosen:
        parser.error(f"no client is called {' or '.join(options.names)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    found = []
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as gateway:
        for one in chosen:
            found.append(_try(one, gateway, options.folder.resolve()))
            print(f"{found[-1]['name']:24} {found[-1]['version']:10} {found[-1]['result']}", flush=True)
            for line in found[-1]["told"]:
                print(f"    {line}")
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if all(one["result"] == "works" for one in found) else 1


def _try(one: Try, gateway: Tried, folder: Path) -> dict[str, Any]:
    """Run one client."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GATEWAY": gateway.url,
        "NO_COLOR": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **{name: value.replace("{url}", gateway.url) for name, value in one.environ.items()},
    }
    gateway.clear()
    try:
        command, version = (_npm if one.npm else _python)(one, folder)
        command = [part.replace("{url}", gateway.url) for part in command]
        done = subprocess.run(
            command, cwd=home, env=environ, capture_output=True, text=True, timeout=_SECONDS, stdin=subprocess.DEVNULL
        )
        output, code = done.stdout + done.stderr, done.returncode
    except (OSError, subprocess.SubprocessError) as error:
        output, code, version = f"{type(error).__name__}: {error}", 1, "-"
    time.sleep(0.2)  # the record of the last call is made when its stream has ended
    works = code == 0 and all(text in output for text in one.expected)
    calls = gateway.events.calls
    told = [
        f"calls {len(calls)}, ok {sum(call.status == 'ok' for call in calls)}, "
        f"reasons {', '.join(dict.fromkeys(d.decision.reason.value for d in gateway.events.decisions)) or '-'}, "
        f"models {', '.join(dict.fromkeys(call.model for call in calls)) or '-'}, "
        f"cost {sum((call.cost.usd for call in calls), start=0)} USD",
    ]
    if not works:
        told += output.strip().splitlines()[-6:]
    return {"name": one.name, "version": version, "result": "works" if works else "does not work", "told": told}


def _python(one: Try, folder: Path) -> tuple[list[str], str]:
    """The command of a Python program, in an environment that is made where it is missing."""
    where = folder / one.packages[0].partition("[")[0]
    python = where / "bin" / "python"
    uv = shutil.which("uv") or str(Path(".tools/bin/uv").resolve())
    if not python.exists():
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(where)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), *one.packages], check=True)
    said = f"import importlib.metadata as m; print(m.version({one.shown!r}))"
    version = subprocess.run([str(python), "-c", said], capture_output=True, text=True, check=True).stdout.strip()
    # -P: a program is called like the package that it tries, and must not be found in its place.
    return [str(python), "-P", str(PROGRAMS / one.program[0]), *one.program[1:]], version


def _npm(one: Try, folder: Path) -> tuple[list[str], str]:
    """The command of a program of node, in a folder that is filled where it is empty."""
    where = folder / one.packages[0].rpartition("/")[2]
    package = where / "node_modules" / one.shown / "package.json"
    if not package.exists():
        where.mkdir(exist_ok=True)
        (where / "package.json").write_text('{"private": true, "type": "module"}\n')
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", *one.packages], cwd=where, check=True)
        if (script := where / "node_modules" / one.shown / "install.cjs").exists():
            subprocess.run(["node", str(script)], cwd=where, check=True, capture_output=True)
    version = json.loads(package.read_text())["version"]
    name, *rest = one.program
    if not name.endswith(".mjs"):
        return [str(where / "node_modules" / ".bin" / name), *rest], version
    shutil.copy(PROGRAMS / name, where / name)  # node looks for packages beside the program
    return ["node", str(where / name), *rest], version


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
