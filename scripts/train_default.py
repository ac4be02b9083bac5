"""Makes the packaged default of the learned classifier; with ``--check``, only says whether it is what would be made.

``python -m scripts.train_default`` learns from the packaged queries and their packaged vectors. ``--vectors`` makes the
vectors anew first, by MiniLM (extra ``embedding`` and its weights): needed only where queries were changed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from turnout.classify.learned.artefact import CARD, MODEL, NUMBERS
from turnout.classify.learned.model import minilm_vectors
from turnout.classify.learned.packaged import packaged_artefact
from turnout.config.extras import require
from turnout.evaluate.training.default import VECTORS, learned_from, train_default, vectors_of

FILES = (MODEL, NUMBERS, CARD)


def differing(folder: Path, other: Path) -> list[str]:
    """The artefact's files that are missing in ``other`` or not the same bytes."""
    return [
        name
        for name in FILES
        if not (other / name).is_file() or (folder / name).read_bytes() != (other / name).read_bytes()
    ]


def write_vectors(path: Path) -> None:
    """Compute the vectors of the queries by MiniLM, and write them."""
    vectors = vectors_of([query.text for query in learned_from()], minilm_vectors())
    path.write_bytes(require("safetensors.numpy", extra="embedding").save({"vectors": vectors}))


def main(arguments: list[str] | None = None) -> int:
    """Make or check it; 1 where it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, end with 1 where it is out of date")
    parser.add_argument("--vectors", action="store_true", help="make the packaged vectors anew first")
    given = parser.parse_args(arguments)
    packaged = packaged_artefact()
    if given.vectors:
        write_vectors(packaged.parent / VECTORS)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "made"
        train_default(made)
        changed = differing(made, packaged)
        if given.check:
            print(f"out of date: {', '.join(changed)}" if changed else "up to date")
            return 1 if changed else 0
        packaged.mkdir(exist_ok=True)
        for name in changed:
            (packaged / name).write_bytes((made / name).read_bytes())
    print(f"written: {', '.join(changed)}" if changed else "up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
