"""What is in a table of outcomes: counts, gaps, duplicates, leakage between splits, and whether it is enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from turnout.evaluate.guarantee.threshold import least_units, usual_units
from turnout.evaluate.outcomes.content import group_keys, name_key, normalised, row_keys, text_key
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
        categories: How many categories there are.
        categories_missing: Rows without one.
        texts_in_several_files: Different texts that are in more than one of the files.
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
    categories: int
    categories_missing: int
    texts_in_several_files: int
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
    for path, batch in source.by_file():
        seen.file = source.paths.index(path)
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
                category=batch.category[row],
            )
        progress(len(batch))
    return Inspection(
        files=source.named(),
        rows=seen.rows,
        prompts=len(seen.group_of),
        texts=len(seen.plain_of),
        normalised_texts=len(seen.plain_splits),
        groups=len(set(seen.group_of.values())),
        models=len({model for _, model in seen.models}),
        datasets=dict(seen.dataset_prompts),
        splits=dict(seen.splits),
        other_columns=sorted({name for path in source.paths for name in other_columns(path)}),
        duplicates=seen.duplicates,
        disagreeing=seen.disagreeing,
        names_with_several_texts=len(seen.names_with_several_texts),
        texts_with_several_names=len(seen.texts_with_several_names),
        sampled=seen.sampled,
        categories=len(seen.categories),
        categories_missing=seen.categories_missing,
        texts_in_several_files=len(seen.texts_in_several_files),
        per_model=seen.per_model(),
        pairs=[_pair_row(source, *pair) for pair in pairs],
        leaks=seen.leaks(),
    )


class _Seen:
    """What was read so far, as hashes and small numbers: no text is kept but of what is in two splits."""

    def __init__(self) -> None:
        self.rows = self.duplicates = self.disagreeing = self.sampled = self.categories_missing = 0
        self.file = 0
        self.categories: set[tuple[str, str]] = set()
        self.texts_in_several_files: set[int] = set()
        self._file_of: dict[int, int] = {}
        self.group_of: dict[int, int] = {}
        self.splits: Counter[str] = Counter()
        self.dataset_prompts: Counter[str] = Counter()
        self.models: dict[tuple[str, str], list[float]] = {}
        self.names_with_several_texts: set[int] = set()
        self.texts_with_several_names: set[int] = set()
        self.plain_of: dict[int, int] = {}
        # By text: the splits that it is in, a bit each.
        self.text_splits: dict[int, int] = {}
        self.plain_splits: dict[int, int] = {}
        self._split_bits: dict[str, int] = {}
        self._examples: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._scores: dict[int, float] = {}
        self._text_of_name: dict[int, int] = {}
        self._name_of_text: dict[int, int] = {}

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
        category: str,
    ) -> None:
        self.rows += 1
        if category:
            self.categories.add((dataset, category))
        else:
            self.categories_missing += 1
        self.sampled += sampled
        self.splits[split] += 1
        self._take_text(prompt, split)
        if key not in self.group_of:
            self.group_of[key] = group
            self.dataset_prompts[dataset] += 1
            if name:
                self._take_name(dataset, name, text_key(prompt, None))
        answer = key << 32 | self._numbers.setdefault(model, len(self._numbers))
        first = self._scores.get(answer)
        if first is None:
            self._scores[answer] = score
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
        names = sorted(self._split_bits)
        found = []
        for index, first in enumerate(names):
            for second in names[index + 1 :]:
                both = self._split_bits[first] | self._split_bits[second]
                plain = [text for text, bits in self.plain_splits.items() if bits & both == both]
                if plain:
                    exact = sum(bits & both == both for bits in self.text_splits.values())
                    example = self._examples[plain[0]]
                    found.append(Leak(first=first, second=second, exact=exact, normalised=len(plain), example=example))
        return found

    def _take_text(self, prompt: str, split: str) -> None:
        bit = self._split_bits.setdefault(split, 1 << len(self._split_bits))
        text = text_key(prompt, None)
        if self._file_of.setdefault(text, self.file) != self.file:
            self.texts_in_several_files.add(text)
        if text not in self.plain_of:
            self.plain_of[text] = text_key(normalised(prompt), None)
        plain = self.plain_of[text]
        self.text_splits[text] = self.text_splits.get(text, 0) | bit
        bits = self.plain_splits[plain] = self.plain_splits.get(plain, 0) | bit
        if bits != bit and plain not in self._examples:
            self._examples[plain] = " ".join(prompt[:200].split())[:60]

    def _take_name(self, dataset: str, name: str, text: int) -> None:
        named = name_key(dataset, name)
        if self._text_of_name.setdefault(named, text) != text:
            self.names_with_several_texts.add(named)
        # The same text in two datasets has a name in each.
        here = name_key(dataset, str(text))
        if self._name_of_text.setdefault(here, named) != named:
            self.texts_with_several_names.add(here)


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
