"""Runs of a completer that needs side information: what they read, and what identifies them."""

import hashlib
import json

from command import call
from glocalk.data.datasets.synthetic import Synthetic
from glocalk.records.run import Record

MODULE = """
from glocalk.completers.baselines import Bias as Packaged

class Needing(Packaged):
    @property
    def needs(self):
        return ("user attributes", "item graph")

    def fit_matrix(self, train, context):
        super().fit_matrix(train, context)
        assert context.side.attributes("user").form("tags") == "several"
        assert context.side.graph("item").shape == (train.num_items, train.num_items)
"""
BY_CLASS = "model._target_=needing.Needing"


def folder_with_module(tmp_path):
    (tmp_path / "needing.py").write_text(MODULE)
    return tmp_path


def test_a_run_reads_it_and_its_record_says_so(tmp_path):
    folder = folder_with_module(tmp_path)
    process = call("train", BY_CLASS, "data=synthetic", cwd=folder)
    assert process.returncode == 0, process.stderr
    (path,) = folder.glob("runs/*/record.json")
    record = json.loads(path.read_text())
    split = Synthetic(Synthetic.Config()).split(tmp_path)
    assert record["side_information"] is True
    needs = ["item graph", "user attributes"]
    assert record["data_checksum"] == split.checksum  # comparable with runs from ratings alone
    assert record["side_checksum"] == split.side.checksum(needs)
    both = hashlib.sha256(f"{split.checksum} {split.side.checksum(needs)}".encode()).hexdigest()
    assert split.checksum_with(needs) == both
    assert path.parent.name == Record.read(path).folder
    again = call("train", BY_CLASS, "data=synthetic", cwd=folder)
    assert "is already in" in again.stdout + again.stderr
    plain = call("train", "model=bias", "data=synthetic", "runs_dir=plain", cwd=folder)
    assert plain.returncode == 0, plain.stderr
    (path,) = folder.glob("plain/*/record.json")
    record = json.loads(path.read_text())
    assert record["side_information"] is False
    assert record["data_checksum"] == split.checksum
    assert "side_checksum" not in record


def test_what_a_data_set_lacks_is_said_before_anything_is_trained(tmp_path):
    folder = folder_with_module(tmp_path)
    (folder / "ratings.csv").write_text(
        "user,item,rating\n" + "".join(f"{k % 5},{k % 7},{1 + k % 4}\n" for k in range(35))
    )
    for command in ("train", "tune"):
        given = [BY_CLASS, "data=csv", "data.path=ratings.csv"]
        more = ["+search.item_damping=[1.0]"] if command == "tune" else []
        process = call(command, *given, *more, cwd=folder)
        assert process.returncode == 1
        (line,) = process.stderr.splitlines()
        assert line.startswith(
            "model=needing needs user attributes and item graph beside the ratings, and there is "
            "nothing: choose another data set"
        )
