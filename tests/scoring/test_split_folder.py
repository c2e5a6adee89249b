"""The split of a data set as files: those of a run, all of them or nothing."""

import json

import numpy as np
import pandas as pd
import pytest

import glocalk
import glocalk.scoring.split_folder
from command import call
from glocalk.errors import GlocalkError
from glocalk.run.revealing import reveal
from glocalk.scoring.split_folder import write_split
from scoring.outside import ON_COMMAND_LINE, small_split

SPLIT = small_split()


def write(folder, split=SPLIT, seed=0, form="csv"):
    return write_split(split, folder, data="synthetic", share=0.05, seed=seed, form=form)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_files_hold_what_a_run_of_the_seed_uses(form, tmp_path):
    assert write(tmp_path / "s", seed=3, form=form)
    held_out = SPLIT.hold_out(0.05, 3)
    read = getattr(pd, f"read_{form}")
    for part in ("train", "valid", "test"):
        table = read(tmp_path / "s" / f"{part}.{form}")
        expected = getattr(held_out, part)
        assert list(table.columns) == ["user", "item", "rating"]
        assert table["user"].tolist() == expected.ids.users[expected.users].tolist()
        assert table["item"].tolist() == expected.ids.items[expected.items].tolist()
        assert table["rating"].tolist() == expected.ratings.tolist()
    facts = json.loads((tmp_path / "s" / "split.json").read_text())
    assert facts["data_checksum"] == SPLIT.checksum
    assert (facts["train"], facts["valid"], facts["test"]) == (256, 14, 30)
    assert (facts["seed"], facts["valid_share"], facts["scale"]) == (3, 0.05, [1, 5])


def test_ids_and_ratings_are_exact(tmp_path):
    values = [1 / 3, 0.1, 2.5, 1e-7, 5.0, 2.0]
    users = ["a,b", 'say "x"', "ü", "7", "x y", "a,b"]
    ratings = glocalk.Ratings.from_arrays(users, [1, 2, 3, 4, 5, 6], values)
    split = glocalk.Split("by hand", ratings.select(range(5)), ratings.select([5]))
    write(tmp_path / "s", split)
    parts = [
        glocalk.load_split("csv", path=str(tmp_path / "s" / f"{part}.csv"), test_share=0.5)
        for part in ("train",)
    ]
    found = pd.concat([part.to_frame() for part in (parts[0].train, parts[0].test)])
    expected = split.hold_out(0.05, 0).train.to_frame()
    assert {*found.itertuples(index=False, name=None)} == {
        *expected.itertuples(index=False, name=None)
    }


def test_a_folder_that_holds_the_split_is_left_and_any_other_is_refused(tmp_path):
    folder = tmp_path / "s"
    folder.mkdir()
    assert write(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert not write(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    with pytest.raises(GlocalkError, match=r"holds another split \(its seed is 0, not 1\)"):
        write(folder, seed=1)
    with pytest.raises(GlocalkError, match="holds this split in another format"):
        write(folder, form="parquet")
    (folder / "test.csv").write_text("user,item,rating\n1,1,1\n")
    with pytest.raises(GlocalkError, match=r"test\.csv' is missing or was changed"):
        write(folder)
    (folder / "split.json").write_text("{")
    with pytest.raises(GlocalkError, match=r"split\.json' cannot be read"):
        write(folder)
    (folder / "split.json").unlink()
    with pytest.raises(GlocalkError, match=r"is not empty and holds no split\.json"):
        write(folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(GlocalkError, match="file' cannot be written"):
        write(tmp_path / "file")


def test_nothing_is_left_of_a_split_that_could_not_be_written(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(glocalk.scoring.split_folder, "to_json", full)
    with pytest.raises(GlocalkError, match="s' cannot be written: No space left on device"):
        write(tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_a_cold_start_and_trains_on_it_like_a_run(tmp_path):
    options = [*ON_COMMAND_LINE, "protocol.cold_start=items", "seed=1"]
    process = call("split", *options, "out=a b, c", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "Made 'a b, c' with " in process.stdout
    folder = tmp_path / "a b, c"
    parts = {name: pd.read_csv(folder / f"{name}.csv") for name in ("train", "valid", "test")}
    items = {name: {*table["item"]} for name, table in parts.items()}
    assert not items["train"] & items["test"]
    assert not items["train"] & items["valid"]
    expected = SPLIT.cold_start("items", 0.1, 0)
    assert json.loads((folder / "split.json").read_text())["data_checksum"] == expected.checksum
    np.testing.assert_array_equal(parts["test"]["rating"], expected.test.ratings)
    assert "holds this split already" in call("split", *options, "out=a b, c", cwd=tmp_path).stdout
    process = call("split", *options, "format=xls", "out=x", cwd=tmp_path)
    assert (process.returncode, process.stderr.count("\n")) == (1, 1)


def test_ratings_to_fold_in_have_a_file_of_their_own(tmp_path):
    big = glocalk.load_split("synthetic", users=40, items=30, ratings=700)
    cold = big.cold_start("users", 0.2, 0)
    folded, trained = (reveal(cold, "users", 2, 0, fold_in=way) for way in (True, False))
    assert write(tmp_path / "s", folded)
    table = pd.read_csv(tmp_path / "s" / "revealed.csv")
    whole = [(*row,) for row in pd.read_csv(tmp_path / "s" / "train.csv").itertuples(index=False)]
    assert table.groupby("user").size().tolist() == [2] * len(np.unique(folded.test.users))
    facts = json.loads((tmp_path / "s" / "split.json").read_text())
    assert facts["revealed"] == len(table)
    assert not {(*row,) for row in table.itertuples(index=False)} & {*whole}
    with pytest.raises(GlocalkError, match="holds another split"):
        write(tmp_path / "s", reveal(cold, "users", 3, 0, fold_in=True))
    assert write(tmp_path / "t", trained)
    assert not (tmp_path / "t" / "revealed.csv").exists()
