"""Has boto3 read each of its data files once in a test process, and not once a session.

A boto3 session reads and parses large files before its first client is there: where endpoints are, how the services are
called, what differs between them. Nearly every test of a door or a deployment makes sessions of its own, as an
application would, and spent half of its time so. The files are the packages' own and do not change while tests run.

The parsed data is shared between sessions; botocore shares it between the clients of one session in the same way.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

_READER = JSONFileLoader()


class OnceReader(JSONFileLoader):
    """Reads like botocore's own, but each file once; a file that is not there is looked for again."""

    @classmethod
    def install(cls) -> None:
        """Let every session that is made from now on read so."""
        Loader.FILE_LOADER_CLASS = cls

    def load_file(self, file_path: str) -> Any:
        """The parsed file, or none where there is no such file."""
        try:
            return _read(file_path)
        except FileNotFoundError:
            return None


@cache
def _read(file_path: str) -> Any:
    data = _READER.load_file(file_path)
    if data is None:
        raise FileNotFoundError(file_path)  # what raises is not kept
    return data
