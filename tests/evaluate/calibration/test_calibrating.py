from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.evaluate.calibration.worlds import fails, graded, judge, ranks, rows_of
from tests.evaluate.outcomes.tables import file_of
from turnout.classify.keyword import KeywordClassifier
from turnout.config.calibration import CalibrationFile, read_calibration, write_calibration
from turnout.evaluate.calibration.calibrating import Calibrated, Plan, Wanted, calibrate
from turnout.evaluate.calibration.judges import ClassifierJudge
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.table import OutcomesError

PAIR = ("cheap", "capable")
QUALITY = Wanted("quality", 0.95)


def made(source: Source, *wanted: Wanted, by: Any = None, **more: Any) -> Calibrated:
    plan = Plan(source, PAIR, by or judge(), wanted or (QUALITY,), **more)
    return calibrate(plan, created="2026-11-23T12:00:00+00:00")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return graded(tmp_path_factory.mktemp("many") / "t.jsonl", 2_000)


class TestQuality:
    def test_the_bar_sends_the_hard_ones_to_the_capable_model(self, many: Source) -> None:
        found = made(many)
        file = found.file
        # What is failed at in 1 of 100, and mostly in 10 of 100, and never in 70 of 100.
        assert file.bar is not None
        assert 0.25 < file.bar < 0.99
        assert file.targets[0].statement == (
            "With probability at least 0.95 over the drawing of the calibration set, the mean score on requests "
            "exchangeable with it is at least 0.95 of the capable model's, as measured by this scorer."
        )
        assert file.guaranteed
        assert file.kept is not None
        assert file.kept.value > 0.95
        assert file.shares[0].value + file.shares[1].value == pytest.approx(1.0)
        assert file.usd is not None
        assert file.capable_usd is not None
        assert file.usd.value < file.capable_usd.value == pytest.approx(0.01)
        assert (file.data.prompts, file.data.units, file.data.set_aside) == (2_000, 1_800, 200)
        assert found.mean_scores[1] == pytest.approx(0.97, abs=0.02)

    def test_more_quality_needs_a_higher_bar_and_delta_is_split(self, many: Source) -> None:
        found = made(many, Wanted("quality", 0.95), Wanted("quality", 0.985), delta=0.1)
        low, high = found.file.targets
        assert low.delta == high.delta == 0.05
        assert low.bar is not None
        assert high.bar is not None
        assert low.bar < high.bar
        assert (found.file.target, found.file.bar) == (0, low.bar)
        assert low.bar == made(many, Wanted("quality", 0.95), delta=0.05).file.bar

    def test_too_few_are_always_capable_and_told_how_many_are_needed(self, tmp_path: Path) -> None:
        found = made(graded(tmp_path / "t.jsonl", 100), Wanted("quality", 0.98))
        outcome = found.quality[0]
        assert (found.file.bar, outcome.bar) == (None, None)
        assert [share.value for share in found.file.shares] == [0.0, 1.0]
        assert outcome.least is not None
        assert 100 < outcome.least < 200
        assert outcome.more is not None
        assert outcome.more >= outcome.least
        assert found.file.bars == {"quality_bar": 2.0}

    def test_it_stops_at_the_first_failure(self, many: Source) -> None:
        steps = made(many).quality[0].steps
        assert [step.passed for _, step in steps] == [True] * (len(steps) - 1) + [False]
        bars = [bar for bar, _ in steps]
        assert bars == sorted(bars, reverse=True)

    def test_a_router_that_knows_nothing_is_always_capable(self, tmp_path: Path) -> None:
        def blind(batch: Any) -> list[float]:
            return [0.5] * len(batch)

        blind.meaning = "fails"  # type: ignore[attr-defined]  # what the scoreboard asks a function for
        found = made(graded(tmp_path / "t.jsonl", 600), Wanted("quality", 0.98), by=judge(blind))
        # Bars that nobody clears passed, and are no bars.
        assert [step.passed for _, step in found.quality[0].steps] == [True, False]
        assert found.file.bar is None
        assert found.file.shares[1].value == 1.0
        assert found.quality[0].more is None

    def test_scores_that_are_no_probability(self, many: Source) -> None:
        found = made(many, by=judge(ranks))
        assert found.file.basis == "score"
        assert found.file.bar is not None
        assert -100 < found.file.bar < 0
        assert found.file.shares[0].value > 0.3

    def test_the_same_table_gives_the_same_bytes(self, many: Source, tmp_path: Path) -> None:
        for name in ("a", "b"):
            write_calibration(made(many).file, tmp_path / name)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
        assert read_calibration(tmp_path / "a") == made(many).file

    def test_verdicts_on_labels_and_what_is_kept_of_them(self, many: Source) -> None:
        by = ClassifierJudge(KeywordClassifier(), identity={"kind": "keyword"}, names=PAIR)
        file = made(many, by=by).file
        assert (file.basis, list(file.probabilities)) == ("label", ["simple"])
        assert len(file.probabilities["simple"]) == len(file.unlikenesses) == 1_000
        assert list(file.bars) == ["simple_bar"]


class TestCost:
    @pytest.mark.parametrize(
        ("wanted", "figure"),
        [
            (Wanted("capable_share", 0.3), lambda figures: figures.shares[-1]),
            (Wanted("budget_usd", 0.004), lambda figures: figures.usd),
            (Wanted("cost_ratio", 0.5), lambda figures: figures.ratio),
        ],
    )
    def test_the_highest_bar_whose_interval_is_within(self, many: Source, wanted: Wanted, figure: Any) -> None:
        found = made(many, wanted)
        assert found.file.bar is not None
        assert not found.file.guaranteed
        assert figure(found.figures[0]).high <= wanted.value
        # The next bar up would be beyond it.
        assert figure(found.figures[0]).value > 0.8 * wanted.value

    def test_what_every_bar_keeps_needs_none(self, many: Source) -> None:
        assert made(many, Wanted("capable_share", 1.0)).file.bar is None

    def test_costs_must_be_known_or_given(self, tmp_path: Path) -> None:
        rows = [{**row, "cost_usd": None} for row in rows_of(400)]
        source = file_of(tmp_path / "t.jsonl", *rows)
        with pytest.raises(OutcomesError, match="cost_ratio needs the cost of every answer"):
            made(source, Wanted("cost_ratio", 0.5))
        found = made(source, Wanted("cost_ratio", 0.5), call_usd=(0.0, 1.0))
        assert found.file.usd is not None
        assert found.file.usd.value == pytest.approx(found.file.shares[1].value)

    def test_what_no_bar_keeps_is_refused(self, many: Source) -> None:
        with pytest.raises(OutcomesError, match=r"cost_ratio of 0\.01 cannot be kept with any bar: the least is 0\.1"):
            made(many, Wanted("cost_ratio", 0.01))

    def test_with_quality_the_guaranteed_bar_is_taken_where_it_is_within(self, many: Source) -> None:
        both = made(many, QUALITY, Wanted("capable_share", 0.9))
        assert (both.file.bar, both.conflict) == (made(many).file.bar, "")
        against = made(many, Wanted("capable_share", 0.05), QUALITY)
        assert against.file.target == 1
        assert "which is more than capable_share of 0.05 allows" in against.conflict


class TestOverlap:
    class Trained:
        """A judge that knows on what it was trained."""

        basis, probability, embeds, identity, names = "outcome", True, False, {"kind": "x"}, None
        name = "trained"

        def __init__(self, keys: Any) -> None:
            self._keys = keys

        def suffices(self, batch: Any) -> Any:
            return judge(fails).suffices(batch)

        def trained_on(self) -> Any:
            return self._keys

    def test_prompts_that_it_was_trained_on_are_refused_or_left_out(self, many: Source) -> None:
        from turnout.evaluate.outcomes.keys import content_keys

        keys = content_keys(many)
        some = self.Trained(keys[::4])
        with pytest.raises(OutcomesError, match="trained was trained on 500 of the 2,000 different prompts"):
            made(many, by=some)
        found = made(many, by=some, overlap="leave_out")
        assert (found.left_out, found.overlap_known, found.file.data.prompts) == (500, True, 1_500)
        assert not made(many, by=some, overlap="trust").overlap_known
        with pytest.raises(OutcomesError, match="was trained on every prompt: none is left"):
            made(many, by=self.Trained(keys), overlap="leave_out")

    def test_other_prompts_are_welcome(self, many: Source) -> None:
        found = made(many, by=self.Trained(np.array([1, 2, 3], np.uint64)))
        assert (found.left_out, found.overlap_known) == (0, True)


class TestUnlike:
    def test_what_is_unlike_the_others_goes_to_the_capable_model(self, tmp_path: Path) -> None:
        odd = [{**row, "prompt": f"greet {'ö' * 40} {{}};\n {row['prompt']}"} for row in rows_of(40, seed=8)]
        source = file_of(tmp_path / "t.jsonl", *rows_of(1_500), *odd)
        file = made(source, Wanted("capable_share", 0.9), unlike_share=0.05).file
        assert file.references is not None
        assert file.references.space == "ngrams"
        beyond = sum(one > 1.0 for one in file.unlikenesses) / len(file.unlikenesses)
        assert 0.0 < beyond < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 150)
        assert file.shares[1].value >= beyond

    def test_nobody_looks_if_nobody_is_to(self, many: Source) -> None:
        found = made(many, unlike_share=0.0)
        assert (found.file.references, found.file.data.set_aside, found.file.data.units) == (None, 0, 2_000)


class TestSampled:
    def test_a_sample_by_strata_stands_for_all(self, tmp_path: Path) -> None:
        every = rows_of(6_000)
        draw, sample = random.Random(5), []
        for cheap, capable in zip(every[::2], every[1::2], strict=True):
            share = 0.6 if cheap["prompt"].startswith("prove") else 0.1
            if draw.random() < share:  # one draw for both answers, as `turnout collect` has it
                sample += [{**cheap, "propensity": share}, {**capable, "propensity": share}]
        found = made(file_of(tmp_path / "sample.jsonl", *sample), unlike_share=0.0)
        truth = sum(row["score"] for row in every[::2]) / 6_000
        assert found.mean_scores[0] == pytest.approx(truth, abs=0.04)

    def test_the_least_propensity_scales_the_losses(self, tmp_path: Path) -> None:
        rows = [{**row, "propensity": 0.5 if row["model"] == "capable" else 1.0} for row in rows_of(1_200)]
        source = file_of(tmp_path / "t.jsonl", *rows)
        even = made(source)
        assert even.file.bar == made(source, least_propensity=0.5).file.bar
        # Weights that may be ten times as large leave less evidence.
        weaker = made(source, least_propensity=0.05)
        assert weaker.quality[0].steps[0][1].p > even.quality[0].steps[0][1].p
        with pytest.raises(OutcomesError, match=r"sampled with a probability below the least propensity, 0\.9"):
            made(source, least_propensity=0.9)


@pytest.mark.parametrize(
    ("wanted", "more", "message"),
    [
        ((Wanted("quality", 98.0),), {}, "quality must be above 0 and at most 1, got 98; write 0.98 for 98 %"),
        ((Wanted("capable_share", 0.0),), {}, "capable_share must be above 0"),
        ((Wanted("budget_usd", math.inf),), {}, "budget_usd must be above 0, got inf"),
        ((QUALITY, QUALITY), {}, "the same target is given twice"),
        ((QUALITY,), {"delta": 0.0}, "delta must be above 0 and below 1"),
        ((QUALITY,), {"unlike_share": 1.0}, "unlike must be 0 or more and below 1"),
        ((QUALITY,), {"least_propensity": 0.0}, "the least propensity must be above 0"),
    ],
)
def test_what_cannot_be_asked_for(many: Source, wanted: tuple[Wanted, ...], more: dict[str, Any], message: str) -> None:
    with pytest.raises(OutcomesError, match=message):
        made(many, *wanted, **more)


def test_scores_are_for_two_candidates_and_a_target_is_needed(many: Source) -> None:
    with pytest.raises(OutcomesError, match="give two candidates"):
        calibrate(Plan(many, ("a", "b", "c"), judge(ranks), (QUALITY,)), created="")
    with pytest.raises(OutcomesError, match="a target is needed"):
        calibrate(Plan(many, PAIR, judge(), ()), created="")


def test_the_file_survives_storage(many: Source) -> None:
    file = made(many).file
    assert msgspec.json.decode(msgspec.json.encode(file), type=CalibrationFile) == file
