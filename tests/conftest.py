"""What holds for every test: the gate for skips, a home of its own, no network beyond this machine, how many processes.

Tests use real clients over real sockets. Three things of the outside must not reach them: credentials and settings of
whoever runs them, files in their home, and the network. All three are shut once, before any test is imported.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import skip_gate

pytest_plugins = ["pytester"]

# Settings of the tools that Turnout talks to. A test that needs one sets it with `monkeypatch`.
_FOREIGN_PREFIXES = (
    "ANTHROPIC_",
    "AWS_",
    "BEDROCK_",
    "LANGFUSE_",
    "OLLAMA_",
    "OPENAI_",
    "OTEL_",
    "STRANDS_",
    "TURNOUT_",
)
_FOREIGN = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

_LOOPBACK = ("127.", "::1", "localhost", "::ffff:127.")

# Property tests draw the same examples on every run, so that a failure is one of the code and not of the draw; and no
# deadline, so that other work on the machine fails no test. HYPOTHESIS_PROFILE=explore draws new and more examples;
# .ci/run takes `brief` for all Pythons but the default one: what the examples find does not hang on the version.
settings.register_profile(
    "house",
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("brief", settings.get_profile("house"), max_examples=20)
settings.register_profile("explore", settings.get_profile("house"), derandomize=False, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


_MOST_PROCESSES = 4
"""More would wait for each other: a test that starts servers uses two processors by itself."""


def pytest_configure(config: pytest.Config) -> None:
    """Shut the outside, and watch over the skips."""
    home = tempfile.TemporaryDirectory(prefix="turnout-tests-")
    config.add_cleanup(home.cleanup)
    _shut_environment(Path(home.name))
    sys.addaudithook(_refuse_network)
    _read_aws_data_once()
    skip_gate.install(config, Path(__file__).with_name("allowed_skips.toml"))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what importing all tests has brought: it stays, and is slow to go through."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes ``-n auto`` is: one a processor for the whole suite, this one for less or on one processor.

    A process imports every test before its first, which takes longer than most choices of tests.
    """
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    chosen = config.args_source is not pytest.Config.ArgsSource.TESTPATHS or config.getoption("keyword")
    return 0 if chosen or processors == 1 else min(processors, _MOST_PROCESSES)


@pytest.fixture(autouse=True)
def tracing_as_found() -> Iterator[None]:
    """A test that sets OpenTelemetry's provider, which every later test would join, fails by itself."""
    before = _tracer_provider()
    yield
    assert _tracer_provider() is before, "a tracer provider was left: see tests.trace.otel.fresh_tracing"


def _tracer_provider() -> object:
    return getattr(sys.modules.get("opentelemetry.trace"), "_TRACER_PROVIDER", None)


_ONCE = (
    "benchmarks",
    "classify/learned",
    "cli/agentcore",
    "deploy",
    "docs",
    "doors/gateway",
    "evaluate",
    "messages/translation",
    "messages/wire",
    "scripts",
    "testing",
    "trace/langfuse",
    "trace/views",
)
"""Rooms whose many tests say nothing of the version of Python; the doors' own are tried on all."""
_ON_ALL = (
    "test_app.py",
    "test_anthropic_door.py",
    "test_bedrock_door.py",
    "test_openai_door.py",
    "test_responses_door.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what one version of Python is enough for."""
    tests = Path(__file__).parent
    for item in items:
        place = item.path.relative_to(tests).as_posix() if item.path.is_relative_to(tests) else ""
        if place.startswith(_ONCE) and item.path.name not in _ON_ALL:
            item.add_marker(pytest.mark.once)


def _shut_environment(home: Path) -> None:
    """Take foreign settings out of the environment, and give it a home of its own."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN_PREFIXES) or name in _FOREIGN:
            del os.environ[name]
    os.environ["HOME"] = str(home)
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        os.environ[f"XDG_{name}_HOME"] = str(home / name.lower())
    # boto3 would look for credentials at an address that only a cloud machine has, and wait for it.
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["NO_COLOR"] = "1"


def _read_aws_data_once() -> None:
    """Let boto3 read each of its data files once, and not once a session, which is half the time of many tests."""
    from tests.aws_data import OnceReader  # botocore looks for the home when it is imported

    OnceReader.install()


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: a test reaches this machine only, and a name that is not its own cannot be resolved.

    Limitation: native code that opens sockets past Python, and child processes, are not seen.
    """
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and not str(address[0]).startswith(_LOOPBACK):
            raise ConnectionRefusedError(f"a test tried to reach {address[0]}: tests reach this machine only")
    elif event == "socket.getaddrinfo":
        host = arguments[0]
        name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
        if not name.startswith(_LOOPBACK) and name not in {"0.0.0.0", "::", socket.gethostname()}:
            raise socket.gaierror(socket.EAI_NONAME, f"a test tried to resolve {name}: tests reach this machine only")
