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
