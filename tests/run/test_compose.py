"""Composed configs hold every option, with the values that the committed records were made with."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import OmegaConf

from glocalk.completers.registry import build_completer, completer_class
from glocalk.data.datasets.synthetic import Synthetic
from glocalk.errors import GlocalkError
from glocalk.records.identity import config_hash
from glocalk.run.compose import as_dict, compose
from glocalk.run.composed import compose_run
from glocalk.run.config import ProtocolConfig
from glocalk.run.loader import ClassDefaultsLoader

ROOT = Path(__file__).parents[2]
RECORDS = ROOT / "reports" / "records" / "table1"
CONF = ROOT / "conf"
MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
RECORDED = sorted({path.name for path in RECORDS.glob("*/*")} & set(MODELS))


def names(options, prefix=""):
    """Dotted names of all options, nested dicts that are empty included."""
    for name, value in options.items():
        if isinstance(value, dict) and value:
            yield from names(value, f"{prefix}{name}.")
        else:
            yield prefix + name


@pytest.mark.parametrize("model", MODELS)
def test_every_file_of_settings_can_be_read_and_has_only_options_that_exist(model):
    plain = OmegaConf.load(CONF / "model" / f"{model}.yaml")
    protocol = OmegaConf.load(CONF / "protocol" / "default.yaml")
    for path in sorted((CONF / "settings" / model).glob("*.yaml")):
        settings = OmegaConf.load(path)  # refuses a key that stands there twice
        assert set(settings) <= {"defaults", "settings_from", "model", "protocol"}, path
        # Both refuse unknown options and invalid values.
        options = OmegaConf.to_container(OmegaConf.merge(plain, settings.get("model", {})))
        # Members are config names here; composing gives them their options.
        assert set(options.pop("members", ())) <= set(MODELS), path
        build_completer(options)
        changed = OmegaConf.merge(protocol, settings.get("protocol", {}))
        ProtocolConfig.check(OmegaConf.to_container(changed), "protocol.")


@pytest.mark.parametrize("model", RECORDED)
def test_a_composed_run_has_the_identity_of_the_committed_records(model):
    recorded = [path.parent.name for path in sorted(RECORDS.glob(f"*/{model}"))]
    for data in recorded:
        found = compose_run([f"data={data}", f"model={model}"])
        for path in sorted((RECORDS / data / model).glob("seed_*.json")):
            record = json.loads(path.read_text())
            assert found.identity == record["config"], path
            assert config_hash(found.identity) == record["config_hash"], path


WITH_MORE = """
from typing import Annotated
from glocalk.completers.baselines import Bias as Packaged
from glocalk.config import ADDED
from glocalk.data.datasets.synthetic import Synthetic

class MoreOptions(Packaged.Config):
    prior: Annotated[float, ADDED] = 0.0

class Bias(Packaged):
    Config = MoreOptions

class MoreData(Synthetic.Config):
    skew: Annotated[float, ADDED] = 0.0

class Data(Synthetic):
    Config = MoreData
"""


def test_an_option_added_to_a_model_or_to_data_keeps_the_identity_of_runs_without_it(
    tmp_path, monkeypatch
):
    (tmp_path / "with_more.py").write_text(WITH_MORE)
    monkeypatch.syspath_prepend(tmp_path)

    def identity(*overrides, model="glocalk.Bias", data="synthetic.Synthetic"):
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / "theirs.yaml").write_text(f"_target_: {model}\n")
        (tmp_path / "data").mkdir(exist_ok=True)
        target = data if data.startswith("with_more") else f"glocalk.data.datasets.{data}"
        (tmp_path / "data" / "theirs.yaml").write_text(f"_target_: {target}\n")
        run = compose_run(["model=theirs", "data=theirs", "variant=v", *overrides], [tmp_path])
        assert set(run.model_options) >= {"item_damping", "user_damping"}
        return run.identity

    before = identity()
    more = {"model": "with_more.Bias", "data": "with_more.Data"}
    assert identity(**more) == identity("model.prior=0", "data.skew=0", **more) == before
    model, data = identity("model.prior=1", **more), identity("data.skew=1", **more)
    assert model == {**before, "model": {**before["model"], "prior": 1}}
    assert data == {**before, "data": {**before["data"], "skew": 1}}


@pytest.mark.parametrize("model", MODELS)
def test_every_option_of_a_class_is_shown_in_the_order_that_it_declares(model):
    config = compose("train", [f"model={model}", "data=synthetic"])
    options = as_dict(config)["model"]
    cls = completer_class(options)
    assert list(options)[1:] == list(cls.Config.model_fields)
    checked = cls.Config.check({k: v for k, v in options.items() if k != "_target_"}, "model")
    dumped = checked.model_dump(mode="json")
    # Trainer options of a stage have no names of their own, and a member's label is no option.
    shown = {name for name in names(options) if not name.endswith("._settings_from_")}
    assert shown - {"_target_"} == set(names(dumped))


def test_a_file_says_what_differs_from_the_defaults_of_its_class(tmp_path):
    (tmp_path / "model").mkdir()
    text = "_target_: glocalk.BiasMF\nrank: 7\nsgd:\n  decay: 0.5\n"
    (tmp_path / "model" / "mine.yaml").write_text(text)
    node = compose("train", ["model=mine"], [tmp_path]).model
    assert (node.rank, node.sgd.decay) == (7, 0.5)
    run = compose_run(["model=mine", "model.sgd.learning_rate=0.125", "data=synthetic"], [tmp_path])
    assert run.model["sgd"] == {"learning_rate": 0.125, "decay": 0.5}
    assert (run.model_name, run.variant) == ("mine", "model.sgd.learning_rate=0.125")


def test_options_of_the_data_come_from_its_class(tmp_path):
    (tmp_path / "data").mkdir()
    target = "glocalk.data.datasets.synthetic.Synthetic"
    (tmp_path / "data" / "mine.yaml").write_text(f"_target_: {target}\nusers: 12\n")
    node = compose("stats", ["data=mine"], [tmp_path]).data
    assert list(node) == ["_target_", *Synthetic.Config.model_fields]
    assert node.users == 12


def test_a_class_in_place_of_a_config_brings_its_own_options_alone(tmp_path):
    config = compose("train", ["model=glocal_k", "data=ml_1m", "model._target_=glocalk.Bias"])
    assert list(config.model) == ["_target_", "item_damping", "user_damping", "joint"]
    assert config.hydra.runtime.choices.model == "bias"
    # conf/settings/glocal_k/ml_1m.yaml is not about this model.
    plain = compose("train", ["model=bias", "data=synthetic"])
    assert (config.settings_from, config.protocol) == (plain.settings_from, plain.protocol)
    # Unless the command line chooses settings.
    (tmp_path / "settings").mkdir()
    text = "# @package _global_\nmodel:\n  item_damping: 3.5\n"
    (tmp_path / "settings" / "mine.yaml").write_text(text)
    chosen = compose("train", ["model._target_=glocalk.Bias", "settings=mine"], [tmp_path])
    assert chosen.model == {**plain.model, "item_damping": 3.5}
    # Nor does it search what another model has.
    search = compose("tune", ["model=item_knn", "model._target_=glocalk.Bias"]).search
    assert search == {}
    assert compose("tune", ["model=bias", "model._target_=glocalk.Bias"]).search != {}


def test_naming_the_class_that_a_config_names_changes_nothing():
    by_name = compose("train", ["model=glocal_k", "data=ml_1m"])
    by_class = compose("train", ["model=glocal_k", "data=ml_1m", "model._target_=glocalk.GLocalK"])
    assert by_class.model == by_name.model
    assert by_class.hydra.runtime.choices.model == "glocal_k"


CLASSES = """
from glocalk.completers.baselines import Bias as Packaged

class Bias(Packaged): ...
class SVDPlusPlus(Packaged): ...
class KNN2Model(Packaged): ...
"""


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        ("glocalk.ItemKNN", "item_knn"),
        ("their_package.SVDPlusPlus", "svd_plus_plus"),
        ("their_package.KNN2Model", "knn2_model"),
        ("their_package.Bias", "their_package_bias"),  # `bias` is another class
    ],
)
def test_a_model_without_a_config_is_named_after_its_class(cls, name, tmp_path, monkeypatch):
    (tmp_path / "their_package.py").write_text(CLASSES)
    monkeypatch.syspath_prepend(tmp_path)
    assert compose_run([f"model._target_={cls}", "data=synthetic"]).model_name == name


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("model._target_=nowhere.Model", "'nowhere.Model', which cannot be imported"),
        ("data._target_=glocalk.Bias", "'glocalk.Bias', which is not a Source"),
    ],
)
def test_a_class_that_does_not_fit_is_named(override, part):
    with pytest.raises(GlocalkError, match=part):
        compose("train", [override])


def test_composing_leaves_an_application_of_another_alone():
    before = GlobalHydra.instance().hydra
    compose("train")
    assert GlobalHydra.instance().hydra is before
    with pytest.raises(ConfigCompositionException):
        compose("train", ["sed=3"])
    assert GlobalHydra.instance().hydra is before


def test_an_option_of_models_that_are_swept_over_is_found():
    loader = ClassDefaultsLoader(create_config_search_path("pkg://glocalk.conf"))
    overrides = ["model=bias_mf,svd_pp", "model.rank=20", "seed=0,1"]
    frame = loader.load_configuration("train", overrides, RunMode.MULTIRUN)
    assert frame.model.rank == 20
    # The jobs are composed from what was given.
    assert list(frame.hydra.overrides.task) == overrides
    with pytest.raises(ConfigCompositionException):
        loader.load_configuration("train", ["model=bias,svd_pp", "model.rank=2"], RunMode.MULTIRUN)


def test_a_launcher_may_send_the_loader_to_another_process(tmp_path):
    loader = ClassDefaultsLoader(create_config_search_path("pkg://glocalk.conf"))
    frame = loader.load_configuration("train", ["model=bias,svd_pp"], RunMode.MULTIRUN)
    (tmp_path / "sent").write_bytes(pickle.dumps((loader, frame)))
    program = (
        "import pickle, sys\n"
        "loader, frame = pickle.load(open(sys.argv[1], 'rb'))\n"
        "config = loader.load_sweep_config(frame, ['model=bias', 'model.item_damping=3'])\n"
        "print(dict(config.model))"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "sent"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    expected = {"_target_": "glocalk.Bias", "item_damping": 3, "user_damping": 10.0, "joint": False}
    assert process.stdout == f"{expected}\n"


def test_an_option_without_a_default_is_shown_and_asked_for(tmp_path, monkeypatch):
    (tmp_path / "their_data.py").write_text(
        "from glocalk.config import BaseConfig\n"
        "from glocalk.data.sources import Source\n"
        "class Config(BaseConfig):\n"
        "    path: str\n"
        "    fold: int = 1\n"
        "class Mine(Source):\n"
        "    Config = Config\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = compose("stats", ["data._target_=their_data.Mine"])
    assert OmegaConf.is_missing(config.data, "path")
    assert as_dict(config)["data"] == {"_target_": "their_data.Mine", "fold": 1}
    given = compose("stats", ["data._target_=their_data.Mine", "data.path=x.csv"])
    assert given.data.path == "x.csv"


def test_an_option_that_is_given_twice_names_the_variant_by_what_took_effect():
    start = ["model=bias", "data=synthetic", "protocol.cold_start=users"]
    once = compose_run([*start, "protocol.revealed=1"])
    twice = compose_run([*start, "protocol.revealed=5", "++protocol.revealed=1"])
    assert twice.variant == "protocol.cold_start=users,protocol.revealed=1"
    assert (twice.protocol.revealed, twice.identity) == (1, once.identity)
    # The option is not there without `+`, which the second override leaves out.
    added = compose_run(["model=bias", "data=synthetic", "+trainer.max_steps=3"])
    for second in ("trainer.max_steps=3", "++trainer.max_steps=3"):
        changed = compose_run(["model=bias", "data=synthetic", "+trainer.max_steps=7", second])
        assert changed.identity == added.identity
