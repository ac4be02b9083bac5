"""What a collection has done, on disk: one JSON object a line, each written and synced before the next thing happens.

A process that is killed loses nothing that was bought, and counts a call that was under way at its highest cost. A
second run reads the file and goes on where the first stopped. Only one process writes it at a time.

The file holds answers that are not judged yet, and no prompts; those of judged requests are taken out when a run ends.
It is created with mode 0600.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

import msgspec

from turnout.evaluate.collect.errors import CollectError

VERSION = 1
"""The version of the file's layout."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What must be the same in all runs of one collection, or their outcomes could not be put together.

    Attributes:
        cheap: The cheap model.
        capable: The capable model.
        judge: How answers are judged, wording included.
        seed: Keys the sample.
        max_output: The limit on output of answers.
    """

    cheap: str
    capable: str
    judge: str
    seed: str
    max_output: int


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer that was bought.

    Attributes:
        text: What was said; empty once it is judged.
        input_tokens: What it took.
        output_tokens: See above.
        pico: What it cost, in pico-USD; none where the provider did not report.
    """

    text: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    pico: int | None = None


class Grade(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How two answers were judged.

    Attributes:
        cheap: The score of the cheap model's, 0 to 1.
        capable: The score of the capable model's.
        verdicts: What an LLM judge said in both orders: ``cheap``, ``capable`` or ``tie``, first where the cheap
            model's answer was shown first.
    """

    cheap: float
    capable: float
    verdicts: tuple[str, ...] = ()


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was not graded, and whether a later run tries it again."""

    why: str
    again: bool


class _Begun(msgspec.Struct, frozen=True, kw_only=True, tag="begun"):
    version: int
    identity: Identity


class _Reserved(msgspec.Struct, frozen=True, kw_only=True, tag="reserved"):
    call: str
    pico: int


class _Settled(msgspec.Struct, frozen=True, kw_only=True, tag="settled"):
    call: str
    pico: int


class _Bought(msgspec.Struct, frozen=True, kw_only=True, tag="answer"):
    request: str
    side: str
    answer: Answered


class _Graded(msgspec.Struct, frozen=True, kw_only=True, tag="graded"):
    request: str
    grade: Grade


class _Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    request: str
    failed: Failed


class _Spent(msgspec.Struct, frozen=True, kw_only=True, tag="spent"):
    """Stands for the calls of earlier runs once their lines are put together."""

    pico: int
    calls: int


_Line = _Begun | _Reserved | _Settled | _Bought | _Graded | _Failed | _Spent
_DECODER = msgspec.json.Decoder(_Line)


class State:
    """The state of a collection; close it, or use it in a ``with`` statement.

    Args:
        path: The file; it is created where it is missing.
        identity: What the collection is.

    Attributes:
        path: See above.
        answers: Bought answers by request and side (``cheap`` or ``capable``).
        grades: Grades by request.
        failures: Failures by request; of one that was graded later there is none.
        resumed: Whether an earlier run had begun it.

    Raises:
        CollectError: It belongs to another collection, is in use, or cannot be read or written.
    """

    def __init__(self, path: Path, identity: Identity) -> None:
        self.path = path
        self.identity = identity
        self.answers: dict[tuple[str, str], Answered] = {}
        self.grades: dict[str, Grade] = {}
        self.failures: dict[str, Failed] = {}
        self._open: dict[str, int] = {}
        self._settled_pico = 0
        self._calls = 0
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CollectError(f"cannot write {path}: {error.strerror}") from error
        try:
            self._lock()
            self.resumed = self._read()
            if not self.resumed:
                self._append(_Begun(version=VERSION, identity=identity))
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def spent_pico(self) -> int:
        """What all runs have spent; a call whose end is not known counts at its highest."""
        return self._settled_pico + sum(self._open.values())

    @property
    def calls(self) -> int:
        """How many calls all runs have made."""
        return self._calls

    def reserve(self, call: str, pico: int) -> None:
        """Keep that a call is about to be made that may cost so much."""
        self._append(_Reserved(call=call, pico=pico))

    def settle(self, call: str, pico: int) -> None:
        """Keep what it counts for."""
        self._append(_Settled(call=call, pico=pico))

    def answered(self, request: str, side: str, answer: Answered) -> None:
        """Keep an answer that was bought."""
        self._append(_Bought(request=request, side=side, answer=answer))

    def graded(self, request: str, grade: Grade) -> None:
        """Keep a grade."""
        self._append(_Graded(request=request, grade=grade))

    def failed(self, request: str, failed: Failed) -> None:
        """Keep that a request could not be graded."""
        self._append(_Failed(request=request, failed=failed))

    def compact(self) -> None:
        """Write the file anew without what is no longer needed: the texts of judged answers above all.

        Raises:
            CollectError: It cannot be written; the old file is as it was.
        """
        lines: list[_Line] = [
            _Begun(version=VERSION, identity=self.identity),
            _Spent(pico=self._settled_pico, calls=self._calls - len(self._open)),
            *(_Reserved(call=call, pico=pico) for call, pico in self._open.items()),
        ]
        for (request, side), answer in self.answers.items():
            kept = msgspec.structs.replace(answer, text="") if request in self.grades else answer
            lines.append(_Bought(request=request, side=side, answer=kept))
        lines += [_Graded(request=request, grade=grade) for request, grade in self.grades.items()]
        lines += [_Failed(request=request, failed=failed) for request, failed in self.failures.items()]
        part = self.path.with_name(f".{self.path.name}.part")
        try:
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            _write(descriptor, b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
            os.fsync(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.replace(self.path)
        except OSError as error:
            raise CollectError(f"cannot write {self.path}: {error.strerror}") from error
        os.close(self._descriptor)
        self._descriptor = descriptor

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CollectError(f"{self.path}: another process collects into it") from error

    def _append(self, line: _Line) -> None:
        try:
            _write(self._descriptor, msgspec.json.encode(line) + b"\n")
            os.fsync(self._descriptor)
        except OSError as error:
            raise CollectError(f"cannot write {self.path}: {error.strerror}") from error
        self._take(line)

    def _take(self, line: _Line) -> None:
        match line:
            case _Reserved():
                self._open[line.call] = line.pico
                self._calls += 1
            case _Settled():
                self._open.pop(line.call, None)
                self._settled_pico += line.pico
            case _Spent():
                self._settled_pico += line.pico
                self._calls += line.calls
            case _Bought():
                self.answers[line.request, line.side] = line.answer
            case _Graded():
                self.grades[line.request] = line.grade
                self.failures.pop(line.request, None)
            case _Failed():
                self.failures[line.request] = line.failed

    def _read(self) -> bool:
        """Take in what earlier runs wrote; whether there was any."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise CollectError(f"cannot read {self.path}: {error.strerror}") from error
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            # The last line of a process that was killed while it wrote; nothing followed it.
            os.ftruncate(self._descriptor, whole)
        for number, text in enumerate(data[:whole].splitlines(), start=1):
            try:
                line: _Line = _DECODER.decode(text)
            except msgspec.MsgspecError as error:
                raise CollectError(f"{self.path}, line {number}: this is no state of a collection: {error}") from error
            if (number == 1) != isinstance(line, _Begun):
                raise CollectError(f"{self.path}, line {number}: this is no state of a collection")
            if isinstance(line, _Begun):
                self._check(line)
            self._take(line)
        return whole > 0

    def _check(self, begun: _Begun) -> None:
        if begun.version != VERSION:
            raise CollectError(f"{self.path}: written by another version of Turnout (layout {begun.version})")
        for name in Identity.__struct_fields__:
            then, now = getattr(begun.identity, name), getattr(self.identity, name)
            if then != now:
                raise CollectError(
                    f"{self.path}: this collection was begun with {name} {then!r}, not {now!r}: collect into another "
                    "file, or as before"
                )


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
