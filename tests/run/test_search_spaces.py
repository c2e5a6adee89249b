"""The search spaces in conf/search: their options exist, and include the present values."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from glocalk.completers.registry import build_completer
from glocalk.run.space import flat_space, value_of

CONF = Path(__file__).parents[2] / "conf"
SPACES = sorted(path.stem for path in (CONF / "search").glob("*.yaml"))

COMBINATIONS = {"ensemble", "glocal_k_ensemble", "stack", "stack_side"}  # of what is searched
ABLATIONS = {"glocal_k_decayed", "glocal_k_permuted", "glocal_k_scalar"}


def test_every_model_with_hyperparameters_has_a_search_space():
    models = {path.stem for path in (CONF / "model").glob("*.yaml")}
    assert set(SPACES) == models - ABLATIONS - COMBINATIONS - {"global_mean"}


def load(path):
    return OmegaConf.to_container(OmegaConf.load(path))


@pytest.mark.parametrize("model", SPACES)
def test_every_present_value_is_among_what_is_tried(model):
    options = build_completer(load(CONF / "model" / f"{model}.yaml")).config.model_dump()
    plain = load(CONF / "search" / f"{model}.yaml")
    hyperparameters = sorted((CONF / "settings" / model).glob("*.yaml"))
    for path in [None, *hyperparameters]:
        changed = load(path)["model"] if path else {}
        of_data = CONF / "search_on" / (path.stem if path else "") / f"{model}.yaml"
        more = load(of_data) if of_data.exists() else {}
        nested = OmegaConf.to_container(OmegaConf.merge(plain, more))
        space = flat_space(nested, options, model)
        present = OmegaConf.to_container(OmegaConf.merge(options, changed))
        for name, choice in space.items():
            value = value_of(present, name)
            if isinstance(choice, list):
                assert value in choice, name
            else:
                assert choice["low"] <= value <= choice["high"], name
