"""The search spaces in conf/search: what they name exists, and holds what a run has by now."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

CONF = Path(__file__).parents[1] / "conf"
SPACES = sorted(path.stem for path in (CONF / "search").glob("*.yaml"))


def options(tree):
    """Dotted names and values below a node, ranges and lists left whole."""
    found = {}

    def walk(node, prefix):
        for name, value in node.items():
            if isinstance(value, dict) and "low" not in value:
                walk(value, f"{prefix}{name}.")
            else:
                found[prefix + name] = value

    walk(tree, "")
    return found


def load(path):
    return OmegaConf.to_container(OmegaConf.load(path))


@pytest.mark.parametrize("model", SPACES)
def test_every_standing_value_is_among_what_is_tried(model):
    space = options(load(CONF / "search" / f"{model}.yaml"))
    standing = options(load(CONF / "model" / f"{model}.yaml"))
    assert space.keys() <= standing.keys()
    settings = sorted((CONF / "settings" / model).glob("*.yaml"))
    for changed in [{}, *(options(load(path)["model"]) for path in settings)]:
        for name, choice in space.items():
            value = {**standing, **changed}[name]
            if isinstance(choice, list):
                assert value in choice, name
            else:
                assert choice["low"] <= value <= choice["high"], name
