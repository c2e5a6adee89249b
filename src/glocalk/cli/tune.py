"""`glocalk tune model=item_knn data=ml_100k`: search settings on held-out ratings."""

from __future__ import annotations

import logging
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from pydantic import Field

from glocalk.cli.app import exit_with_sentence, plain, run_app, run_settings
from glocalk.config import BaseConfig
from glocalk.run.search import describe, search

_log = logging.getLogger(__name__)


class TuneConfig(BaseConfig):
    """What a search has beyond the run that it varies."""

    trials: int = Field(ge=1)
    search: dict[str, Any]


@hydra.main(version_base="1.3", config_path="pkg://glocalk.conf", config_name="tune")
def _app(config: DictConfig) -> None:
    with exit_with_sentence():
        options = plain(config)
        own = {name: options.pop(name) for name in TuneConfig.model_fields}
        tuning = TuneConfig.check(own, "")
        run = run_settings(config, without=TuneConfig.model_fields)
        record = search(run, tuning.search, tuning.trials)
        choices = HydraConfig.get().runtime.choices
        if record.best is not None:
            _log.info("Best: %s", describe(record.best))
            _log.info(
                "For conf/settings/%s/%s.yaml, with settings_from: validation.",
                choices["model"],
                choices["data"],
            )


def main() -> None:
    """Entry point."""
    run_app(_app)


if __name__ == "__main__":
    main()
