"""What a collection is to be, from settings and a user's words: the pair, the judge, the sample, the files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from turnout.config import Settings
from turnout.config.errors import ConfigError
from turnout.core.catalog import Catalog, Model, UnknownModelError, unknown
from turnout.evaluate.collect.calling import Caller
from turnout.evaluate.collect.errors import CollectError
from turnout.evaluate.collect.judges import Judge
from turnout.evaluate.collect.judges.code import CodeJudge, check_named
from turnout.evaluate.collect.judges.exact import AgreementJudge, ExactJudge
from turnout.evaluate.collect.judges.llm import LLMJudge, judge_name
from turnout.evaluate.collect.sampling import Sampling
from turnout.evaluate.collect.state import Identity

JUDGES = ("exact", "exact-loose", "agreement", "llm:MODEL", "module:function")
"""What a user may write for a judge."""

_LLM = "llm:"

NO_TEXT = (
    "the ledger keeps no prompts and no answers, and without them nothing can be asked again. Either give them: "
    "--requests FILE, a JSON object a line with 'prompt' or 'conversation', and if you have them 'id' (of the turn, "
    "the call or the query), 'answer' and 'expected'. Or have Turnout keep them from now on: record_text = true and "
    'texts = "texts.jsonl" in turnout.toml'
)
"""What is missing where no requests are named, and how to switch it on."""


class Models(NamedTuple):
    """The models of a collection.

    Attributes:
        cheap: Whose answers are compared.
        capable: With whose.
        judging: Who judges; none: no model.
    """

    cheap: Model
    capable: Model
    judging: Model | None


class Wanted(NamedTuple):
    """A collection that is wanted.

    Attributes:
        settings: Say where models are called.
        catalog: Knows them.
        models: Who takes part.
        judge: The judge as the user wrote it.
        rubric: What an LLM judge is told makes an answer better; empty: the packaged words.
        sampling: Which requests are taken.
        source: The file of requests.
        out: The table that is written.
        state: The file of what is done.
        max_output: The limit on output of answers.
    """

    settings: Settings
    catalog: Catalog
    models: Models
    judge: str
    rubric: str
    sampling: Sampling
    source: Path
    out: Path
    state: Path
    max_output: int

    def identity(self) -> Identity:
        """What must be the same in all its runs."""
        judging = self.models.judging
        return Identity(
            cheap=self.models.cheap.id,
            capable=self.models.capable.id,
            judge=plain_judge(self.judge).name if judging is None else judge_name(judging.id, self.rubric),
            seed=self.sampling.seed,
            max_output=self.max_output,
        )

    def judge_by(self, caller: Caller) -> Judge:
        """The judge, its calls made by a caller."""
        judging = self.models.judging
        return plain_judge(self.judge) if judging is None else LLMJudge(judging, caller, rubric=self.rubric)

    def resolved(self, name: str) -> str:
        """The catalog id of a model that a request names; one that nobody knows stays as it is."""
        for model in (self.models.cheap, self.models.capable):
            if name == model.model_id:
                return model.id
        return resolved(name, self.settings, self.catalog)


def models_of(pair: str | None, judge: str, settings: Settings, catalog: Catalog) -> Models:
    """The models that a user names, or that settings have.

    Args:
        pair: CHEAP,CAPABLE; none: the least and the most capable candidate.
        judge: One of `JUDGES`.
        settings: The settings.
        catalog: The models.

    Raises:
        CollectError: They are not two, or there is no such judge.
        UnknownModelError: The catalog lacks one.
    """
    if pair is None:
        ranked = settings.policy(catalog).ranked
        if len(ranked) < 2:
            raise CollectError("the settings have one candidate only: --pair CHEAP,CAPABLE says who is compared")
        names = [ranked[-1].model, ranked[0].model]
    else:
        names = [name.strip() for name in pair.split(",")]
        if len(names) != 2 or not all(names):
            raise CollectError(f"--pair must be CHEAP,CAPABLE, got {pair!r}")
    cheap, capable = (catalog[resolved(name, settings, catalog)] for name in names)
    if cheap == capable:
        raise CollectError(f"--pair names one model twice: {cheap.id}")
    if not judge:
        raise CollectError(f"--judge is needed: one of {', '.join(JUDGES)}")
    if judge.startswith(_LLM):
        return Models(cheap, capable, catalog[resolved(judge.removeprefix(_LLM), settings, catalog)])
    if judge not in JUDGES[:3] and ":" not in judge:
        raise CollectError(f"{unknown('judge', judge, JUDGES)}; one of {', '.join(JUDGES)}")
    return Models(cheap, capable, None)


def plain_judge(written: str) -> Judge:
    """A judge that calls no model.

    Raises:
        CollectError: A check is not there.
    """
    match written:
        case "exact" | "exact-loose":
            return ExactJudge(loose=written == "exact-loose")
        case "agreement":
            return AgreementJudge()
    return CodeJudge(check_named(written), written)


def rubric_of(path: Path | None, judging: Model | None) -> str:
    """The text of a rubric; empty without one.

    Raises:
        CollectError: It cannot be read, is empty, or there is no LLM judge to be told it.
    """
    if path is None:
        return ""
    if judging is None:
        raise CollectError("--rubric is for an LLM judge: --judge llm:MODEL")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CollectError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CollectError(f"{path}: this is not UTF-8 text") from error
    if not text.strip():
        raise CollectError(f"{path} is empty")
    return text


def source_of(given: Path | None, settings: Settings) -> Path:
    """The file of requests: the one that is given, or the one that settings name.

    Raises:
        CollectError: There is neither, or it does not exist.
    """
    source = given or settings.texts
    if source is None:
        raise CollectError(NO_TEXT)
    if not source.is_file():
        why = "nothing was recorded there yet" if settings.record_text else "record_text is off, so nothing is recorded"
        raise CollectError(f"there is no file {source}" + ("" if given else f": {why}"))
    return source


def resolved(name: str, settings: Settings, catalog: Catalog) -> str:
    """A model's catalog id from the spellings that settings know; a name that nobody knows stays as it is."""
    if name in catalog:
        return name
    try:
        return settings.resolve(name)
    except (UnknownModelError, ConfigError):
        return name
