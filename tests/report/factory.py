"""Made-up records, small enough to compute every expectation by hand."""

import json

from glocalk.records.identity import config_hash, search_identity
from glocalk.records.run import Curves, Failure, ProtocolResult, Record
from glocalk.records.search import Search, Trial

README = "# Title\n\n<!-- table1:begin -->\nold\n<!-- table1:end -->\n\nAfter.\n"
COSTS = "# Costs\n\n<!-- costs:begin -->\n<!-- costs:end -->\n"


def result(rmse, epoch=None, training="final"):
    return ProtocolResult(
        training=training,
        rmse=rmse,
        mae=rmse - 0.2,
        ndcg=0.9,
        rmse_epoch=epoch,
        mae_epoch=epoch,
        ndcg_epoch=epoch,
        user_errors="key",
    )


def curves(test, valid=None, stages=(2, 3)):
    """Errors of two stages laid one after the other, of so many epochs."""
    return Curves(
        stage=["pretrain"] * stages[0] + ["finetune"] * stages[1],
        epoch=[*range(1, stages[0] + 1), *range(1, stages[1] + 1)],
        loss=[None] * len(test),
        valid_rmse=valid or [None] * len(test),
        test_rmse=test,
        test_mae=test,
        test_ndcg=[None] * len(test),
    )


def record(
    best=0.89, validated=0.9, last=0.91, held_out=0.92, official=None, options=None, **changes
):
    """A done run of GLocal-K on ML-100K; a float per protocol, `held_out` None leaves it out.

    `options` are those of the model, and make another config of it.
    """
    protocols = {
        "best_test": result(best, 2),
        "validated": result(validated, 1),
        "last": result(last, 3),
        "official": result(best if official is None else official, 2),
    }
    if held_out is not None:
        protocols["held_out"] = result(held_out, 1, training="selection")
    fields = {
        "status": "done",
        "experiment": "table1",
        "data": "ml_100k",
        "split": "u1",
        "train_share": 1.0,
        "model": "glocal_k",
        "variant": "default",
        "settings_from": "paper",
        "side_information": False,
        "seed": 0,
        "deterministic": False,
        "data_checksum": "d0d0",
        "model_version": 1,
        "commit": "abc123",
        "dirty": False,
        "versions": {},
        "threads": 2,
        "device": "cpu",
        "parameters": 1000,
        "seconds": {"total": 60.0, "selection": 35.0, "final": 25.0},
        "peak_rss_mb": 512.25,
        "protocols": protocols,
        "user_counts": [3, 1],
    }
    fields |= changes
    labels = ("experiment", "variant", "settings_from", "train_share")
    config = {name: fields[name] for name in labels} | {
        "data": {"name": fields["data"]},
        "model": {"name": fields["model"], **(options or {})},
    }
    protocols = {
        name: made.model_copy(update={"user_errors": f"{made.training}/{name}"})
        for name, made in fields["protocols"].items()
    }
    one, *others = fields["user_counts"]
    errors = {
        made.user_errors: [made.rmse**2 * (one + sum(others)), *[0.0] * len(others)]
        for made in protocols.values()
    }
    fields |= {"protocols": protocols, "user_errors": errors}
    return Record(**{"config": config, "config_hash": config_hash(config), **fields})


def baseline(model="bias", rmse=0.9437, **changes):
    """A done run of a deterministic model without epochs."""
    names = ("best_test", "validated", "last", "official")
    protocols = {name: result(rmse) for name in names}
    return record(**{"model": model, "deterministic": True, "protocols": protocols, **changes})


def failed(**changes):
    failure = Failure(message="The training\ndiverged.", traceback="Traceback")
    return record(**{"status": "failed", "failure": failure, "protocols": {}, **changes})


def search(experiment="tuning", **changes):
    """Four trials of a rank of Biased MF on ML-100K."""
    trials = [
        Trial(options={"rank": 8}, state="done", valid_rmse=0.95, epoch=3, seconds=1.04),
        Trial(options={"rank": 16}, state="done", valid_rmse=0.94, epoch=5, seconds=2.0),
        Trial(options={"rank": 32}, state="pruned", valid_rmse=0.93, epoch=1, seconds=0.5),
        Trial(options={"rank": 64}, state="failed", valid_rmse=None, epoch=None, seconds=0.1),
    ]
    fields = {
        "data": "ml_100k", "model": "bias_mf", "seed": 0, "space": {"rank": [8, 16, 32, 64]},
        "data_checksum": "d0d0", "model_version": 1, "commit": "abc123", "dirty": False,
        "versions": {}, "threads": 2, "trials": trials, **changes,
    }  # fmt: skip
    config = {name: {"name": fields[name]} for name in ("data", "model")}
    config["experiment"] = experiment
    what = {name: fields[name] for name in ("space", "seed", "data_checksum", "model_version")}
    what["valid_seed"] = fields.get("valid_seed")
    identity = search_identity(config, **what)
    return Search(**{"config": config, "identity": identity, **fields})


def write(folder, *records):
    """Write records one a file, as the committed ones lie; returns the paths."""
    paths = []
    for made in records:
        name = f"{made.variant}-{made.train_share}-seed_{made.seed}.json"
        path = folder / made.experiment / made.data / made.model / name
        made.write(path)
        paths.append(path)
    return paths


def write_runs(runs, **records):
    """Write records one a run folder, named by keyword."""
    for name, made in records.items():
        made.write(runs / name / "record.json")
        (runs / name / "notes.json").write_text(json.dumps({"not": "a record"}))
