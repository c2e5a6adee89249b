from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import torch
from torch import nn

from glocalk.operators.dense import DenseRatings
from glocalk.operators.sparse import SparseRatings
from glocalk.training.context import FitContext
from glocalk.training.data import FullBatch
from glocalk.training.stage import Stage, run_stage
from planted import planted

TRAIN, TEST = planted(num_users=14, num_items=11)


class Probe(lightning.LightningModule):
    """Keeps the batches that it is given, and trains nothing."""

    automatic_optimization = False

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.batches = []

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)

    def training_step(self, batch, batch_idx):
        self.batches.append((batch_idx, batch))


def predict_mean(users, items):
    del items
    return np.full(len(users), TRAIN.ratings.mean())


def batches_of(formulation, epochs=2, **trainer):
    probe = Probe()
    stage = Stage("train", probe, epochs)
    context = FitContext(trainer=trainer)
    run_stage(stage, FullBatch(TRAIN, formulation), context, predict_mean)
    return probe.batches


@pytest.mark.parametrize(
    ("formulation", "kind"), [("sparse", SparseRatings), ("dense", DenseRatings)]
)
def test_each_epoch_has_one_batch_which_is_the_whole_rating_matrix(formulation, kind):
    (first_index, first), (second_index, second) = batches_of(formulation)
    assert first_index == second_index == 0
    assert isinstance(first, kind)
    assert second is first
    expected = torch.zeros(11, 14)
    for user, item, rating in zip(TRAIN.users, TRAIN.items, TRAIN.ratings, strict=True):
        expected[item, user] = rating
    torch.testing.assert_close(first.product(torch.eye(14)), expected)


def test_the_batch_has_the_precision_of_the_trainer():
    ((_, single),) = batches_of("sparse", epochs=1)
    ((_, double),) = batches_of("sparse", epochs=1, precision="64-true")
    assert single.ratings.dtype == torch.float32
    assert double.ratings.dtype == torch.float64


def test_the_loader_yields_the_operator_that_predictions_use():
    data, module = FullBatch(TRAIN, "sparse"), nn.Linear(1, 1)
    data.trainer = SimpleNamespace(lightning_module=module)
    (batch,) = data.train_dataloader()
    assert batch is data.operator(module)


def test_the_loader_draws_no_random_number():
    data = FullBatch(TRAIN, "sparse")
    data.trainer = SimpleNamespace(lightning_module=nn.Linear(1, 1))
    before = torch.get_rng_state()
    for _ in range(2):
        assert len(list(data.train_dataloader())) == 1
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_trainer_there_is_no_loader():
    with pytest.raises(RuntimeError, match=r"trainer\.fit"):
        FullBatch(TRAIN, "sparse").train_dataloader()
