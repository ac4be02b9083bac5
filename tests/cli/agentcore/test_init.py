from __future__ import annotations

import subprocess
import sys

from tests.cli.conftest import Run, turnout

__all__ = ["turnout"]


def test_help_lists_the_commands_and_no_command_is_a_mistake(turnout: Run) -> None:  # the fixture
    code, out, _ = turnout("agentcore")
    assert (code, "  app " in out) == (2, True)
    assert turnout("agentcore", "--help")[0] == 0


def test_the_help_loads_no_framework() -> None:
    code = (
        "import sys; from turnout.cli.app import call; call(['agentcore', 'app', '--help']); "
        "print(sorted({'strands', 'bedrock_agentcore', 'boto3', 'starlette'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
