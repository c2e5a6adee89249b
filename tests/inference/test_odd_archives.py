"""Model files with a valid digest whose tensors, texts and classes no model has."""

import pytest
import torch

import hostile
from glocalk.completers.baselines import Bias
from glocalk.completers.registry import load
from glocalk.errors import GlocalkError
from inference.fitted import TRAIN


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.pt"
    Bias().fit(TRAIN).save(path)
    return path, torch.load(path, weights_only=True)


def refusal(path, content):
    path.write_bytes(hostile.sealed(content))
    with pytest.raises(GlocalkError) as error:
        load(path)
    return str(error.value)


@pytest.mark.parametrize("change", [lambda t: t.clone().requires_grad_(), torch._neg_view])
def test_tensors_that_are_no_plain_arrays(file, change):
    path, content = file
    for name, tensor in content["state"].items():
        changed = {**content, "state": {**content["state"], name: change(tensor)}}
        assert "not a plain array" in refusal(path, changed)


def test_ids_that_no_file_of_utf_8_can_hold(file):
    path, content = file
    users = [f"\ud800{user}" for user in range(len(content["users"]))]
    assert "not Unicode" in refusal(path, {**content, "users": users})


def test_a_class_that_cannot_be_built(file):
    path, content = file
    name = "glocalk.completers.base.Completer"
    changed = {**content, "class_name": name, "model_version": 1}
    assert "which is not a completer" in refusal(path, changed)
