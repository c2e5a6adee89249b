"""A sweeper gets the error on held-out training ratings back from `glocalk train`."""

import sys
from types import ModuleType

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

from command import SMALL, call, only_record
from glocalk.data.sources import build_source
from glocalk.run.composed import compose_run

RETURNED = []


class TellingSweeper(Sweeper):
    """Launches the given values one by one, and keeps what each run returns."""

    def setup(self, *, hydra_context, task_function, config):
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments):
        (job,) = self.launcher.launch([arguments], initial_job_idx=0)
        RETURNED.append(job.return_value)


@pytest.fixture
def returned(monkeypatch):
    # Hydra takes plug-ins from this package alone.
    for name in ("hydra_plugins", "hydra_plugins.telling"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["hydra_plugins"].__path__ = []
    sys.modules["hydra_plugins.telling"].TellingSweeper = TellingSweeper
    Plugins.instance().register(TellingSweeper)
    target = {"_target_": "hydra_plugins.telling.TellingSweeper"}
    ConfigStore.instance().store(group="hydra/sweeper", name="telling", node=target)
    RETURNED.clear()
    return RETURNED


def test_it_is_the_lowest_of_the_selection_run(returned, tmp_path):
    process = call("train", "-m", "hydra/sweeper=telling", *SMALL, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    record = only_record(tmp_path / "runs")
    curves = record.curves["selection"]
    last = [
        rmse
        for stage, rmse in zip(curves.stage, curves.valid_rmse, strict=True)
        if stage == "finetune"
    ]
    assert returned == [min(last)]
    of_test = [*curves.test_rmse, *record.curves["final"].test_rmse]
    assert returned[0] not in of_test


def test_a_model_without_epochs_is_trained_once_more_for_it(returned, tmp_path):
    given = ["model=global_mean", "data=synthetic", "data.users=40", "data.items=30"]
    given += ["data.ratings=300", "seed=3"]
    process = call("train", "-m", "hydra/sweeper=telling", *given, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    run = compose_run(given)
    split = build_source(run.data).split(tmp_path).hold_out(0.05, run.seed)
    errors = split.valid.ratings - split.train.ratings.mean()
    assert returned == [pytest.approx((errors**2).mean() ** 0.5)]
    assert returned[0] != pytest.approx(only_record(tmp_path / "runs").protocols["last"].rmse)
    assert [path.name for path in (tmp_path / "runs").glob(".held_out-*")] == []
