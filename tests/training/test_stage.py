"""A stage of one parameter vector, whose steps are known."""

import lightning
import pytest
import torch

import glocalk
from glocalk import stopping
from glocalk.completers.stepwise import EpochLoader, TrainingData
from glocalk.errors import GlocalkError
from glocalk.stopping import StoppedError, only_at_safe_points
from glocalk.training.callbacks import EpochEnds
from glocalk.training.checkpoints import AtomicCheckpoints, UnloadableCheckpointError
from glocalk.training.context import FitContext
from glocalk.training.stage import Stage, run_stage
from glocalk.training.trainer_options import check_trainer_options

TARGET = torch.tensor([1 / 3, -2 / 7, 1e-9], dtype=torch.float64)


class Approach(lightning.LightningModule):
    """Each epoch moves the weight by a fifth of its way to the target."""

    interrupt = None  # called in the second epoch

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3))

    def training_step(self, batch, batch_idx):
        del batch_idx
        if self.interrupt is not None and self.current_epoch == 1:
            self.interrupt()
        loss = (self.weight - batch).square().sum()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture(autouse=True)
def _no_request():
    yield
    stopping.forget()


def trained(epochs, folder, precision="64-true", interrupt=None, seconds=0):
    module = Approach()
    module.interrupt = interrupt
    context = FitContext(
        folder=folder,
        trainer={"accelerator": "cpu", "precision": precision},
        checkpoint_seconds=seconds,
    )
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


def test_a_request_to_stop_ends_the_epoch_without_its_step(tmp_path):
    def interrupt():
        stopping.request(15)

    with pytest.raises(StoppedError), only_at_safe_points():
        trained(3, tmp_path, interrupt=interrupt)
    stopping.forget()
    assert AtomicCheckpoints().load_checkpoint(tmp_path / "approach.ckpt")["epoch"] == 0
    assert torch.equal(trained(3, tmp_path), trained(3, folder=None))


def test_a_request_to_stop_at_the_end_of_an_epoch_saves_it(tmp_path, monkeypatch):
    ends = EpochEnds.on_train_epoch_end

    def evaluate(self, trainer, module):
        ends(self, trainer, module)
        if trainer.current_epoch == 1:
            stopping.request(15)

    with monkeypatch.context() as patched:
        patched.setattr(EpochEnds, "on_train_epoch_end", evaluate)
        with pytest.raises(StoppedError), only_at_safe_points():
            trained(3, tmp_path, seconds=1000)
    stopping.forget()
    assert AtomicCheckpoints().load_checkpoint(tmp_path / "approach.ckpt")["epoch"] == 1
    assert torch.equal(trained(3, tmp_path), trained(3, folder=None))


def test_ctrl_c_in_a_python_program_is_a_keyboard_interrupt():
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(3, folder=None, interrupt=interrupt)


@pytest.mark.parametrize(
    "change",
    [
        lambda saved: saved.pop("optimizer_states"),
        lambda saved: saved["state_dict"].update(weight=torch.zeros(4, dtype=torch.float64)),
        lambda saved: saved["state_dict"].update(other=torch.zeros(1)),
        lambda saved: saved.pop("loops"),
        lambda saved: saved["callbacks"].clear(),
        lambda saved: saved.clear(),
    ],
)
def test_a_complete_checkpoint_of_something_else_is_set_aside(tmp_path, change):
    trained(1, tmp_path)
    path = tmp_path / "approach.ckpt"
    saved = AtomicCheckpoints().load_checkpoint(path)
    change(saved)
    AtomicCheckpoints().save_checkpoint(saved, path)
    with pytest.raises(UnloadableCheckpointError, match="is damaged: it was renamed to"):
        trained(3, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["approach.ckpt.damaged"]
    assert torch.equal(trained(3, tmp_path), trained(3, folder=None))


def test_an_error_of_the_training_itself_leaves_the_checkpoint(tmp_path):
    trained(1, tmp_path)

    def interrupt():
        raise ValueError("of the second epoch")

    with pytest.raises(ValueError, match="of the second epoch"):
        trained(3, tmp_path, interrupt=interrupt)
    assert [file.name for file in tmp_path.iterdir()] == ["approach.ckpt"]


def test_an_accelerator_that_the_machine_lacks_ends_in_one_sentence():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    split = glocalk.load_split("synthetic", users=40, items=30, ratings=300)
    context = FitContext(trainer={"accelerator": "gpu", "devices": 1})
    with pytest.raises(glocalk.GlocalkError, match="The Trainer cannot be made") as error:
        glocalk.GLocalK(hidden_size=8).fit(split.train, context=context)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["callbacks", "plugins"])
def test_what_a_training_gives_the_trainer_itself_is_refused_as_an_option(name):
    with pytest.raises(GlocalkError, match=f"its own trainer.{name}"):
        check_trainer_options({name: []})
