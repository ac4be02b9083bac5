"""What the notebooks share: simulated or real models, a ledger of their own, and cleaning up.

``LIVE=1`` in the environment asks for Amazon Bedrock, and every call is then billed; without it the answering models
are the double of `turnout.testing.bedrock`, and everything that comes from them says so.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # the agent in examples/ is not part of the installed package
    sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from strands import Agent

    from examples.customer_support.backends import Backend
    from turnout.classify.model import ClassifierModel
    from turnout.core.catalog import Catalog

SIMULATED = "SIMULATED MODELS"
"""The first words of everything that simulated models had a part in."""

_NEEDED = ("boto3", "bedrock_agentcore", "matplotlib", "numpy", "pandas", "strands", "tokenizers", "xllamacpp")
_INSTALL = "run `make test` once in the clone, and choose the Python of its .venv for this notebook"


class LabStoppedError(Exception):
    """The notebook cannot go on; the message says what to do. A notebook shows the message and no traceback."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints instead of a traceback."""
        return [f"The lab stops here: {self}"]


class Lab:
    """What a notebook works with, from its first cell to its last.

    Attributes:
        live: Whether the answering models are real, and billed.
        region: The AWS region; none where the models are simulated.
        catalog: The models that Turnout knows.
        backend: The pair of answering models: its ``policy``, its ``models``, whether it is ``simulated``.
        names: Short names of models by catalog id.
        ledger: Where events are kept, in a folder that `close` removes.
        recorder: Takes events and writes them to the ledger.
        folder: A folder for the notebook's files; `close` removes it.
    """

    def __init__(self, notebook: str, *, live: bool, region: str | None) -> None:
        from examples.customer_support import backends
        from examples.customer_support.models import PAIRS
        from turnout.config import load_catalog
        from turnout.trace.store.ledger import Ledger
        from turnout.trace.store.recorder import Recorder

        # Strands writes prompts and answers into its spans unless it is told not to.
        os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_unredacted_attributes=")
        self.live = live
        self.region = region
        self.catalog: Catalog = load_catalog()
        self.names = {model.id: model.name for model in self.catalog.models}
        # A real cache outlives this process; the double is new each time.
        self._mark = f" {time.time_ns():x}" if live else ""
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix=f"turnout-lab-{notebook}-")))
        self.ledger = self._stack.enter_context(Ledger(self.folder / "ledger.db"))
        self.recorder = self._stack.enter_context(Recorder(self.ledger))
        if live:
            self.backend: Backend = backends.live(self.catalog, PAIRS["4.5"], region)
            self._stack.callback(self.backend.models.close)
        else:
            self.backend = self._stack.enter_context(backends.simulated(self.catalog, PAIRS["4.5"]))

    def ask(self, agent: Agent, prompt: str, *, name: str) -> str:
        """Ask an agent, and wait until what was recorded is in the ledger.

        Args:
            agent: A conversation.
            prompt: What to ask.
            name: What tables call the query.

        Raises:
            LabStoppedError: A real model does not answer.
        """
        with self.calls():
            result = agent(prompt, invocation_state={"turnout": {"query_id": name}})
        self.recorder.flush()
        return str(result).strip()

    @contextmanager
    def calls(self) -> Iterator[None]:
        """Around calls to the answering models: what a real one refuses is told in one line.

        Raises:
            LabStoppedError: A real model does not answer.
        """
        from turnout.upstream.errors import error_name

        try:
            yield
        except Exception as error:
            if not self.live:
                raise
            raise LabStoppedError(
                f"Bedrock does not answer ({error_name(error.__cause__ or error)}); "
                "check the credentials, the region and the access to both models"
            ) from None

    def cold(self, agent: Agent, run: str) -> Agent:
        """The agent with the run's name before its system prompt, so that no run reads what another one has cached."""
        agent.system_prompt = [{"text": f"(Run {run}{self._mark})"}, *(agent.system_prompt_content or [])]
        return agent

    def classifier_model(self) -> ClassifierModel:
        """The model that classifies: the cheap one on Bedrock, else packaged SmolLM2 in this process, which is real."""
        from turnout.classify.configured import model_behind
        from turnout.upstream.local.smollm import SMOLLM2_ID

        cheap = min(self.backend.policy.candidates, key=lambda candidate: candidate.rank).model
        return model_behind(cheap if self.live else SMOLLM2_ID, self.catalog, self.region)

    def title(self, text: str) -> str:
        """A title for a plot of what the answering models did: it says first if they are simulated."""
        return text if self.live else f"{SIMULATED}: {text}"

    def close(self) -> None:
        """Stop the double, close the ledger, and remove the folder. A second call does nothing."""
        self._stack.close()


def start(notebook: str, environ: Mapping[str, str] = os.environ) -> Lab:
    """Begin a notebook, and say whether its models are simulated or real.

    Args:
        notebook: Its number, such as ``04``.
        environ: The environment; ``LIVE`` is read from it.

    Raises:
        LabStoppedError: A package is missing, ``LIVE`` is not understood, or there are no credentials or no region.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise LabStoppedError(f"not installed: {', '.join(missing)}; {_INSTALL}")
    live = _wants_live(environ.get("LIVE", ""))
    region = _live_region(environ) if live else None
    # A machine that draws for the first time is told that fonts are looked up: nothing to worry about.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    lab = Lab(notebook, live=live, region=region)
    _set_up_pandas()
    if live:
        print(f"LIVE: Amazon Bedrock in {region}. Every call from here on is billed to the account in use.")
    else:
        print(f"{SIMULATED}: the answers are composed by rule, on this machine, without an account.")
        print(
            "Prices, cache rules, decisions and classifiers are real. Latency, quality and savings are not shown here."
        )
    return lab


def _wants_live(value: str) -> bool:
    match value.strip().lower():
        case "" | "0" | "false" | "no":
            return False
        case "1" | "true" | "yes":
            return True
        case _:
            raise LabStoppedError(f"LIVE={value!r} is not understood; LIVE=1 asks for real models, LIVE=0 for none")


def _live_region(environ: Mapping[str, str]) -> str:
    """The region of the AWS configuration, once there are credentials too."""
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.Session()
        found = session.get_credentials()
        region = environ.get("AWS_REGION") or session.region_name
    except BotoCoreError as error:
        raise LabStoppedError(f"LIVE=1 needs an AWS configuration that boto3 can read: {error}") from None
    if found is None:
        raise LabStoppedError(
            "LIVE=1 asks for real models on Amazon Bedrock, and boto3 finds no AWS credentials; "
            "sign in (`aws sso login` or `aws configure`), or leave LIVE out for simulated models"
        )
    if region is None:
        raise LabStoppedError("LIVE=1 needs a region: set AWS_REGION, such as AWS_REGION=us-east-1")
    return str(region)


def _set_up_pandas() -> None:
    pandas = importlib.import_module("pandas")  # it has no types
    options: dict[str, Any] = {"display.max_colwidth": 110, "display.width": 160, "display.max_columns": 20}
    for name, value in options.items():
        pandas.set_option(name, value)
