"""A user's own class that cannot be used is refused in one sentence that names the cause."""

import sys

import pytest

from command import call

DATA = ["data=synthetic", "data.users=40", "data.items=30", "data.ratings=300"]

MODULES = {
    "needs_more": "import os\nimport nothing_of_the_kind\n",
    "needs_the_other": "import needs_more\n",
    "misspelled": "x = 1\ndef f(:\n",
    "raises": "\n\nraise ValueError('no\\nlicense')\n",
    "leaves": "import sys\nsys.exit(3)\n",
    "classes": """
import numpy as np
import torch
from glocalk.completers.base import Completer
from glocalk.config import BaseConfig


class Options(BaseConfig):
    pass


class WithoutState(Completer):
    Config = Options
    has_epochs = False
    num_parameters = 1

    def fit_matrix(self, train, context):
        self.mean = float(train.ratings.mean())

    def predict_pairs(self, users, items):
        return np.full(len(users), self.mean)


class WithNumbers(WithoutState):
    def state(self):
        return {"mean": self.mean}

    def restore(self, state, shape):
        self.mean = state["mean"]


class WithAList(WithNumbers):
    def state(self):
        return [self.mean]


class WithHalves(WithNumbers):
    def state(self):
        return {"mean": torch.tensor(self.mean, dtype=torch.float16)}


class WithoutTensors(WithNumbers):
    def state(self):
        return {}


class Whole(WithNumbers):
    def state(self):
        return {"mean": torch.as_tensor(self.mean)}


class WithItsOwnInit(Whole):
    def __init__(self):
        pass


class WithTextForParameters(Whole):
    num_parameters = "many"


class WithoutAnEpoch(Whole):
    has_epochs = True
    schedule = {"fit": 3}


class WithoutASchedule(Whole):
    has_epochs = True


class WithAScheduleThatIsCalled(Whole):
    has_epochs = True

    def schedule(self):
        return {"fit": 3}


class WithEpochsFromZero(WithoutAnEpoch):
    first, stage = 0, "fit"

    def fit_matrix(self, train, context):
        super().fit_matrix(train, context)
        for epoch in range(self.first, self.first + 3):
            context.observer.epoch_ended(self.stage, epoch, self.predict_pairs, 1.0)


class WithAnotherStage(WithEpochsFromZero):
    first, stage = 1, "train"


class WithEpochs(WithEpochsFromZero):
    first = 1


class WithLists(Whole):
    def predict_pairs(self, users, items):
        return super().predict_pairs(users, items).tolist()


class WithDictOfOptions(WithNumbers):
    Config = dict


class WithoutConfig(Completer):
    num_parameters = 1
    fit_matrix = WithNumbers.fit_matrix
    predict_pairs = WithNumbers.predict_pairs
    state = WithNumbers.state
    restore = WithNumbers.restore
""",
}

INPUTS = {
    "needs_more.Mine": ["No module named 'nothing_of_the_kind'", "needs_more.py', line 2"],
    "needs_the_other.Mine": ["No module named 'nothing_of_the_kind'", "needs_more.py', line 2"],
    "misspelled.Mine": ["invalid syntax", "misspelled.py', line 2"],
    "raises.Mine": ["ValueError: no license", "raises.py', line 3"],
    "leaves.Mine": ["SystemExit: 3", "leaves.py', line 2"],
    "nowhere.Mine": ["No module named 'nowhere')"],
    "classes.WithNumber": ["'classes' has no 'WithNumber'", "did you mean 'WithNumbers'?"],
    "classes.WithoutState": ["lacks 'restore' and 'state'"],
    "classes.WithNumbers": ["WithNumbers.state() does not return tensors by name"],
    "classes.WithAList": ["WithAList.state() does not return tensors by name"],
    "classes.WithHalves": ["WithHalves.state() has 'mean' as float16", "float32"],
    "classes.WithoutTensors": ["WithoutTensors.restore() does not take what its state() returned"],
    "classes.WithItsOwnInit": ["whose __init__ does not take a Config alone"],
    "classes.WithTextForParameters": ["WithTextForParameters.num_parameters is 'many': make it"],
    "classes.WithoutAnEpoch": ["WithoutAnEpoch has told the observer of no epoch"],
    "classes.WithoutASchedule": ["its schedule has no stage: define the property schedule"],
    "classes.WithAScheduleThatIsCalled": ["make it a property that returns them"],
    "classes.WithEpochsFromZero": ["epoch 0 of stage 'fit', but its schedule has epochs 1 to 3"],
    "classes.WithAnotherStage": ["stage 'train', but its schedule has no stage 'train'"],
    "classes": ["names 'classes', which has no module: write it as module.classes"],
    "classes.WithDictOfOptions": ["'Config'", "BaseConfig"],
    "classes.WithoutConfig": ["'Config'", "BaseConfig"],
}


@pytest.fixture
def folder(tmp_path):
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    yield tmp_path
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("target", INPUTS)
def test_the_cause_is_named(target, folder):
    process = call("train", *DATA, f"model._target_={target}", cwd=folder)
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    for part in INPUTS[target]:
        assert part in line


def test_the_same_for_a_module_that_predict_imports(folder):
    process = call("predict", "run=runs/x", "out=o.csv", "top=1", "module=needs_more", cwd=folder)
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert "Option 'module' names 'needs_more'" in line
    assert "needs_more.py', line 2" in line


@pytest.mark.parametrize("name", ["WithEpochs", "WithLists"])
def test_a_class_that_keeps_to_the_contract_is_trained_and_predicts(name, folder):
    process = call("train", *DATA, f"model._target_=classes.{name}", cwd=folder)
    assert process.returncode == 0, process.stderr
    (run,) = folder.glob("runs/synthetic-*")
    options = [f"run={run}", "out=o.csv", "top=1", "module=classes"]
    process = call("predict", *options, cwd=folder)
    assert process.returncode == 0, process.stderr
    assert len((folder / "o.csv").read_text().splitlines()) > 1


def test_a_module_that_does_not_exist_is_named_without_a_line_of_glocalk(folder):
    process = call("predict", "run=runs/x", "out=o.csv", "top=1", "module=nomod", cwd=folder)
    assert process.stderr.strip() == (
        "Option 'module' names 'nomod', which cannot be imported (No module named 'nomod')."
    )
