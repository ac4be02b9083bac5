"""What was packed."""

from __future__ import annotations

from pathlib import Path

import msgspec

MAX_ZIPPED = 250 * 1024**2
MAX_UNZIPPED = 750 * 1024**2
"""The most bytes that AgentCore takes. Source: "Quotas for Amazon Bedrock AgentCore", resource allocation limits,
direct code deployment package: 250 MB compressed, 750 MB uncompressed, not adjustable (a stored copy, read
2026-11-23)."""

MAX_IMAGE = 2 * 1024**3
"""The most bytes of a Docker image in an AgentCore Runtime; same source, not adjustable."""


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A zip.

    Attributes:
        path: Where it lies.
        sha256: The hash of its bytes, in hex.
        size: Its bytes.
        unpacked: The bytes of what is in it.
        files: How many files are in it.
        wheels: How many Python packages are in it.
        binaries: How many of the files are native code.
    """

    path: Path
    sha256: str
    size: int
    unpacked: int
    files: int = 0
    wheels: int = 0
    binaries: int = 0
