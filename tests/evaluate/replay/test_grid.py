from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.evaluate.replay.traces import CAPABLE, CHEAP, PAIR, call, small, trace
from turnout.core.spend_bound import SpendBound
from turnout.evaluate.replay.compared import SIMPLE_POLICIES
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.grid import PLAN, Spot, SpotResult, cells, fingerprint, run_grid, spots

TRACE = trace([call("ab" + "c" * number, 60 * number) for number in range(6)])
WANTED = spots([PAIR], [0.0, 0.5, 1.0], [0.0, 0.7], 2)


def test_where_all_turns_are_alike_one_run_is_enough() -> None:
    assert [(spot.share, spot.correlation, spot.seed) for spot in WANTED] == [
        (0.0, 0.0, 0),
        (0.5, 0.0, 0),
        (0.5, 0.0, 1),
        (0.5, 0.7, 0),
        (0.5, 0.7, 1),
        (1.0, 0.0, 0),
    ]


def test_a_grid_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    path = tmp_path / "grid.jsonl"
    first = run_grid(TRACE, [small()], WANTED[:3], path)
    with path.open("ab") as file:
        file.write(b'{"fingerprint":"cut of')
    done = path.read_bytes()
    told: list[int] = []
    results = run_grid(TRACE, [small()], WANTED, path, advance=told.append)
    assert results[:3] == first
    assert told == [3, 1, 1, 1]
    assert path.read_bytes().startswith(done[: done.rindex(b"\n") + 1])
    assert len(path.read_bytes().splitlines()) == 6


def test_several_processes_give_the_same(tmp_path: Path) -> None:
    alone = run_grid(TRACE, [small()], WANTED[:3], tmp_path / "one.jsonl")
    assert run_grid(TRACE, [small()], WANTED[:3], tmp_path / "two.jsonl", jobs=2) == alone


def test_results_of_other_conditions_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "grid.jsonl"
    run_grid(TRACE, [small()], WANTED[:1], path)
    told: list[int] = []
    run_grid(TRACE, [small("reference")], WANTED[:1], path, advance=told.append)
    assert told == [0, 1]
    assert fingerprint(TRACE, small()) != fingerprint(msgspec.structs.replace(TRACE, content="other"), small())


def test_cells_are_means_against_the_best_simple_policy() -> None:
    def result(seed: int, plan: int, naive: int) -> SpotResult:
        costs = {**dict.fromkeys(SIMPLE_POLICIES, 10 * 10**12), PLAN: plan * 10**12, "naive": naive * 10**12}
        spot = Spot(cheap=CHEAP, capable=CAPABLE, share=0.5, correlation=0.3, seed=seed)
        return SpotResult(fingerprint="f", spot=spot, whole_pico=costs, rest_pico=costs)

    (cell,) = cells([result(0, 5, 4), result(1, 5, 8)])
    # Means: 5 against 6; the worst seed 5 against 4.
    assert (cell.plan_usd, cell.best, cell.best_usd, cell.seeds) == (5.0, "naive", 6.0, 2)
    assert (cell.ratio, cell.worst_ratio) == (5 / 6, 1.25)
    assert cell.passes
    assert not cells([result(0, 5, 4)])[0].passes
    (unsafe,) = cells([msgspec.structs.replace(result(0, 1, 4), unsafe_switches=1)])
    assert not unsafe.passes
    runs = [msgspec.structs.replace(result(seed, 1, 4), held=held) for seed, held in enumerate((True, False))]
    assert [(cell.broken, cell.passes) for cell in (*cells(runs[:1]), *cells(runs))] == [(0, True), (1, False)]
    assert cell.broken is None


def test_a_bound_is_kept_and_makes_other_results(tmp_path: Path) -> None:
    bound = SpendBound(epsilon=0.05, kappa_pico=10**12)
    results = run_grid(TRACE, [small()], WANTED[:3], tmp_path / "grid.jsonl", bound=bound)
    assert [result.held for result in results] == [True] * 3
    assert fingerprint(TRACE, small(), bound) != fingerprint(TRACE, small())


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "grid.jsonl"
    path.write_text('{"fingerprint": 1}\n')
    with pytest.raises(TraceError, match="line 1 is no result of a grid"):
        run_grid(TRACE, [small()], WANTED[:1], path)
    with pytest.raises(TraceError, match="cannot be"):
        run_grid(TRACE, [small()], WANTED[:1], tmp_path)
