import json
from pathlib import Path

import msgspec
import pytest

from tests.cli.conftest import Run
from tests.evaluate.replay.traces import MOONCAKE, TAU_BENCH
from tests.trace.decided import called, decided
from turnout.config.pairs import PAIR_4
from turnout.trace.store.ledger import Ledger

FEW = ("--policy", "capable", "--policy", "manage", "--no-lower-bound", "--limit", "60")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as opened:
        opened.append([decided(), called(), decided(run="other", turn_id="t2"), called(run="other", turn_id="t2")])
    return path


def test_a_trace_becomes_tables(turnout: Run) -> None:
    code, out, err = turnout("replay", str(MOONCAKE), *FEW)
    assert (code, err) == (0, "")
    assert out.count("simulated provider cache: mooncake_sample.jsonl.xz") == 3
    assert "Claude Haiku 5.5 / Claude Sonnet 5.5" in out
    assert "- blocks of 512 tokens" in out


def test_spending_is_bound_unless_told_otherwise(turnout: Run) -> None:
    def bounds(*options: str) -> list[dict[str, float] | None]:
        code, out, _ = turnout("replay", str(MOONCAKE), *FEW, "--pair", ",".join(PAIR_4), "--json", *options)
        assert code == 0
        found = json.loads(out)[0]["outcomes"][1]["bound"]
        return [found and found["bound"]]

    assert [(one["epsilon"], one["kappa_pico"]) for one in bounds() if one] == [(0.05, 5 * 10**12)]
    assert [(one["epsilon"], one["kappa_pico"]) for one in bounds("--bound", "0.1:2.5") if one] == [(0.1, 25 * 10**11)]
    assert bounds("--no-bound") == bounds("--convention", "reference") == [None]
    assert "bound held" in turnout("replay", str(MOONCAKE), *FEW)[1]


def test_json_has_every_comparison(turnout: Run) -> None:
    code, out, _ = turnout(
        "replay",
        str(MOONCAKE),
        *FEW,
        "--json",
        "--accuracy",
        "1",
        "--accuracy",
        "0.8",
        "--pair",
        ",".join(PAIR_4),
    )
    found = json.loads(out)
    assert (code, len(found)) == (0, 2)
    assert [one["outcomes"][0]["policy"] for one in found] == ["capable", "capable"]
    assert found[0]["label"] == "simulated provider cache"
    assert found[0]["outcomes"][1]["whole"]["below_bar"] == 0
    assert "80% right" in found[1]["verdicts"]


def test_the_lower_bound_and_a_picture(turnout: Run, tmp_path: Path) -> None:
    code, out, err = turnout(
        "replay", str(MOONCAKE), "--limit", "40", "--policy", "foresight", "--png", "costs.png", "--ttl", "5m"
    )
    assert (code, err) == (0, "wrote costs.png\n")
    assert "lower bound" in out
    assert (tmp_path / "costs.png").stat().st_size > 1000


def test_conversations_are_classified(turnout: Run) -> None:
    code, out, _ = turnout("replay", str(TAU_BENCH), *FEW, "--verdicts", "length")
    assert code == 0
    assert "classifier length" in out


def test_verdicts_of_a_file(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "verdicts.jsonl").write_text('{"label": "simple"}\n' * 60)
    code, out, _ = turnout("replay", str(MOONCAKE), *FEW, "--verdicts", "verdicts.jsonl")
    assert code == 0
    assert "file verdicts.jsonl" in out


def test_the_own_ledger_is_a_trace(turnout: Run, ledger: Path) -> None:
    code, out, _ = turnout("replay", str(ledger), "--policy", "naive")
    assert code == 0
    assert "recorded" in out
    assert (
        json.loads(turnout("replay", str(ledger), "--policy", "naive", "--run", "other", "--json")[1])[0]["outcomes"][
            0
        ]["whole"]["calls"]
        == 1
    )


def test_a_grid_is_kept_in_a_file(turnout: Run, tmp_path: Path) -> None:
    arguments = ("replay", str(MOONCAKE), "--limit", "30", "--grid", "g.jsonl", "--seeds", "1", "--step", "1")
    code, out, _ = turnout(*arguments)
    assert "manage against the best simple policy" in out
    assert len((tmp_path / "g.jsonl").read_text().splitlines()) == 4
    again, out, _ = turnout(*arguments, "--json")
    cells = json.loads(out)
    # The code says whether every cell passed.
    assert code == again == int(not all(cell["passes"] for cell in cells))


@pytest.mark.usefixtures("ledger")
def test_every_decision_is_made_again(turnout: Run) -> None:
    assert turnout("replay", "--verify") == (
        0,
        "2 of 2 decisions came out byte for byte as they are stored\n",
        "",
    )
    assert "1 of 1 decisions" in turnout("replay", "--verify", "--run", "other")[1]
    assert "0 of 0 decisions" in turnout("replay", "--verify", "--since", "2100-01-01")[1]


def test_a_difference_is_named_and_ends_with_one(turnout: Run, ledger: Path) -> None:
    event = decided(run="changed", turn_id="t3")
    with Ledger(ledger) as opened:
        changed = msgspec.structs.replace(event.decision, bar=0.25)
        opened.append([msgspec.structs.replace(event, decision=changed)])
    code, out, _ = turnout("replay", "--verify")
    assert code == 1
    assert out.splitlines() == [
        "2 of 3 decisions came out byte for byte as they are stored",
        f"decision {event.event_id}, run changed, turn t3",
        "  bar: 0.25 -> 0.5",
    ]
    code, out, _ = turnout("replay", "--verify", "--json")
    assert (code, json.loads(out)["different"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no trace; name a file, or use --verify"),
        (["missing.jsonl"], "missing.jsonl cannot be read (No such file or directory)"),
        (["trace.txt"], "the name tells of no trace"),
        ([str(MOONCAKE), "--policy", "manages"], "unknown policy 'manages'; the nearest known one is 'manage'"),
        ([str(MOONCAKE), "--pair", "haiku-4.5"], "--pair is the cheap model, a comma and the capable one"),
        ([str(MOONCAKE), "--pair", f"{PAIR_4.cheap},{PAIR_4.cheap}"], "twice"),
        ([str(MOONCAKE), "--convention", "strickt"], "nearest known one is 'strict'"),
        ([str(MOONCAKE), "--ttl", "6m"], "unknown TTL '6m'"),
        ([str(MOONCAKE), "--share", "2"], "share must be between 0 and 1"),
        ([str(MOONCAKE), "--bound", "a"], "--bound: must be EPSILON or EPSILON:KAPPA_USD, such as 0.05:5, got 'a'"),
        ([str(MOONCAKE), "--bound", "-1:2"], "got '-1:2'"),
        ([str(MOONCAKE), "--bound", "0.1", "--no-bound"], "either --bound or --no-bound, not both"),
        ([str(MOONCAKE), "--bound", "0.1", "--convention", "reference"], "in the convention 'strict' alone"),
        ([str(MOONCAKE), "--lost", "2"], "lost must be between 0 and 1"),
        ([str(MOONCAKE), "--verdicts", "recorded"], "holds no verdicts"),
        ([str(MOONCAKE), "--verdicts", "length"], "no text that a classifier could read"),
        ([str(MOONCAKE), "--verdicts", "length", "--accuracy", "1"], "--accuracy belongs to drawn verdicts"),
        ([str(MOONCAKE), "--grid", "g.jsonl", "--step", "0.3"], "--step must divide 1"),
        (
            [str(MOONCAKE), "--limit", "5", "--policy", "capable", "--png", "no/such.png"],
            "no/such.png cannot be written",
        ),
        (["--verify", "--run", "v9"], "unknown run 'v9'"),
        ([str(TAU_BENCH), "--policy", "foresight"], "this trace is none of blocks"),
    ],
)
@pytest.mark.usefixtures("ledger")
def test_mistakes_are_one_line(turnout: Run, arguments: list[str], message: str) -> None:
    code, out, err = turnout("replay", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
