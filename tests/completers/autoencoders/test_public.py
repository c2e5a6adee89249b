"""What Python users see before a fit: defaults, nested options and errors."""

import importlib

import pytest
from omegaconf import OmegaConf

import glocalk
from glocalk.errors import GlocalkError


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


def test_an_unknown_trainer_option_of_a_stage_names_the_nearest_one():
    sentence = r"^Unknown option 'pretrain\.trainer\.max_epoch': did you mean 'max_epochs'\?$"
    with pytest.raises(GlocalkError, match=sentence):
        glocalk.GLocalK(pretrain={"trainer": {"max_epoch": 1}})
    config = glocalk.GLocalK(pretrain={"trainer": {"max_epochs": 1}}).config
    assert config.pretrain.trainer == {"max_epochs": 1}
