"""Records of schema 1, written out by hand, and what the migration makes of them."""

import hashlib
import json
from pathlib import Path

import pytest

from glocalk.errors import GlocalkError
from glocalk.records.migrate import migrate_folder, migrate_record, migrate_search
from glocalk.records.run import Record
from glocalk.records.search import Search


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


OLD = {
    "format": 1,
    "status": "done",
    "failure": None,
    "experiment": "table1",
    "data": "ml_1m",
    "split": "90:10 seed 1234",
    "train_share": 1.0,
    "model": "graphrec",
    "variant": "model.factors=4,model.regularisation=0.5,protocol.training_1=lowest_seed",
    "settings_from": "paper",
    "side_information": False,
    "seed": 3,
    "deterministic": False,
    "budget": 0.25,
    "config": {
        "experiment": "table1",
        "variant": "model.factors=4,model.regularisation=0.5,protocol.training_1=lowest_seed",
        "data": {"name": "ml_1m", "_target_": "glocalk.data.movielens.MovieLens1M"},
        "model": {
            "name": "graphrec",
            "_target_": "glocalk.completers.graphrec.GraphRec",
            "factors": 4,
            "regularisation": 0.5,
            "inner": {"bias_regularisation": 20.0, "neighbours": 2},
        },
        "protocol": {"training_1": "lowest_seed", "clip": True},
    },
    "config_hash": "0" * 64,
    "data_checksum": "d0d0",
    "model_version": 2,
    "commit": "abc",
    "dirty": False,
    "versions": {"torch": "2"},
    "threads": 1,
    "device": "cpu",
    "parameters": 7,
    "seconds": {
        "total": 3.25,
        "training_1": 1.25,
        "training_1/train": 1.25,
        "training_2": 2.0,
        "training_2/evaluation": 0.5,
    },
    "peak_rss_mb": 100.5,
    "curves": {
        name: {
            "stage": ["train"],
            "epoch": [1],
            "loss": [0.5],
            "valid_rmse": [valid],
            "test_rmse": [0.91],
            "test_mae": [0.71],
            "test_ndcg": [None],
        }
        for name, valid in (("training_1", 0.95), ("training_2", None))
    },
    "protocols": {
        name: {
            "training": training,
            "rmse": 0.91,
            "mae": 0.71,
            "ndcg": None,
            "rmse_epoch": 1,
            "mae_epoch": 1,
            "ndcg_epoch": 1,
            "user_errors": f"training_{training}/train/1",
        }
        for name, training in (("held_out", 1), ("last", 2))
    },
    "validated_epoch_from_seed": None,
    "user_counts": [1, 2],
    "user_errors": {"training_1/train/1": [0.4843, 2.0], "training_2/train/1": [2.0, 0.4843]},
}
VARIANT = "model.rank=4,model.regularization=0.5,protocol.selection=lowest_seed"
NEW_CONFIG = {
    "experiment": "table1",
    "variant": VARIANT,
    "data": {"name": "ml_1m"},
    "model": {
        "name": "graphrec",
        "rank": 4,
        "regularization": 0.5,
        "inner": {"bias_regularization": 20.0, "neighbors": 2},
    },
    "protocol": {"selection": "lowest_seed", "clip": True},
}
# Sorted names, no spaces, and 20.0 as 20.
NEW_HASH = sha(
    '{"data":{"name":"ml_1m"},"experiment":"table1","model":{"inner":{"bias_regularization":20,'
    '"neighbors":2},"name":"graphrec","rank":4,"regularization":0.5},"protocol":{"clip":true,'
    f'"selection":"lowest_seed"}},"variant":"{VARIANT}"}}'
)
RENAMED = {
    "schema_version": 2,
    "variant": VARIANT,
    "config": NEW_CONFIG,
    "config_hash": NEW_HASH,
    "seconds": {
        "total": 3.25,
        "selection": 1.25,
        "selection/train": 1.25,
        "final": 2.0,
        "final/evaluation": 0.5,
    },
    "curves": {
        "selection": OLD["curves"]["training_1"],
        "final": OLD["curves"]["training_2"],
    },
    "protocols": {
        "held_out": {
            **OLD["protocols"]["held_out"],
            "training": "selection",
            "user_errors": "selection/train/1",
        },
        "last": {
            **OLD["protocols"]["last"],
            "training": "final",
            "user_errors": "final/train/1",
        },
    },
    "user_errors": {"selection/train/1": [0.4843, 2.0], "final/train/1": [2.0, 0.4843]},
}
NEW = {**{name: value for name, value in OLD.items() if name != "format"}, **RENAMED}
KEY = sha(f'{{"config":"{NEW_HASH}","data":"d0d0","model_version":2}}')[:12]
FOLDER = f"ml_1m-graphrec-{KEY}-seed3"

OLD_SEARCH = {
    "format": 1,
    "data": "ml_1m",
    "model": "igmc",
    "seed": 0,
    "config": {
        "variant": "default",
        "data": {"name": "ml_1m"},
        "model": {"name": "igmc", "_target_": "glocalk.completers.igmc.IGMC", "max_neighbours": 9},
    },
    "space": {"max_neighbours": [3, 9], "base.regularisation": {"low": 0.1, "high": 1.0}},
    "identity": "0",
    "data_checksum": "d0d0",
    "model_version": 1,
    "commit": None,
    "dirty": True,
    "versions": {},
    "threads": 2,
    "trials": [
        {
            "options": {"max_neighbours": 9, "base.regularisation": 0.5},
            "state": "done",
            "valid_rmse": 0.9,
            "epoch": 2,
            "seconds": 1.5,
        }
    ],
}
NEW_SEARCH = {
    **{name: value for name, value in OLD_SEARCH.items() if name != "format"},
    "schema_version": 2,
    "config": {
        "variant": "default",
        "data": {"name": "ml_1m"},
        "model": {"name": "igmc", "aggregation": "sum", "max_neighbors": 9},
    },
    "space": {"max_neighbors": [3, 9], "base.regularization": {"low": 0.1, "high": 1.0}},
    "identity": sha(
        '{"config":{"data":{"name":"ml_1m"},"model":{"aggregation":"sum","max_neighbors":9,'
        '"name":"igmc"},'
        '"variant":"default"},"data":"d0d0","model_version":1,"seed":0,'
        '"space":{"base.regularization":{"high":1,"low":0.1},"max_neighbors":[3,9]}}'
    ),
    "trials": [
        {
            **OLD_SEARCH["trials"][0],
            "options": {"max_neighbors": 9, "base.regularization": 0.5},
        }
    ],
}


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_record_of_schema_1_becomes_schema_2():
    assert migrate_record(OLD) == NEW
    assert Record.model_validate(NEW).model_dump() == NEW


def test_a_search_of_schema_1_becomes_schema_2():
    assert migrate_search(OLD_SEARCH) == NEW_SEARCH
    assert Search.model_validate(NEW_SEARCH).model_dump() == NEW_SEARCH


def test_current_records_and_searches_stay_as_they_are():
    assert migrate_record(NEW) == NEW
    assert migrate_search(NEW_SEARCH) == NEW_SEARCH


def test_a_failed_record_is_migrated_too():
    failure = {"message": "The training diverged.", "traceback": "Traceback"}
    empty = {"curves": {}, "protocols": {}, "user_errors": {}, "seconds": {"total": 0.0}}
    new = migrate_record({**OLD, **empty, "status": "failed", "failure": failure})
    record = Record.model_validate(new)
    assert (record.status, record.failure.message) == ("failed", "The training diverged.")
    assert record.config_hash == NEW_HASH


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("default", "default"),
        ("model.max_neighbours=30", "model.max_neighbors=30"),
        ("+model.sgd.regularisation=1", "+model.sgd.regularization=1"),
        ("model.factors=4,model.epochs=2", "model.epochs=2,model.rank=4"),  # sorted again
        ("model.x=[1,neighbours],model.neighbours=3", "model.neighbors=3,model.x=[1,neighbours]"),
    ],
)
def test_overrides_are_renamed_and_sorted(old, new):
    config = {**OLD["config"], "variant": old}
    migrated = migrate_record({**OLD, "variant": old, "config": config})
    assert migrated["variant"] == migrated["config"]["variant"] == new


def test_run_folders_get_the_name_of_their_new_hash(tmp_path):
    put(tmp_path / "ml_1m-graphrec-0ld-seed3" / "record.json", OLD)
    put(tmp_path / "ml_1m-graphrec-0ld-seed3" / "model.pt", "weights")
    said = migrate_folder(tmp_path)
    assert said == [
        f"Migrated: '{tmp_path}/ml_1m-graphrec-0ld-seed3/record.json' to schema 2.",
        f"Renamed: '{tmp_path}/ml_1m-graphrec-0ld-seed3' to '{tmp_path}/{FOLDER}'.",
    ]
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER]
    assert json.loads((tmp_path / FOLDER / "record.json").read_text()) == NEW
    assert (tmp_path / FOLDER / "model.pt").read_text() == "weights"


def test_a_second_migration_changes_nothing(tmp_path):
    put(tmp_path / "old" / "record.json", OLD)
    put(tmp_path / "searches" / "ml_1m-igmc" / "search.json", OLD_SEARCH)
    assert len(migrate_folder(tmp_path)) == 3
    once = snapshot(tmp_path)
    assert migrate_folder(tmp_path) == []
    assert snapshot(tmp_path) == once


def test_a_folder_is_not_renamed_onto_another(tmp_path):
    put(tmp_path / "a-old" / "record.json", OLD)
    put(tmp_path / FOLDER / "model.pt", "another run's")
    said = migrate_folder(tmp_path)
    assert (
        said[1] == f"Not renamed: '{tmp_path}/a-old', because '{tmp_path}/{FOLDER}' exists already."
    )
    assert json.loads((tmp_path / "a-old" / "record.json").read_text()) == NEW
    assert (tmp_path / FOLDER / "model.pt").read_text() == "another run's"


def test_committed_records_keep_their_places(tmp_path):
    put(tmp_path / "table1" / "ml_1m" / "graphrec" / "seed_3.json", OLD)
    migrate_folder(tmp_path)
    assert list(snapshot(tmp_path)) == [tmp_path / "table1" / "ml_1m" / "graphrec" / "seed_3.json"]


def test_damaged_and_foreign_files_are_left_alone(tmp_path):
    part = {name: value for name, value in OLD.items() if name != "protocols"}
    put(tmp_path / "a" / "record.json", json.dumps(OLD)[:300])
    put(tmp_path / "b" / "record.json", part)
    put(tmp_path / "c" / "record.json", {**OLD, "seconds": {"total": -1.0}})
    put(tmp_path / "d" / "other.json", {"format": 3})
    put(tmp_path / "e" / "list.json", [1, 2])
    (tmp_path / "e" / "binary.json").write_bytes(b"\xff\x00")
    before = snapshot(tmp_path)
    said = migrate_folder(tmp_path)
    assert snapshot(tmp_path) == before
    assert said == [
        f"Left alone: '{tmp_path}/b/record.json' is not a complete record ('protocols' is missing "
        "or unknown).",
        f"Left alone: '{tmp_path}/c/record.json' is not a complete record (seconds.total: input "
        "should be greater than or equal to 0).",
    ]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(GlocalkError, match=r"There is no folder '.*none' to migrate\."):
        migrate_folder(tmp_path / "none")


def test_the_present_folder_is_renamed_too(tmp_path, monkeypatch):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "record.json").write_text(json.dumps(OLD))
    monkeypatch.chdir(tmp_path / "old")
    migrate_folder(Path())
    (path,) = tmp_path.glob("*/record.json")
    assert path.parent.name == Record.read(path).folder
