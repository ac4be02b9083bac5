"""What is there already: frozen values that the plan is made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

CHANGING = frozenset({"CREATING", "UPDATING", "DELETING"})
"""Statuses of a runtime that pass by themselves."""


class FoundRole(msgspec.Struct, frozen=True, kw_only=True):
    """A role of IAM: whether it is ours, its trust, and our inline policy in it."""

    ours: bool
    trust: Mapping[str, Any] | None = None
    policy: Mapping[str, Any] | None = None


class FoundBucket(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket: whether it is ours, and whether it carries its tags, which is the last step of making it.

    ``keys`` are the packages of this agent in it; ``others`` whether it holds anything else.
    """

    ours: bool
    tagged: bool = False
    keys: tuple[str, ...] = ()
    others: bool = False


class FoundRepository(msgspec.Struct, frozen=True, kw_only=True):
    """An ECR repository: whether it is ours, and whether the package's image is in it."""

    ours: bool
    image_there: bool = False


class FoundProject(msgspec.Struct, frozen=True, kw_only=True):
    """A CodeBuild project: whether it is ours, what it is now, and a build of this package that still runs."""

    ours: bool
    settings: Mapping[str, Any] = {}
    running_build: str | None = None


class FoundRuntime(msgspec.Struct, frozen=True, kw_only=True):
    """An AgentCore Runtime. ``settings`` holds what `plan` would send for an update."""

    id: str
    arn: str
    version: str
    status: str
    ours: bool
    settings: Mapping[str, Any] = {}
    failure: str = ""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; none where there is no such thing."""

    role: FoundRole | None = None
    build_role: FoundRole | None = None
    bucket: FoundBucket | None = None
    repository: FoundRepository | None = None
    project: FoundProject | None = None
    runtime: FoundRuntime | None = None


NOTHING = Found()
"""Nothing is there: what a plan is made from where no account can be asked."""
