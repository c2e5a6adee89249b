"""The options of every completer: declared once, in its `Config`, and each with an effect."""

import functools
import inspect

import numpy as np
import pytest
from cases import NAMES, changes, class_of, config_of, leaves, nested, new_short
from omegaconf import OmegaConf

import glocalk
from glocalk.completers.registry import build_completer
from glocalk.errors import GlocalkError
from planted import planted
from sides import side_of

# Smaller than in the other tests, because every option costs a fit.
TRAIN, _ = planted(num_users=30, num_items=24)
SIDE = side_of(TRAIN.shape)
PAIRS = tuple(np.indices(TRAIN.shape).reshape(2, -1))

each = pytest.mark.parametrize("name", NAMES)
# The members of this combination are not those of its class, and all of their options differ.
each_of_a_class = pytest.mark.parametrize("name", sorted({*NAMES} - {"glocal_k_ensemble"}))


def built(name):
    """The completer as `conf/model/<name>.yaml` has it."""
    return build_completer(config_of(name))


@functools.cache
def predictions(name):
    return new_short(name).fit(TRAIN, seed=0, side=SIDE).predict_pairs(*PAIRS)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(name, options, id=f"{name}-{option}")
        for name in NAMES
        for option, options in changes(name).items()
    ],
)
def test_every_option_changes_the_predictions(name, options):
    changed = new_short(name, options).fit(TRAIN, seed=0, side=SIDE).predict_pairs(*PAIRS)
    assert not np.allclose(changed, predictions(name), rtol=0, atol=1e-9)


@each
def test_every_option_has_a_default(name):
    cls = class_of(name)
    assert cls.Config.defaults().keys() == cls.Config.model_fields.keys()
    assert cls().config.model_dump() == cls.Config.defaults()


@each_of_a_class
def test_the_config_file_states_exactly_what_differs_from_the_defaults(name):
    options = {option: value for option, value in config_of(name).items() if option != "_target_"}
    stated, defaults = dict(leaves(options)), dict(leaves(class_of(name).Config.defaults()))
    found = dict(leaves(built(name).config.model_dump()))
    assert {option: value for option, value in found.items() if value != defaults[option]} == stated


@each
def test_keywords_build_what_the_config_file_builds(name):
    completer = built(name)
    options = completer.config.model_dump()
    assert class_of(name)(**options).config == completer.config
    stated = {option: value for option, value in config_of(name).items() if option != "_target_"}
    assert class_of(name)(**stated).config == completer.config


@each
def test_the_signature_shows_every_option_with_its_default(name):
    cls = class_of(name)
    parameters = inspect.signature(cls).parameters
    assert list(parameters) == list(cls.Config.model_fields)
    for option, parameter in parameters.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.default == getattr(cls().config, option)


def test_a_completer_without_options_says_so():
    with pytest.raises(GlocalkError, match=r"^Unknown option 'mean': there are none\.$"):
        glocalk.GlobalMean(mean=3)


@each_of_a_class
def test_an_unknown_option_names_the_nearest_one(name):
    cls = class_of(name)
    with pytest.raises(GlocalkError, match="Unknown option 'surely_unknown'"):
        cls(surely_unknown=1)
    for option, value in leaves(built(name).config.model_dump()):
        *_, last = option.split(".")
        with pytest.raises(
            GlocalkError, match=f"Unknown option '{option}x': did you mean '{last}'"
        ):
            cls(**nested(f"{option}x", value))
        with pytest.raises(GlocalkError, match=f"Unknown option 'model.{option}x': did you mean"):
            build_completer(
                OmegaConf.to_container(
                    OmegaConf.merge(config_of(name), nested(f"{option}x", value))
                )
            )
