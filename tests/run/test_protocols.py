import numpy as np
import pytest
import torch

from glocalk.records.run import PROTOCOLS
from glocalk.run.monitor import Monitor
from glocalk.run.protocols import FinishedTraining, settled_epoch, take_results, validated_epoch


def trained(name, rmse, mae, ndcg, valid=None, first=2):
    """A training of two stages; its first `first` rows are the first stage's."""
    size = len(rmse)
    monitor = Monitor()
    monitor.load_state_dict(
        {
            "training": "",
            "columns": {
                "stage": ["first"] * first + ["second"] * (size - first),
                "epoch": [*range(1, first + 1), *range(1, size - first + 1)],
                "loss": [None] * size,
                "valid_rmse": valid or [None] * size,
                "test_rmse": rmse,
                "test_mae": mae,
                "test_ndcg": ndcg,
            },
            "user_errors": torch.arange(size * 3.0).reshape(size, 3),
            "seconds": {},
            "traces": [],
        }
    )
    return FinishedTraining(name, monitor)


SELECTION = trained(
    "selection",
    rmse=[0.1, 0.2, 0.95, 0.94, 0.93, 0.96],
    mae=[0.1, 0.2, 0.75, 0.74, 0.73, 0.76],
    ndcg=[0.9, 0.9, 0.85, 0.84, 0.83, 0.86],
    valid=[0.5, 0.5, 0.97, 0.91, 0.91, 0.92],  # lowest in the last stage: epochs 2 and 3
)
FINAL = trained(
    "final",
    rmse=[0.1, 0.2, 0.92, 0.90, 0.89, 0.91],
    mae=[0.1, 0.2, 0.71, 0.70, 0.72, 0.69],
    ndcg=[0.99, 0.99, 0.88, 0.89, 0.87, 0.89],
)


def test_validation_picks_the_earliest_of_the_last_stage():
    assert validated_epoch(SELECTION) == 2


@pytest.mark.parametrize(
    ("valid", "epoch"),
    [
        ([0.97, 0.95, 0.9495, 0.80], 3),  # the first small change, not the lowest error
        ([0.97, 0.95, 0.9505, 0.80], 3),  # upwards too
        ([0.97, 0.9695, 0.90, 0.8999], 2),
        ([0.97, 0.95, 0.93, 0.91], 4),  # none: the last
        ([0.97, None, 0.9695, 0.80], 4),  # nothing to compare with
    ],
)
def test_the_settled_epoch_is_the_first_that_changes_little(valid, epoch):
    # The first stage does not count: it ends with a small change.
    selection = trained("selection", [0.9] * 6, [0.7] * 6, [None] * 6, [0.5, 0.5, *valid])
    assert settled_epoch(selection) == epoch


def test_a_single_epoch_is_the_settled_one():
    selection = trained("selection", [0.9] * 3, [0.7] * 3, [None] * 3, [0.5, 0.5, 0.9])
    assert settled_epoch(selection) == 1


def test_official_is_taken_at_the_settled_epoch_of_the_final_run():
    official = take_results(SELECTION, FINAL, 2, "settled", 3)["official"]
    assert (official.training, official.rmse, official.mae, official.ndcg) == (
        *("final", 0.89, 0.72, 0.87),
    )
    assert official.rmse_epoch == official.mae_epoch == official.ndcg_epoch == 3
    assert official.user_errors == "final/second/3"


def test_each_protocol_takes_its_own_training_and_epoch():
    results = take_results(SELECTION, FINAL, 2, "best_test")
    assert set(results) == set(PROTOCOLS)
    best = results["best_test"]
    assert (best.training, best.rmse, best.mae, best.ndcg) == ("final", 0.89, 0.69, 0.89)
    assert (best.rmse_epoch, best.mae_epoch, best.ndcg_epoch) == (3, 4, 2)
    assert best.user_errors == "final/second/3"
    validated = results["validated"]
    assert (validated.training, validated.rmse, validated.mae, validated.ndcg) == (
        *("final", 0.90, 0.70, 0.89),
    )
    assert (validated.rmse_epoch, validated.mae_epoch, validated.ndcg_epoch) == (2, 2, 2)
    held_out = results["held_out"]
    assert (held_out.training, held_out.rmse, held_out.rmse_epoch) == ("selection", 0.94, 2)
    last = results["last"]
    assert (last.training, last.rmse, last.rmse_epoch) == ("final", 0.91, 4)
    assert results["official"] == best


@pytest.mark.parametrize("rule", ["validated", "last"])
def test_official_follows_the_rule_of_the_model(rule):
    results = take_results(SELECTION, FINAL, 2, rule)
    assert results["official"] == results[rule]


def test_without_a_selection_run_nothing_is_held_out():
    results = take_results(None, FINAL, 3, "last")
    assert "held_out" not in results
    assert results["validated"].rmse == 0.89


def test_without_a_chosen_epoch_nothing_is_validated():
    results = take_results(None, FINAL, None, "last")
    assert set(results) == {"best_test", "last", "official"}
    assert (results["official"].rmse, results["official"].rmse_epoch) == (0.91, 4)


def test_the_errors_key_names_the_row():
    key = FINAL.errors_key(3)
    assert key == "final/second/2"
    np.testing.assert_array_equal(FINAL.monitor.user_errors(3), [9, 10, 11])


def test_a_completer_without_epochs_has_one_result_under_every_protocol():
    monitor = Monitor()
    monitor.load_state_dict(
        {
            "training": "",
            "columns": {
                "stage": ["fit"],
                "epoch": [None],
                "loss": [None],
                "valid_rmse": [None],
                "test_rmse": [0.9],
                "test_mae": [0.7],
                "test_ndcg": [None],
            },
            "user_errors": torch.ones(1, 3),
            "seconds": {},
            "traces": [],
        }
    )
    results = take_results(None, FinishedTraining("final", monitor), None, "last")
    assert {result.rmse for result in results.values()} == {0.9}
    assert {result.rmse_epoch for result in results.values()} == {None}
    assert {result.ndcg for result in results.values()} == {None}
    assert results["last"].user_errors == "final/fit"
