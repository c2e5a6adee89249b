"""A stage of one parameter vector, whose steps are known."""

import lightning
import pytest
import torch

import glocalk
from glocalk.completers.stepwise import EpochLoader, TrainingData
from glocalk.training.context import FitContext
from glocalk.training.stage import Stage, run_stage

TARGET = torch.tensor([1 / 3, -2 / 7, 1e-9], dtype=torch.float64)


class Approach(lightning.LightningModule):
    """Each epoch moves the weight by a fifth of its way to the target."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3))

    def training_step(self, batch, batch_idx):
        del batch_idx
        loss = (self.weight - batch).square().sum()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trained(epochs, folder, precision="64-true"):
    module = Approach()
    context = FitContext(folder=folder, trainer={"accelerator": "cpu", "precision": precision})
    data = TrainingData(EpochLoader(lambda: iter([TARGET]), 1))
    run_stage(Stage("approach", module, epochs), data, context, None)
    return module.weight.detach()


def test_every_epoch_is_a_step_in_the_precision_of_the_trainer():
    weight = trained(3, folder=None)
    torch.testing.assert_close(weight, TARGET * (1 - 0.8**3), rtol=1e-14, atol=0)


@pytest.mark.parametrize("done", [1, 3])
def test_a_checkpoint_in_double_precision_is_continued_without_loss_of_digits(tmp_path, done):
    whole = trained(3, folder=None)
    trained(done, tmp_path)
    assert torch.equal(trained(3, tmp_path), whole)


def test_an_accelerator_that_the_machine_lacks_ends_in_one_sentence():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    split = glocalk.load_split("synthetic", users=40, items=30, ratings=300)
    context = FitContext(trainer={"accelerator": "gpu", "devices": 1})
    with pytest.raises(glocalk.GlocalkError, match="The Trainer cannot be made") as error:
        glocalk.GLocalK(hidden_size=8).fit(split.train, context=context)
    assert "\n" not in str(error.value)
