"""What is in a table of outcomes: counts, gaps, duplicates, leakage between splits, and whether it is enough."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import msgspec

from turnout.evaluate.guarantee.threshold import least_units, usual_units
from turnout.evaluate.outcomes.content import group_keys, normalised, row_keys, text_key
from turnout.evaluate.outcomes.files import Source, other_columns
from turnout.evaluate.outcomes.pair import aligned

KEEP = 0.98
DELTA = 0.05


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model's answers in one dataset.

    Attributes:
        dataset: The dataset.
        model: The model.
        answers: How many rows.
        score: Their mean score.
        costs_missing: Rows without a cost.
        tokens_missing: Rows without input or output tokens.
    """

    dataset: str
    model: str
    answers: int
    score: float
    costs_missing: int
    tokens_missing: int


class PairRow(msgspec.Struct, frozen=True, kw_only=True):
    """Whether two models' answers are enough for a statement.

    Attributes:
        cheap: The cheap model.
        capable: The capable model.
        dataset: The dataset; empty: all.
        prompts: Prompts that both answered.
        groups: Different ones among them, of which a guarantee counts each once.
        only_cheap: Prompts that only the cheap model answered.
        only_capable: Prompts that only the capable model answered.
        cheap_score: The cheap model's mean score on common prompts.
        capable_score: The capable model's.
        least: With fewer different prompts than this `KEEP` of the capable model's quality cannot be guaranteed by any
            router with a probability of 1 - `DELTA`; none: no number is enough.
        usual: About how many it takes for a router that sends half of the prompts to the cheap model, blindly, where
            what that loses and what it gains cancel.
    """

    cheap: str
    capable: str
    dataset: str
    prompts: int
    groups: int
    only_cheap: int
    only_capable: int
    cheap_score: float
    capable_score: float
    least: int | None
    usual: int | None


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """Prompts that are in two splits.

    Attributes:
        first: A split.
        second: Another one.
        exact: Different texts that are in both.
        normalised: The same, with case, punctuation and blanks passed over; those of ``exact`` among them.
        example: The beginning of one of them.
    """

    first: str
    second: str
    exact: int
    normalised: int
    example: str


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a table.

    Attributes:
        files: The files' names.
        rows: How many rows.
        prompts: How many prompts: different in dataset, prompt id, text or tools.
        texts: How many different texts.
        normalised_texts: How many, with case, punctuation and blanks passed over.
        groups: How many groups.
        models: How many models.
        datasets: How many prompts each dataset has.
        splits: How many rows each split has.
        other_columns: Columns that are not ours and were read over.
        duplicates: Answers beyond the first of a model to a prompt.
        disagreeing: Such answers with another score than the first.
        names_with_several_texts: Prompt ids that stand for different texts in one dataset.
        texts_with_several_names: Texts that have several prompt ids in one dataset.
        sampled: Rows with a propensity below 1.
        per_model: A row for each dataset and model.
        pairs: Whether there is enough, for each pair that was asked for.
        leaks: Prompts that are in two splits.
    """

    files: str
    rows: int
    prompts: int
    texts: int
    normalised_texts: int
    groups: int
    models: int
    datasets: dict[str, int]
    splits: dict[str, int]
    other_columns: list[str]
    duplicates: int
    disagreeing: int
    names_with_several_texts: int
    texts_with_several_names: int
    sampled: int
    per_model: list[ModelRow]
    pairs: list[PairRow]
    leaks: list[Leak]


def inspect(
    source: Source,
    pairs: Sequence[tuple[str, str, str]] = (),
    *,
    progress: Callable[[int], None] = lambda rows: None,
) -> Inspection:
    """Read a table once and say what is in it.

    Memory grows by a few hundred bytes a row and a prompt; texts are not kept.

    Args:
        source: The table.
        pairs: Cheap model, capable model and dataset (empty: all) of each pair to look at.
        progress: Is told how many rows were read.

    Raises:
        OutcomesError: The table cannot be read, or lacks a model of a pair.
    """
    seen = _Seen()
    for batch in source.batches():
        keys = row_keys(batch)
        for row, (key, group) in enumerate(zip(keys, group_keys(batch), strict=True)):
            seen.add(
                key,
                group,
                dataset=batch.dataset[row],
                name=batch.prompt_id[row],
                prompt=batch.conversation[row] or batch.prompt[row],
                model=batch.model[row],
                score=batch.score[row],
                cost_missing=batch.cost_usd[row] is None,
                tokens_missing=batch.input_tokens[row] is None or batch.output_tokens[row] is None,
                sampled=batch.propensity[row] < 1.0,
                split=batch.split[row],
            )
        progress(len(batch))
    return Inspection(
        files=source.named(),
        rows=seen.rows,
        prompts=len(seen.group_of),
        texts=len(seen.texts),
        normalised_texts=len(seen.plain_splits),
        groups=len(set(seen.group_of.values())),
        models=len({model for _, model in seen.models}),
        datasets=dict(seen.dataset_prompts),
        splits=dict(seen.splits),
        other_columns=sorted({name for path in source.paths for name in other_columns(path)}),
        duplicates=seen.duplicates,
        disagreeing=seen.disagreeing,
        names_with_several_texts=sum(len(texts) > 1 for texts in seen.texts_of_name.values()),
        texts_with_several_names=sum(len(names) > 1 for names in seen.names_of_text.values()),
        sampled=seen.sampled,
        per_model=seen.per_model(),
        pairs=[_pair_row(source, *pair) for pair in pairs],
        leaks=seen.leaks(),
    )


class _Seen:
    """What was read so far."""

    def __init__(self) -> None:
        self.rows = self.duplicates = self.disagreeing = self.sampled = 0
        self.group_of: dict[int, int] = {}
        self.texts: set[int] = set()
        self.plain_splits: dict[int, set[str]] = {}
        self.text_splits: dict[int, set[str]] = {}
        self.plain_of: dict[int, int] = {}
        self.examples: dict[int, str] = {}
        self.models: dict[tuple[str, str], list[float]] = {}
        self.splits: Counter[str] = Counter()
        self.dataset_prompts: Counter[str] = Counter()
        self.texts_of_name: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        self.names_of_text: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        self._scores: dict[tuple[int, str], float] = {}

    def add(
        self,
        key: int,
        group: int,
        *,
        dataset: str,
        name: str,
        prompt: str,
        model: str,
        score: float,
        cost_missing: bool,
        tokens_missing: bool,
        sampled: bool,
        split: str,
    ) -> None:
        self.rows += 1
        self.sampled += sampled
        self.splits[split] += 1
        text = text_key(prompt, None)
        if key not in self.group_of:
            self.group_of[key] = group
            self.dataset_prompts[dataset] += 1
            if name:
                self.texts_of_name[dataset, name].add(text)
                self.names_of_text[dataset, text].add(name)
        if text not in self.texts:
            self.texts.add(text)
            self.plain_of[text] = text_key(normalised(prompt), None)
            self.examples[text] = " ".join(prompt[:200].split())[:60]
        self.text_splits.setdefault(text, set()).add(split)
        self.plain_splits.setdefault(self.plain_of[text], set()).add(split)
        first = self._scores.get((key, model))
        if first is None:
            self._scores[key, model] = score
        else:
            self.duplicates += 1
            self.disagreeing += first != score
        counts = self.models.setdefault((dataset, model), [0, 0.0, 0, 0])
        counts[0] += 1
        counts[1] += score
        counts[2] += cost_missing
        counts[3] += tokens_missing

    def per_model(self) -> list[ModelRow]:
        return [
            ModelRow(
                dataset=dataset,
                model=model,
                answers=int(answers),
                score=total / answers,
                costs_missing=int(costs),
                tokens_missing=int(tokens),
            )
            for (dataset, model), (answers, total, costs, tokens) in sorted(self.models.items())
        ]

    def leaks(self) -> list[Leak]:
        exact = _shared(self.text_splits)
        plain = _shared(self.plain_splits)
        texts_of_plain = {plain_text: text for text, plain_text in self.plain_of.items()}
        return [
            Leak(
                first=first,
                second=second,
                exact=len(exact.get((first, second), ())),
                normalised=len(found),
                example=self.examples[texts_of_plain[found[0]]],
            )
            for (first, second), found in sorted(plain.items())
        ]


def _shared(splits: dict[int, set[str]]) -> dict[tuple[str, str], list[int]]:
    """By pair of splits the texts that are in both."""
    found: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for text, names in splits.items():
        ordered = sorted(names)
        for index, first in enumerate(ordered):
            for second in ordered[index + 1 :]:
                found[first, second].append(text)
    return dict(found)


def _pair_row(source: Source, cheap: str, capable: str, dataset: str) -> PairRow:
    chosen = source._replace(datasets=frozenset({dataset}) if dataset else source.datasets)
    pair = aligned(chosen, cheap, capable)
    total = float(pair.weights.sum())
    unlike = float(((pair.capable_scores - pair.cheap_scores) ** 2 * pair.weights).sum()) / total
    capable_score = float((pair.capable_scores * pair.weights).sum()) / total
    return PairRow(
        cheap=cheap,
        capable=capable,
        dataset=dataset,
        prompts=len(pair),
        groups=len(pair.group_keys),
        only_cheap=pair.left_out.only_cheap,
        only_capable=pair.left_out.only_capable,
        cheap_score=float((pair.cheap_scores * pair.weights).sum()) / total,
        capable_score=capable_score,
        least=least_units(capable_score, keep=KEEP, delta=DELTA),
        usual=usual_units(capable_score, 0.5 * unlike, keep=KEEP, delta=DELTA),
    )
