"""Configs of plans."""

from glocalk.reproduce.config import reproduce_config
from glocalk.run.compose import compose


def config_of(experiment, *overrides, config_dirs=()):
    config = compose("reproduce", [f"experiment={experiment}", *overrides], config_dirs)
    return reproduce_config(config, config.hydra)
