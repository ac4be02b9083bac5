from __future__ import annotations

import asyncio
import json
import random
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.conftest import Run
from tests.evaluate.calibration.worlds import KINDS, graded, prompt_of
from turnout.classify.configured import configured_classifier
from turnout.config import ConfigError, load_catalog, load_settings
from turnout.config.calibration import read_calibration, write_calibration
from turnout.core.policy import Reason
from turnout.core.request import Request, Segment
from turnout.evaluate.collect.agreement import agreement_of
from turnout.evaluate.collect.card import Card, card_path
from turnout.evaluate.collect.judges.llm import grade_of
from turnout.evaluate.training.training import train
from turnout.messages.conversation import conversation_of
from turnout.router.routing import Router
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder

IDS = ("--as", "us.haiku-5.5,us.sonnet-5.5")
BASE = ("calibrate", "--outcomes", "cal.csv", "--pair", "cheap,capable")
QUALITY = ("--quality", "0.95")
SETTINGS = """
[policy]
cheap = "us.haiku-5.5"
capable = "us.sonnet-5.5"
calibration = "bar.json"
[classifier]
kind = "learned"
artefact = "router"
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outcomes to train on, what was trained on them, and others to calibrate on."""
    folder = tmp_path_factory.mktemp("files")
    train(graded(folder / "train.csv", 600, seed=1), ["cheap", "capable"], folder / "router", features="ngrams")
    graded(folder / "cal.csv", 1_200, seed=2)
    return folder


@pytest.fixture(autouse=True)
def here(files: Path, tmp_path: Path) -> None:
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    (tmp_path / "routers_that_fail.py").write_text(
        "def no_number(batch):\n    return [float('nan')] * len(batch)\ndef fails(batch):\n    return 1 / 0\n"
    )


def routed(count: int, *, seed: int, kinds: tuple[str, ...] = tuple(KINDS)) -> list[tuple[str, str, Reason]]:
    """What a router with the settings here decides on requests of these kinds, recorded in the ledger."""
    settings, catalog = load_settings(), load_catalog()
    draw = random.Random(seed)
    found = []

    async def route() -> None:
        with Ledger(settings.ledger) as ledger, Recorder(ledger) as recorder:
            classifier = configured_classifier(settings, catalog)
            router = Router(settings.policy(catalog), catalog, classifier=classifier, records=recorder)
            for number in range(count):
                kind, text = prompt_of(draw, kinds)
                segments = (Segment(kind="message", tokens=40, prefix_hash=f"{seed}-{number}"),)
                request = Request(session_id=f"{seed}-{number}", segments=segments)
                done = await router.route(conversation_of(text), request, router.begin_turn(request.session_id))
                found.append((kind, done.model.name, done.decision.reason))

    asyncio.run(route())
    return found


def test_from_graded_answers_to_routing_and_to_the_day_it_no_longer_holds(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text(SETTINGS)
    # The settings name the file before it is there: calibrating does not mind, everything else does.
    assert turnout("doctor")[0] == 2
    code, out, err = turnout(*BASE, *IDS, *QUALITY, "--to", "bar.json")
    assert (code, err) == (0, "")
    flat = " ".join(out.split())
    assert (
        "With probability at least 0.95 over the drawing of the calibration set, the mean score on requests "
        "exchangeable with it is at least 0.95 of the capable model's, as measured by this scorer." in flat
    )
    assert "It ends when traffic drifts" in flat
    assert "written: bar.json" in out

    assert "calibrated by bar.json" in turnout("doctor")[1]
    assert "calibrated by bar.json" in " ".join(turnout("check")[1].split())

    policy = load_settings().policy(load_catalog())
    assert policy.quality_bar == read_calibration(tmp_path / "bar.json").bar
    decided = routed(300, seed=5)
    served = {kind: [model for one, model, _ in decided if one == kind] for kind in KINDS}
    assert served["greet"].count("Claude Haiku 5.5") > 0.8 * len(served["greet"])
    assert served["prove"].count("Claude Sonnet 5.5") > 0.9 * len(served["prove"])
    assert sum(reason is Reason.UNLIKE_CALIBRATION for _, _, reason in decided) < 30

    code, out, _ = turnout("calibrate", "--check")
    assert code == 0, out
    assert "nothing speaks against the calibration" in out
    routed(150, seed=6, kinds=("prove",))
    code, out, _ = turnout("calibrate", "--check")
    assert code == 1
    assert "CALIBRATE AGAIN: verdicts are unlike the calibration's, beyond chance" in " ".join(out.split())
    code, out, _ = turnout("calibrate", "--check", "--json")
    found = json.loads(out)
    assert (code, found["holds"], found["found"]["verdicts"]) == (1, False, 450)


def test_requests_unlike_all_others_go_to_the_capable_model(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text(SETTINGS)
    assert turnout(*BASE, *IDS, *QUALITY, "--to", "bar.json")[0] == 0
    settings, catalog = load_settings(), load_catalog()
    router = Router(settings.policy(catalog), catalog, classifier=configured_classifier(settings, catalog))
    request = Request(session_id="s", segments=(Segment(kind="message", tokens=40, prefix_hash="h"),))
    odd = conversation_of("Докажите, что существует бесконечно много простых чисел: {}[]();")
    done = asyncio.run(router.route(odd, request, router.begin_turn("s")))
    assert (done.model.name, done.decision.reason) == ("Claude Sonnet 5.5", Reason.UNLIKE_CALIBRATION)
    assert done.given.verdict is not None
    assert done.given.verdict.p_suffices


def test_another_artefact_or_classifier_ends_it(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text(SETTINGS)
    assert turnout(*BASE, *IDS, *QUALITY, "--to", "bar.json")[0] == 0
    model = tmp_path / "router" / "model.json"
    model.write_bytes(model.read_bytes() + b"\n")
    settings, catalog = load_settings(), load_catalog()
    with pytest.raises(
        ConfigError, match=r"bar\.json: was found for another state of the classifier learned: artefact"
    ):
        configured_classifier(settings, catalog)
    code, out, _ = turnout("calibrate", "--check")
    assert code == 1
    assert "CALIBRATE AGAIN: was found for another state of the classifier learned" in " ".join(out.split())
    (tmp_path / "turnout.toml").write_text(SETTINGS.replace('"learned"', '"keyword"'))
    assert "for the classifier learned, it is keyword now" in turnout("calibrate", "--check")[1]
    # Calibrating again is what helps.
    assert turnout(*BASE, *IDS, *QUALITY, "--to", "bar.json")[0] == 0
    assert turnout("calibrate", "--check")[0] == 0


def test_another_scorer_or_other_parameters_end_it(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text(SETTINGS)
    said = ("--scorer", "exact match", "--parameters", "temperature 0")
    assert turnout(*BASE, *IDS, *QUALITY, *said, "--to", "bar.json")[0] == 0
    assert turnout("calibrate", "--check", *said)[0] == 0
    code, out, _ = turnout("calibrate", "--check", "--scorer", "a judge")
    assert code == 1
    assert "CALIBRATE AGAIN: the scorer was 'exact match', and is 'a judge'" in " ".join(out.split())
    code, out, _ = turnout("calibrate", "--check", "--parameters", "temperature 1")
    assert "the parameters was 'temperature 0'" in " ".join(out.split())
    assert code == 1


def test_the_judge_of_a_collection_is_the_scorer(turnout: Run, tmp_path: Path) -> None:
    card = Card(
        cheap="cheap",
        capable="capable",
        judge="exact",
        seed="s",
        share=1.0,
        strata=(),
        population=1_200,
        sampled=1_200,
        graded=1_200,
        failed={},
        pending=0,
        cheap_score=None,
        capable_score=None,
        agreement=None,
        calls=0,
        spent_usd="0",
    )
    card_path(tmp_path / "cal.csv").write_bytes(msgspec.json.encode(card))
    found = json.loads(turnout(*BASE, *QUALITY, "--router", "keyword", "--json")[1])
    assert found["scorer"] == "exact"
    found = json.loads(turnout(*BASE, *QUALITY, "--router", "keyword", "--scorer", "mine", "--json")[1])
    assert found["scorer"] == "mine"
    # A request could be sampled by one half, though none of the table was: the bar is the more careful.
    sampled = json.loads(turnout(*BASE, *QUALITY, "--router", "keyword", "--least-propensity", "0.5", "--json")[1])
    card_path(tmp_path / "cal.csv").write_bytes(
        msgspec.json.encode(msgspec.structs.replace(card, strata=((1.0, 0.5),)))
    )
    again = json.loads(turnout(*BASE, *QUALITY, "--router", "keyword", "--json")[1])
    assert again["targets"] == sampled["targets"] != found["targets"]
    card_path(tmp_path / "cal.csv").write_bytes(msgspec.json.encode(card))
    weak = msgspec.structs.replace(card, agreement=agreement_of([grade_of("cheap", "capable")] * 3))
    card_path(tmp_path / "cal.csv").write_bytes(msgspec.json.encode(weak))
    assert "WARNING: so many contradictions" in turnout(*BASE, *QUALITY, "--router", "keyword")[1]
    card_path(tmp_path / "cal.csv").write_bytes(msgspec.json.encode(card))
    # A second table that nobody knows the judge of.
    shutil.copy(tmp_path / "train.csv", tmp_path / "more.csv")
    more = ("--outcomes", "more.csv", "--router", "keyword", "--json")
    assert json.loads(turnout(*BASE, *QUALITY, *more)[1])["scorer"] == ""
    card_path(tmp_path / "cal.csv").write_text("{}")
    code, _, err = turnout(*BASE, *QUALITY, "--router", "keyword")
    assert (code, err.count("\n")) == (2, 1)
    assert "cal.csv.card.json is no card of a collection" in err


def test_a_guarantee_wants_prompts_that_were_not_trained_on(turnout: Run) -> None:
    code, _, err = turnout("calibrate", "--outcomes", "train.csv", *BASE[3:], "--router", "router", *QUALITY)
    assert code == 2
    assert "train.csv: router was trained on 600 of the 600 different prompts" in err
    both = ("--outcomes", "train.csv", "--router", "router", *QUALITY, "--leave-out-trained", "--json")
    code, out, _ = turnout(*BASE, *both)
    found = json.loads(out)
    assert (code, found["left_out"], found["data"]["prompts"], found["overlap_known"]) == (0, 600, 1_200, True)


def test_json_has_every_test_and_no_samples(turnout: Run) -> None:
    code, out, _ = turnout(*BASE, *QUALITY, "--capable-share", "0.9", "--router", "router", "--json")
    found = json.loads(out)
    assert code == 0
    first, second = found["targets"]
    assert first["tested"][-1]["passed"] is False
    assert first["least_prompts"] < 1_080
    assert second["tested"] == []
    assert second["figures"]["shares"][1]["high"] <= 0.9
    assert not {"references", "probabilities", "unlikenesses"} & set(found)


def test_targets_that_cannot_be_met_together_end_with_1_and_write_nothing(turnout: Run, tmp_path: Path) -> None:
    keyword = ("--router", "keyword", "--to", "bar.json")
    code, out, _ = turnout(*BASE, "--quality", "0.99", "--capable-share", "0.5", *keyword)
    assert code == 1
    assert "NOT POSSIBLE TOGETHER: quality of 0.99 sends" in " ".join(out.split())
    assert not (tmp_path / "bar.json").exists()


def test_a_budget_is_for_so_many_requests(turnout: Run) -> None:
    found = [
        json.loads(turnout(*BASE, "--router", "keyword", "--budget-usd", usd, "--requests", count, "--json")[1])["bar"]
        for usd, count in (("8", "1000"), ("0.8", "100"))
    ]
    assert found[0] == found[1] is not None


def test_routers_that_settings_cannot_name_and_models_that_the_catalog_lacks(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "my_calibrated_router.py").write_text(
        "def need(batch):\n    return [float('prove' in one) for one in batch.prompt]\n"
    )
    code, out, _ = turnout(*BASE, *QUALITY, "--router", "my_calibrated_router:need", "--to", "a.json")
    assert code == 0
    assert "Settings cannot name this router" in out
    assert "Not checked: nobody knows here on what the router was trained." in out
    code, out, _ = turnout(*BASE, *QUALITY, "--router", "keyword", "--to", "b.json")
    assert "The candidates are no ids of the catalog" in out
    assert "nothing is written" in turnout(*BASE, *QUALITY, "--router", "keyword")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*BASE,), "a target is needed: --quality, --capable-share, --budget-usd or --cost-ratio (or --check)"),
        (("calibrate", *QUALITY), "--outcomes and --pair are needed (or --check)"),
        ((*BASE, "--quality", "98"), "quality must be above 0 and at most 1, got 98; write 0.98 for 98 %"),
        ((*BASE, *QUALITY, "--delta", "0"), "delta must be above 0 and below 1, got 0"),
        ((*BASE, *QUALITY, "--pair", "cheap"), "--pair must be two or more names"),
        ((*BASE, *QUALITY, "--pair", "cheap,capabel"), "no answer of 'capabel'"),
        ((*BASE, *QUALITY, "--outcomes", "cla.csv"), "there is no file cla.csv"),
        ((*BASE, *QUALITY, "--router", "keywrod"), "unknown router 'keywrod'; the nearest known one is 'keyword'"),
        ((*BASE, *QUALITY, "--router", "tfidf"), "'tfidf' learns from outcomes: train it first"),
        (
            (*BASE, *QUALITY, "--router", "routers_that_fail:no_number"),
            "routers_that_fail:no_number: a router's scores",
        ),
        (
            (*BASE, *QUALITY, "--router", "routers_that_fail:fails"),
            "ZeroDivisionError: division by zero (routers_that_f",
        ),
        ((*BASE, *QUALITY, "--as", "us.haiku-5.5"), "--as must be two or more names"),
        ((*BASE, *QUALITY, "--as", "us.haiku-5.5,nothing"), "--as: unknown model 'nothing'"),
        ((*BASE, *QUALITY, "--to", "no/such.json"), "cannot write no/such.json: there is no folder no"),
        ((*BASE, *QUALITY, "--to", "."), "cannot write ."),
        ((*BASE, *QUALITY, "--leave-out-trained", "--disjoint"), "either --leave-out-trained or --disjoint"),
        ((*BASE, *QUALITY, "--call-usd", "1"), "--call-usd must be 2 numbers"),
        ((*BASE, *QUALITY, "--call-usd", "1,x"), "--call-usd must be 2 numbers"),
        ((*BASE, "--capable-share", "0.00001"), "cannot be kept with any bar"),
        (("calibrate", "--check"), "there is no calibration: name it by --calibration FILE"),
        (("calibrate", "--check", "--level", "2"), "--level must be above 0 and below 1"),
        (("calibrate", "--check", "--calibration", "cal.csv"), "cal.csv: is no calibration"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(turnout: Run, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = turnout(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_settings_without_a_classifier_name_none(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text('[classifier]\nkind = "none"\n')
    code, _, err = turnout(*BASE, *QUALITY)
    assert code == 2
    assert "the settings have no classifier: name one by --router" in err


def test_check_of_a_file_that_the_settings_do_not_name(turnout: Run, tmp_path: Path) -> None:
    assert turnout(*BASE, *QUALITY, "--router", "keyword", *IDS, "--to", "bar.json")[0] == 0
    code, out, _ = turnout("calibrate", "--check", "--calibration", "bar.json")
    assert code == 1
    assert "CALIBRATE AGAIN: was found for bedrock/us.anthropic.claude-haiku-5-5" in " ".join(out.split())
    (tmp_path / "turnout.toml").write_text('[policy]\ncheap = "us.haiku-5.5"\ncapable = "us.sonnet-5.5"\n')
    assert turnout("calibrate", "--check", "--calibration", "bar.json")[0] == 0


def test_a_damaged_calibration_is_told(turnout: Run, tmp_path: Path) -> None:
    assert turnout(*BASE, *QUALITY, "--router", "keyword", *IDS, "--to", "bar.json")[0] == 0
    found: Any = json.loads((tmp_path / "bar.json").read_text())
    found["bar"] = "high"
    (tmp_path / "bar.json").write_text(json.dumps(found))
    assert "Expected `float | null`" in turnout("calibrate", "--check", "--calibration", "bar.json")[2]


def test_always_capable_asks_for_the_capable_model_alone(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text(SETTINGS)
    assert turnout(*BASE, *IDS, *QUALITY, "--to", "bar.json")[0] == 0
    file = read_calibration(tmp_path / "bar.json")
    write_calibration(msgspec.structs.replace(file, bar=None), tmp_path / "bar.json")
    assert {model for _, model, _ in routed(30, seed=7)} == {"Claude Sonnet 5.5"}
