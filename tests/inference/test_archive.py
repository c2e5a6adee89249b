"""What an archive of torch may hold."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

import glocalk
import hostile
from glocalk.data.ratings import Ratings
from glocalk.errors import GlocalkError
from glocalk.inference.archive import load_archive
from inference.fitted import TEXT_IDS, TRAIN, keep

GOOD = {
    "a": torch.arange(3.0),
    "b": {"c": torch.ones(2, 2).T, "d": torch.zeros(0)},
    "e": [1, 2.5, "x", None, True],
    "f": (1, 5),
    "g": torch.tensor(1),
}


def load(tmp_path, content, rebuild=None):
    path = tmp_path / "a.pt"
    path.write_bytes(hostile.sealed(content, rebuild))
    return load_archive(path)


def test_plain_values_and_dense_tensors_are_read(tmp_path):
    found = load(tmp_path, GOOD)
    assert found["e"] == GOOD["e"]
    assert found["f"] == GOOD["f"]
    assert torch.equal(found["b"]["c"], GOOD["b"]["c"])


SHARED = torch.zeros(4)
LIST = ["x"]
CONTENTS = {
    "complex": torch.zeros(2, dtype=torch.complex64),
    "boolean": torch.zeros(2, dtype=torch.bool),
    "bfloat16": torch.zeros(2, dtype=torch.bfloat16),
    "half": torch.zeros(2, dtype=torch.half),
    "bytes": torch.zeros(2, dtype=torch.uint8),
    "sparse": torch.eye(3).to_sparse(),
    "meta": torch.zeros(10**9, device="meta"),
    "a parameter": torch.nn.Parameter(torch.zeros(2)),
    "stride 0": torch.zeros(1).expand(10**9),
    "stride 0 in one of two dimensions": torch.zeros(1, 4).expand(100, 4),
    "a view": torch.zeros(100)[:10],
    "one storage twice": [SHARED, SHARED.view(2, 2)],
    "a list in two places": [LIST, LIST],
    "a bomb of lists": None,
    "deep": None,
    "a set": {1, 2},
    "bytes of Python": bytearray(b"x"),
    "a complex number": 1j,
}
bomb = ["x"]
for _ in range(15):
    bomb = [bomb] * 10
CONTENTS["a bomb of lists"] = bomb
deep = ["x"]
for _ in range(30):
    deep = [deep]
CONTENTS["deep"] = deep


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", CONTENTS)
def test_anything_else_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"^(it|a tensor|tensors|the size of a tensor) ") as error:
        load(tmp_path, {**GOOD, "more": CONTENTS[name]})
    assert str(error.value).isprintable()


@pytest.mark.parametrize("how", ["deflated", "twice", "named", "large", "overlapping"])
def test_other_archives_are_refused(tmp_path, how):
    with pytest.raises(ValueError, match=r"archive|unpacked"):
        load(tmp_path, GOOD, how)


# A refused file takes at most 1.5 GB


def deflated(path):
    """2 MB that unpack to 2 GB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("a/data/0", "w", force_zip64=True) as member:
            for _ in range(2 * 2**10):
                member.write(bytes(2**20))
        archive.writestr("a/data.pkl", b"\x80\x02}q\x00.")
    path.write_bytes(hostile.reseal(path.read_bytes()))


def changed(path, **changes):
    content = torch.load(path, weights_only=True)
    state = {**content["state"], **changes.pop("state", {})}
    options = {**content["options"], **changes.pop("options", {})}
    path.write_bytes(hostile.sealed({**content, "state": state, "options": options, **changes}))


LARGE = {
    "deflated": ("bias", deflated),
    "stride 0": ("bias", lambda p: changed(p, state={"mean": torch.zeros(1).expand(10**10)})),
    "a shape": ("bias", lambda p: changed(p, shape=(10**9, 10**9))),
    "counts": ("bias", lambda p: changed(p, trained_counts=torch.full((60,), 2**61))),
    "hidden_size": ("sparse_fc", lambda p: changed(p, options={"hidden_size": 10**5})),
    "hidden_size of IGMC": ("igmc", lambda p: changed(p, options={"hidden_size": 10**5})),
    "layers": ("igmc", lambda p: changed(p, options={"layers": 10**6})),
    "members": (
        "igmc",
        lambda p: changed(p, options={"ensemble": {"members": 10**6, "interval": 1}}),
    ),
    "dense_size": ("igmc", lambda p: changed(p, options={"dense_size": 10**9})),
    "rank": ("svd_pp", lambda p: changed(p, options={"rank": 10**9})),
}

RATINGS = Ratings.of(TRAIN, TEXT_IDS)
FITTED = {
    "bias": glocalk.Bias,
    "svd_pp": lambda: glocalk.SVDPlusPlus(epochs=1),
    "sparse_fc": lambda: glocalk.SparseFC(hidden_size=4, train={"epochs": 1, "iterations": 1}),
    "igmc": lambda: glocalk.IGMC(
        hidden_size=4, dense_size=4, epochs=2, ensemble={"members": 2, "interval": 1}
    ),
}

MEASURE = """
import re, sys, glocalk
from pathlib import Path
from glocalk.errors import GlocalkError
for path in sys.argv[1:]:
    try:
        glocalk.load(path)
    except GlocalkError as error:
        peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
        print(peak, error)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_refused_files_take_little_memory(tmp_path):
    for name, (model, change) in LARGE.items():
        path = tmp_path / f"{name}.pt"
        FITTED[model]().fit(RATINGS).save(path)
        change(path)
    paths = [tmp_path / f"{name}.pt" for name in LARGE]
    process = subprocess.run(
        [sys.executable, "-c", MEASURE, *paths], capture_output=True, text=True, check=True
    )
    lines = process.stdout.splitlines()
    for path, line in zip(paths, lines, strict=True):
        peak, sentence = line.split(" ", 1)
        assert sentence.startswith(f"'{path}' is damaged, or not a model that glocalk saved")
        assert int(peak) / 1e6 < 1.5, path.stem


def test_a_reversed_scale_is_refused(tmp_path):
    keep(tmp_path)
    assert glocalk.load(tmp_path).trained_on.title == "tiny"
    changed(tmp_path / "model.pt", scale=(5.0, 1.0))
    with pytest.raises(GlocalkError, match="its mean lies outside its scale"):
        glocalk.load(tmp_path)
