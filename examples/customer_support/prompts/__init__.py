"""The system prompts, as files beside this one."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def system_prompt(name: str) -> str:
    """The text of ``<name>.md`` in this folder.

    Raises:
        FileNotFoundError: There is no such prompt.
    """
    return files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8").strip()
