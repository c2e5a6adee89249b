"""What Python users see: defaults, docstrings, and errors before a fit."""

import doctest
import importlib

import numpy as np
import pytest
from omegaconf import OmegaConf

import glocalk
from glocalk.errors import NotFittedError

CLASSES = ["GLocalK", "SparseFC", "AutoRec"]


@pytest.mark.parametrize(
    ("name", "model"),
    [("GLocalK", "glocal_k"), ("SparseFC", "sparse_fc"), ("AutoRec", "i_autorec")],
)
def test_the_defaults_are_the_hyperparameters_for_movielens_100k(name, model):
    conf = importlib.import_module("glocalk.conf").__path__[0]
    file = OmegaConf.load(f"{conf}/settings/{model}/ml_100k.yaml")
    cls = getattr(glocalk, name)
    assert cls(**OmegaConf.to_container(file.model)).config == cls().config


def test_nested_options_may_be_incomplete():
    config = glocalk.GLocalK(hidden_size=7, finetune={"epochs": 3}, lbfgs={"memory": 4}).config
    assert (config.hidden_size, config.kernel_size, config.lambda_2) == (7, 3, 20.0)
    assert (config.pretrain.epochs, config.pretrain.iterations) == (30, 5)
    assert (config.finetune.epochs, config.finetune.iterations) == (3, 5)
    assert (config.lbfgs.memory, config.lbfgs.restart) == (4, True)
    assert glocalk.AutoRec(lbfgs={"memory": 4}).config.lbfgs.restart is False


@pytest.mark.parametrize("name", CLASSES)
def test_an_unfitted_completer_says_so(name, tmp_path):
    completer = getattr(glocalk, name)()
    nobody = np.array([0]), np.array([0])
    for use in (
        lambda: completer.predict_pairs(*nobody),
        lambda: completer.predict_grid(*nobody),
        lambda: completer.predict([0], [0]),
        completer.state,
        lambda: completer.num_parameters,
        lambda: completer.save(tmp_path / "model.pt"),
    ):
        with pytest.raises(NotFittedError, match=f"{name} is not fitted"):
            use()


@pytest.mark.parametrize("name", CLASSES)
def test_the_example_of_the_docstring_runs(name):
    cls = getattr(glocalk, name)
    examples = doctest.DocTestFinder().find(cls, name, globs={})
    results = [doctest.DocTestRunner().run(example) for example in examples]
    assert sum(result.attempted for result in results) > 0
    assert sum(result.failed for result in results) == 0
