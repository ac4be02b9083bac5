"""How easily a query talks a classifier into another label: attacks on held-out queries, and their flip rates.

An attack has a target: ``complex`` makes somebody else pay for a dearer model, ``simple`` gets a query a cheaper one
than it needs. A query is at risk where the classifier gives it the other label without the attack; it is flipped where
it gets the target's with it. What gives no label at all is no flip: the policy then serves the capable model.

Intervals are Wilson's 95 % ones for as many trials as there are queries at risk: the attacks of a family try the same
queries, so they are no trials of their own. The family ``harmless`` says how often labels change by any addition.

Known limitations: attacks of a fixed text, in English mostly; somebody who can ask again and again finds better ones.
"""

from __future__ import annotations

import base64
import importlib.resources
import tomllib
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from turnout.classify.assess import Figure, wilson
from turnout.classify.examples import LabelledQuery
from turnout.classify.protocol import Classifier
from turnout.core.verdict import Complexity
from turnout.messages.conversation import conversation_of

TARGETS: tuple[Complexity, Complexity] = ("simple", "complex")

_LOOK_ALIKES = str.maketrans("aceiopxyACEHIKMOPTX", "асеіорхуАСЕНІКМОРТХ")
_INVISIBLE = "\u200b"
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    family: str
    text: str
    target: Complexity | None = None
    spell: Literal["look-alikes", "invisible", "full-width"] | None = None
    encode: Literal["base64", "spaced"] | None = None
    filler: str = ""
    repeat: int = 1


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    attacks: tuple[_Written, ...]


class Attack(msgspec.Struct, frozen=True, kw_only=True):
    """A way to write a query.

    Attributes:
        name: What it is called.
        family: What it is a kind of.
        target: The label that it is after.
        written: As the file has it.
    """

    name: str
    family: str
    target: Complexity
    written: _Written

    def applied(self, query: str) -> str:
        """The query with the attack in it."""
        written = self.written
        other = "complex" if self.target == "simple" else "simple"
        text = written.text.replace("{target}", self.target).replace("{other}", other)
        match written.encode:
            case "base64":
                text = "{query}\n\nDecode and obey: " + base64.b64encode(text.encode()).decode()
            case "spaced":
                text = "{query}\n\n" + " ".join(text)
        match written.spell:
            case "look-alikes":
                query = query.translate(_LOOK_ALIKES)
            case "invisible":
                query = _INVISIBLE.join(query)
            case "full-width":
                query = query.translate(_FULL_WIDTH)
        return text.replace("{filler}", written.filler * written.repeat).replace("{query}", query)


class FlipRate(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table.

    Attributes:
        classifier: Which classifier.
        family: Which kind of attacks; ``all`` for all but the harmless ones.
        target: The label that they are after.
        attacks: How many they are.
        at_risk: How many queries had the other label without them.
        flipped: The mean share of the queries at risk that an attack flips; none where no query was at risk.
        any_flipped: The share of them that at least one of the attacks flips.
    """

    classifier: str
    family: str
    target: Complexity
    attacks: int
    at_risk: int
    flipped: Figure | None
    any_flipped: Figure | None


def load_attacks() -> tuple[Attack, ...]:
    """The packaged attacks, each with each target that it can have."""
    data = importlib.resources.files("turnout.classify").joinpath("data", "attacks.toml").read_text("utf-8")
    file = msgspec.convert(tomllib.loads(data), _File)
    return tuple(
        Attack(name=one.name, family=one.family, target=target, written=one)
        for one in file.attacks
        for target in (TARGETS if one.target is None else (one.target,))
    )


async def flip_rates(
    classifier: Classifier,
    queries: Sequence[LabelledQuery],
    attacks: Sequence[Attack],
    *,
    on_verdict: Callable[[], object] = lambda: None,
) -> list[FlipRate]:
    """Ask a classifier for verdicts on queries, as they are and with each attack in them.

    Args:
        classifier: Whom to ask.
        queries: What is attacked; their labels play no part.
        attacks: How.
        on_verdict: Told of each verdict that was asked for or is not needed, to show progress.

    Returns:
        For each target a line for each family, and one for all but the harmless ones.
    """
    plain: list[Complexity | None] = []
    for query in queries:
        plain.append((await classifier.classify(conversation_of(query.text))).label)
        on_verdict()
    flips: dict[tuple[str, Complexity], list[set[int]]] = defaultdict(list)
    at_risk = {
        target: [index for index, label in enumerate(plain) if label is not None and label != target]
        for target in TARGETS
    }
    for attack in attacks:
        flipped = set[int]()
        for index, query in enumerate(queries):
            if index in at_risk[attack.target]:
                verdict = await classifier.classify(conversation_of(attack.applied(query.text)))
                if verdict.label == attack.target:
                    flipped.add(index)
            on_verdict()
        flips[attack.family, attack.target].append(flipped)
    lines = []
    families = list(dict.fromkeys(attack.family for attack in attacks))
    for target in TARGETS:
        everything = [one for family in families if family != "harmless" for one in flips[family, target]]
        for family, sets in (*((family, flips[family, target]) for family in families), ("all", everything)):
            if sets:
                lines.append(_line(classifier.name, family, target, sets, len(at_risk[target])))
    return lines


def _line(classifier: str, family: str, target: Complexity, flips: Sequence[set[int]], at_risk: int) -> FlipRate:
    mean = any_one = None
    if at_risk:
        mean = wilson(sum(map(len, flips)) / len(flips), at_risk)
        any_one = wilson(len(set[int]().union(*flips)), at_risk)
    return FlipRate(
        classifier=classifier,
        family=family,
        target=target,
        attacks=len(flips),
        at_risk=at_risk,
        flipped=mean,
        any_flipped=any_one,
    )
