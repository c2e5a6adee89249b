"""The model file: written whole, read without executing anything, refused when damaged."""

import io
import os
import pickle
import resource
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import glocalk
from glocalk.errors import GlocalkError
from glocalk.files import seal_zip
from inference.fitted import (
    EXPECTED,
    NUM_ITEMS,
    NUM_USERS,
    NUMBER_IDS,
    TEXT_IDS,
    TRAIN,
    fitted,
    keep,
)
from report.factory import record


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with a good run in `runs/good`."""
    keep(tmp_path / "runs" / "good")
    (tmp_path / "runs" / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("ids", [TEXT_IDS, NUMBER_IDS, None], ids=["text", "numbers", "none"])
@pytest.mark.parametrize("clip", [True, False])
def test_a_loaded_model_predicts_as_the_saved_one(ids, clip, tmp_path):
    saved = fitted(ids=ids, clip=clip)
    saved.save(tmp_path / "a.pt")
    loaded = glocalk.load(tmp_path / "a.pt")
    assert type(loaded) is type(saved)
    assert loaded.config == saved.config
    assert loaded.clip is clip
    assert loaded.trained_on.title == "tiny"
    assert loaded.trained_on.scale == (1, 5)
    users, items = saved.trained_on.ids.users, saved.trained_on.ids.items
    assert loaded.trained_on.ids.users.tolist() == users.tolist()
    assert loaded.trained_on.ids.items.tolist() == items.tolist()
    predicted = loaded.predict(users, np.full(len(users), items[4]))
    expected = np.clip(EXPECTED[:, 4], 1, 5) if clip else EXPECTED[:, 4]
    assert predicted == pytest.approx(expected)
    assert loaded.top(n=3).equals(saved.top(n=3))


def test_a_run_is_loaded_by_its_folder_and_a_file_from_anywhere(place):
    assert glocalk.load("runs/good").trained_on.title == "tiny"
    (place / "runs" / "good" / "model.pt").rename(place / "mine.pt")
    assert glocalk.load("mine.pt").trained_on.title == "tiny"


@pytest.mark.usefixtures("place")
def test_an_unknown_run_is_refused_with_the_nearest_ones():
    with pytest.raises(GlocalkError, match="Unknown run 'runs/god': did you mean 'runs/good'"):
        glocalk.load("runs/god")


def test_a_failed_run_keeps_no_model(place):
    record(status="failed").write(place / "runs" / "other" / "record.json")
    with pytest.raises(GlocalkError, match=r"'runs/other' has no 'model\.pt', because it failed"):
        glocalk.load("runs/other")


def test_a_file_holds_the_options_and_few_bytes_more_than_the_numbers(place):
    path = place / "runs" / "good" / "model.pt"
    content = torch.load(path, weights_only=True)
    assert content["format"] == 2
    assert content["class_name"] == "glocalk.Bias"
    assert content["options"] == {"item_damping": 0.5, "user_damping": 0.25, "joint": False}
    numbers = NUM_USERS + NUM_ITEMS
    labels = sum(map(len, [*TEXT_IDS.users, *TEXT_IDS.items])) + 8 * numbers
    assert path.stat().st_size < 8 * (2 * numbers + len(TRAIN)) + labels + 8000


def test_of_a_view_only_the_view_is_written(tmp_path):
    completer = fitted(ids=None)
    completer.save(tmp_path / "whole.pt")
    state = completer.state()
    padded = {name: torch.cat([part.ravel(), torch.zeros(100_000)]) for name, part in state.items()}
    views = {name: padded[name][: part.numel()].reshape(part.shape) for name, part in state.items()}
    completer.state = lambda: views
    completer.save(tmp_path / "views.pt")
    sizes = [(tmp_path / name).stat().st_size for name in ("whole.pt", "views.pt")]
    assert sizes[1] == pytest.approx(sizes[0], abs=1000)


# Damaged and foreign files


class Bomb:
    """Unpickled, it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def changed(folder, **changes):
    """Change entries of a model file; None removes one."""
    content = torch.load(folder / "model.pt", weights_only=True) | changes
    rewrite(folder, {key: part for key, part in content.items() if part is not None})


def rewrite(folder, content):
    """Write a model file that is not damaged, whatever its content."""
    torch.save(content, folder / "model.pt")
    seal_zip(folder / "model.pt")


def flip(folder):
    """Change one byte of the item biases."""
    path = folder / "model.pt"
    content = bytearray(path.read_bytes())
    offsets = torch.load(path, weights_only=True)["state"]["item_biases"].numpy().tobytes()
    content[content.index(offsets) + 21] ^= 1
    path.write_bytes(content)


def state(**changes):
    def change(folder):
        old = torch.load(folder / "model.pt", weights_only=True)["state"]
        changed(folder, state={**old, **changes})

    return change


DAMAGES = {
    "truncated": lambda f: os.truncate(f / "model.pt", 900),
    "empty": lambda f: os.truncate(f / "model.pt", 0),
    "one bit": flip,
    "text": lambda f: (f / "model.pt").write_text("a model"),
    "another file of torch": lambda f: rewrite(f, [1, 2]),
    "an entry is missing": lambda f: changed(f, scale=None),
    "an entry too many": lambda f: changed(f, more=1),
    "another shape": lambda f: changed(f, shape=(NUM_USERS, NUM_ITEMS + 1)),
    "items beyond the shape": lambda f: changed(
        f, trained_items=torch.full((len(TRAIN),), NUM_ITEMS)
    ),
    "counts that are complex numbers": lambda f: changed(
        f, trained_counts=torch.zeros(NUM_USERS, dtype=torch.complex64)
    ),
    "ids that are not whole numbers": lambda f: changed(f, users=torch.rand(NUM_USERS)),
    "a format that is a tensor": lambda f: changed(f, format=torch.zeros(2)),
    "an id twice": lambda f: changed(f, items=["x"] * NUM_ITEMS),
    "an unknown option": lambda f: changed(f, options={"damping": 1.0}),
    "an unknown class": lambda f: changed(f, class_name="glocalk.completers.baselines.Nothing"),
    "a class that is not a completer": lambda f: changed(
        f, class_name="glocalk.completers.base.Path"
    ),
    "a state of another shape": state(item_biases=torch.zeros(3)),
    "a state that is not finite": state(mean=torch.tensor(torch.nan)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_file_is_refused(damage, place):
    DAMAGES[damage](place / "runs" / "good")
    with pytest.raises(GlocalkError) as error:
        glocalk.load("runs/good")
    sentence = str(error.value)
    assert sentence.startswith("'runs/good/model.pt' is damaged, or not a model that glocalk saved")
    assert sentence.endswith("train it again (force=true replaces a run).")
    assert "\n" not in sentence


def test_a_folder_cannot_be_read_as_a_model_file(place):
    (place / "runs" / "other" / "model.pt").mkdir()
    with pytest.raises(GlocalkError, match=r"The model 'runs/other/model\.pt' cannot be read: Is"):
        glocalk.load("runs/other")


def test_other_versions_are_named(place):
    folder = place / "runs" / "good"
    changed(folder, model_version=0)
    with pytest.raises(GlocalkError, match="holds version 0 of Bias, which is at version 1 here"):
        glocalk.load(folder)


@pytest.mark.parametrize("number", [1, 3])
def test_a_file_of_another_format_is_refused_with_what_to_do(number, place):
    old = {"_target_": "glocalk.completers.baselines.Bias", "item_damping": 0.5}
    changed(place / "runs" / "good", format=number, model=old, class_name=None)
    with pytest.raises(
        GlocalkError,
        match=f"has format {number}, but this version of glocalk reads format 2: train the model "
        "again, or use the version that wrote it",
    ):
        glocalk.load("runs/good")


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain pickle", "in torch's archive"])
def test_no_code_in_a_file_is_executed(wrapped, place):
    bomb, path = Bomb(place / "exploded"), place / "runs" / "good" / "model.pt"
    content = {**torch.load(path, weights_only=True), "more": bomb}
    if wrapped:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(GlocalkError, match="is damaged, or not a model"):
        glocalk.load("runs/good")
    assert not bomb.path.exists()
    pickle.load(io.BytesIO(pickle.dumps(bomb)))
    assert bomb.path.exists(), "the bomb does not work"


def test_no_module_is_imported_because_a_file_names_it(place, monkeypatch):
    (place / "trap.py").write_text(
        "from glocalk.completers.baselines import Bias as Caught\nopen('exploded', 'w').close()\n"
    )
    monkeypatch.syspath_prepend(place)
    changed(place / "runs" / "good", class_name="trap.Caught")
    with pytest.raises(
        GlocalkError, match="a class outside glocalk: if you trust it, import 'trap' before"
    ):
        glocalk.load("runs/good")
    assert not (place / "exploded").exists()
    try:
        __import__("trap")  # a user's own completer: whoever imports it trusts it
        assert glocalk.load("runs/good").trained_on.title == "tiny"
    finally:
        sys.modules.pop("trap", None)


def test_a_full_disk_is_told_in_one_sentence_and_the_previous_file_stays(tmp_path):
    split = glocalk.load_split("synthetic", users=100, items=80, ratings=3000)
    model = glocalk.Bias().fit(split.train)
    path = tmp_path / "model.pt"
    model.save(path)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        for size in range(0, len(before), len(before) // 24):  # what a full disk leaves of it
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
            with pytest.raises(GlocalkError, match=r"model\.pt' cannot be written: File too large"):
                model.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.pt"]
