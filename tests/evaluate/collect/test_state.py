from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest

from turnout.evaluate.collect.errors import CollectError
from turnout.evaluate.collect.state import Answered, Failed, Grade, Identity, State

IDENTITY = Identity(cheap="small", capable="large", judge="exact", seed="s", max_output=10)


def filled(path: Path) -> None:
    with State(path, IDENTITY) as state:
        assert not state.resumed
        state.reserve("c1", 50)
        state.settle("c1", 20)
        state.answered("r1", "capable", Answered(text="said", input_tokens=3, output_tokens=4, pico=20))
        state.graded("r1", Grade(cheap=1.0, capable=0.0, verdicts=("cheap", "cheap")))
        state.reserve("c2", 70)
        state.answered("r2", "capable", Answered(text="not judged yet"))
        state.failed("r3", Failed(why="throttled", again=True))


def test_a_second_run_has_all_of_the_first(tmp_path: Path) -> None:
    filled(tmp_path / "s")
    with State(tmp_path / "s", IDENTITY) as state:
        assert state.resumed
        assert state.spent_pico == 20 + 70  # the end of the second call is not known
        assert state.calls == 2
        assert state.answers["r1", "capable"].text == "said"
        assert state.grades == {"r1": Grade(cheap=1.0, capable=0.0, verdicts=("cheap", "cheap"))}
        assert state.failures == {"r3": Failed(why="throttled", again=True)}
        state.graded("r3", Grade(cheap=1.0, capable=1.0))
        assert state.failures == {}


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    filled(tmp_path / "s")
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600


def test_judged_answers_lose_their_text(tmp_path: Path) -> None:
    filled(tmp_path / "s")
    with State(tmp_path / "s", IDENTITY) as state:
        state.compact()
        state.failed("r4", Failed(why="later", again=False))
    text = (tmp_path / "s").read_text()
    assert '"said"' not in text
    assert "not judged yet" in text
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    with State(tmp_path / "s", IDENTITY) as state:
        assert (state.spent_pico, state.calls) == (90, 2)
        assert state.answers["r1", "capable"] == Answered(input_tokens=3, output_tokens=4, pico=20)
        assert set(state.failures) == {"r3", "r4"}
    assert os.listdir(tmp_path) == ["s"]


def test_a_line_that_was_cut_by_a_kill_is_dropped(tmp_path: Path) -> None:
    filled(tmp_path / "s")
    whole = (tmp_path / "s").read_bytes()
    for cut in (1, 10, 30):
        (tmp_path / "s").write_bytes(whole[:-cut])
        with State(tmp_path / "s", IDENTITY) as state:
            assert state.failures == {}
            assert state.spent_pico == 90
            state.failed("r3", Failed(why="throttled", again=True))
        assert (tmp_path / "s").read_bytes() == whole


def test_two_at_once(tmp_path: Path) -> None:
    with State(tmp_path / "s", IDENTITY) as state:
        with pytest.raises(CollectError, match="another process collects into it"):
            State(tmp_path / "s", IDENTITY)
        state.compact()
        with pytest.raises(CollectError, match="another process collects into it"):
            State(tmp_path / "s", IDENTITY)


@pytest.mark.parametrize(
    ("name", "value"), [("cheap", "x"), ("capable", "x"), ("judge", "x"), ("seed", "x"), ("max_output", 9)]
)
def test_another_collection(tmp_path: Path, name: str, value: str | int) -> None:
    filled(tmp_path / "s")
    with pytest.raises(CollectError, match=f"begun with {name} .*: collect into another file, or as before"):
        State(tmp_path / "s", msgspec.structs.replace(IDENTITY, **{name: value}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}\n", "line 1: this is no state of a collection"),
        ('{"type":"settled","call":"x","pico":1}\n', "line 1: this is no state of a collection"),
        ("hello\n", "line 1: this is no state of a collection"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s").write_text(text)
    with pytest.raises(CollectError, match=message):
        State(tmp_path / "s", IDENTITY)
    assert (tmp_path / "s").read_text() == text


def test_another_layout(tmp_path: Path) -> None:
    filled(tmp_path / "s")
    (tmp_path / "s").write_text((tmp_path / "s").read_text().replace('"version":1', '"version":9', 1))
    with pytest.raises(CollectError, match=r"another version of Turnout \(layout 9\)"):
        State(tmp_path / "s", IDENTITY)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CollectError, match="No such file or directory"):
        State(tmp_path / "no" / "s", IDENTITY)
