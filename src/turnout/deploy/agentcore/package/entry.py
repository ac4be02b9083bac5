"""The file that AgentCore starts: reads the secrets, then serves as ``turnout agentcore app`` does.

Turnout is imported after the secrets are in the environment, as parts of it read their settings when they are imported.
"""

from __future__ import annotations

ENTRY_NAME = "agentcore_main.py"
"""Its name, at the top of the package."""

HOST = "0.0.0.0"
PORT = 8080
"""Where AgentCore expects an HTTP service. Source: the AgentCore developer guide, "HTTP protocol contract"."""


def entry_file(app: str, pair: str | None = None) -> str:
    """The text of the file.

    Args:
        app: What serves: a version of the reference agent such as ``v4``, or an agent as ``module:name``.
        pair: The pair of models of the reference agent; none: as ``turnout.toml`` has it.
    """
    arguments = ["agentcore", "app", "--agent" if ":" in app else "--version", app, "--live"]
    arguments += ["--pair", pair] if pair is not None else []
    arguments += ["--host", HOST, "--port", str(PORT), "--expose"]
    return f'''"""Starts the service on AgentCore; written by `turnout agentcore deploy`."""

import os
import sys
from pathlib import Path

# Settings and the agent's own files are looked for where the package lies.
os.chdir(Path(__file__).resolve().parent)
# Strands writes prompts and answers into its spans unless it is told not to.
os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_unredacted_attributes=")

from turnout.deploy.agentcore.secrets import SecretError, load_secrets

if __name__ == "__main__":
    try:
        load_secrets(os.environ)
    except SecretError as error:
        sys.exit(f"turnout: {{error}}")
    from turnout.cli.app import call

    sys.exit(call({arguments!r}))
'''
