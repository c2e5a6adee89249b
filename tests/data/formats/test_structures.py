"""Files in many structures: each is read exactly as it is meant, or refused in one sentence.

`pytest -m slow -s tests/data/formats/test_structures.py` prints how many were read.
"""

from collections import Counter

import pytest

from data.structures import make
from data.tables import everything, split
from glocalk.errors import GlocalkError

FILES = 2000
FEW = 150


def outcome(seed, path):
    """What became of the file of a seed: "read", "refused", or what is wrong with it."""
    made = make(seed)
    path.write_bytes(made.content)
    try:
        read = everything(split(path, **made.options))
    except GlocalkError as error:
        sentence = str(error)
        if "\n" in sentence or not sentence:
            return made, f"not one sentence: {sentence!r}"
        return made, "refused" if made.must != "read" else f"refused: {sentence}"
    if read != made.truth:
        return made, f"wrong: {len(read)} ratings read, {len(made.truth)} in the file"
    return made, "read" if made.must != "refuse" else "read against the evidence"


def campaign(seeds, path):
    counts, wrong = Counter(), []
    for seed in seeds:
        made, became = outcome(seed, path)
        counts[made.features[0], became if became in ("read", "refused") else "wrong"] += 1
        if became not in ("read", "refused"):
            wrong.append(f"seed {seed}: {became} ({', '.join(made.features)}; {made.options})")
    assert not wrong, "\n".join(wrong[:40])
    return counts


def test_a_few_files_of_every_structure(tmp_path):
    counts = campaign(range(FEW), tmp_path / "r")
    for kind in ("header", "no names", "matrix"):
        assert counts[kind, "read"] > counts.total() / 30


@pytest.mark.slow
def test_files_of_every_structure(tmp_path, capsys):
    counts = campaign(range(FILES), tmp_path / "r")
    with capsys.disabled():
        print("\nstructures:", ", ".join(f"{' '.join(k)} {n}" for k, n in sorted(counts.items())))
    assert counts.total() == FILES
    assert sum(n for (_, became), n in counts.items() if became == "read") > FILES / 2
