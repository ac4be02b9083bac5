import hashlib
import lzma
from pathlib import Path

import pytest

from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.files import content_of, read_lines, read_whole


@pytest.mark.parametrize("name", ["numbers.jsonl", "numbers.jsonl.xz"])
def test_lines_come_with_their_numbers(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    data = b"1\n\n2\n3"
    path.write_bytes(lzma.compress(data) if name.endswith("xz") else data)
    told: list[int] = []
    assert list(read_lines(path, int, told.append)) == [(1, 1), (3, 2), (4, 3)]
    assert sum(told) == 4


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "numbers.jsonl"
    path.write_text('1\n"two"\n')
    with pytest.raises(TraceError, match=r"numbers\.jsonl, line 2: Expected `int`"):
        list(read_lines(path, int, lambda lines: None))
    with pytest.raises(TraceError, match=r"numbers\.jsonl: "):
        read_whole(path, tuple[int, ...])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.jsonl", None, "No such file"),
        ("cut.jsonl.xz", lzma.compress(b"1\n" * 1000)[:-40], "ended before the end-of-stream"),
        ("plain.jsonl.xz", b'{"timestamp": 0}\n' * 9, "format not supported"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TraceError, match=message):
        list(read_lines(path, int, lambda lines: None))
    with pytest.raises(TraceError, match=message):
        read_whole(path, int)


def test_content_is_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "some"
    path.write_bytes(b"bytes")
    assert content_of(path) == hashlib.sha256(b"bytes").hexdigest()[:16]
    with pytest.raises(TraceError, match="cannot be read"):
        content_of(tmp_path)
