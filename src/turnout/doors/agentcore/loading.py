"""Finds an agent by ``module:attribute``: an `Agent`, or a factory that is given the session's id."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from strands import Agent

from turnout.core.catalog import unknown
from turnout.doors.agentcore.agents import AgentSource, FromFactory, SharedAgent


class AgentLoadError(ValueError):
    """There is no agent under that name; the message is one line and names the nearest right thing."""


def load_agent(name: str) -> AgentSource:
    """The agent that ``module:attribute`` names, as a source for a service.

    An agent is shared by all sessions, its history exchanged for each question; a factory makes one a session, and so
    answers sessions side by side. The module is imported from where Python finds modules.

    Args:
        name: Such as ``my_shop.agents:agent``; the attribute may be dotted.

    Raises:
        AgentLoadError: The name is no such name, there is no such module or attribute, importing the module fails, or
            what is there is neither an agent nor a factory.
    """
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise AgentLoadError(f"an agent is named as MODULE:ATTRIBUTE, such as my_shop.agents:agent, got {name!r}")
    found: Any = _imported(module_name, name)
    for part in path.split("."):
        if not hasattr(found, part):
            raise AgentLoadError(f"agent {name}: {unknown('attribute', part, _offered(found))}")
        found = getattr(found, part)
    return _source(found, name)


def _source(found: Any, name: str) -> AgentSource:
    if isinstance(found, Agent):
        return SharedAgent(found)
    if isinstance(found, type) and issubclass(found, Agent):
        raise AgentLoadError(f"agent {name}: it is a class: name an agent, or a function that makes one")
    if not callable(found):
        raise AgentLoadError(
            f"agent {name}: it is a {type(found).__name__}, neither a strands.Agent nor a function that makes one"
        )
    try:
        inspect.signature(found).bind("a session's id")
    except TypeError as error:
        raise AgentLoadError(f"agent {name}: a factory is called with the session's id alone: {error}") from None
    except ValueError:
        pass  # a function whose signature cannot be read
    return FromFactory(found, name=name)


def _imported(module_name: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise AgentLoadError(f"agent {name}: {unknown('module', error.name, _modules(error.name))}") from None
        raise AgentLoadError(f"agent {name}: {_failure(module_name, error)}") from error
    except Exception as error:
        raise AgentLoadError(f"agent {name}: {_failure(module_name, error)}") from error


def _failure(module_name: str, error: Exception) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames[1:] else ""
    return f"importing {module_name} failed: {type(error).__name__}: {error}{where}"


def _modules(missing: str) -> list[str]:
    """Names of modules beside the missing one; at the top level those that lie in the working directory."""
    parent, _, _ = missing.rpartition(".")
    if not parent:
        return [module.name for module in pkgutil.iter_modules([str(Path.cwd())])]
    paths = getattr(sys.modules.get(parent), "__path__", [])
    return [f"{parent}.{module.name}" for module in pkgutil.iter_modules(paths)]


def _offered(found: Any) -> list[str]:
    """Attributes that may be meant: agents first of all, else whatever is public."""
    public = [name for name in dir(found) if not name.startswith("_")]
    agents = [name for name in public if isinstance(getattr(found, name, None), Agent) or _own_function(found, name)]
    return agents or public


def _own_function(found: Any, name: str) -> bool:
    member = getattr(found, name, None)
    return inspect.isfunction(member) and member.__module__ == getattr(found, "__name__", "")
