"""`glocalk train model=glocal_k data=ml_100k seed=0`: one run, or with -m a sweep."""

from __future__ import annotations

import logging
import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from glocalk.cli.app import exit_with_sentence, run_app, run_settings
from glocalk.errors import GlocalkError
from glocalk.records.run import PROTOCOLS, Record
from glocalk.run.execute import execute

_log = logging.getLogger(__name__)


@hydra.main(version_base="1.3", config_path="pkg://glocalk.conf", config_name="train")
def _app(config: DictConfig) -> None:
    if HydraConfig.get().mode == RunMode.RUN:
        with exit_with_sentence():
            record = execute(run_settings(config))
    else:
        try:
            record = execute(run_settings(config))
        except GlocalkError as error:
            print(error, file=sys.stderr)
            raise  # the sweep goes on; Hydra tells of its first failure at the end
    _log.info("%s", _summary(record))


def _summary(record: Record) -> str:
    """The test RMSE under every protocol, on one line."""
    results = (
        f"{name} {record.protocols[name].rmse:.4f}"
        for name in PROTOCOLS
        if name in record.protocols
    )
    title = f"{record.data} {record.model} seed {record.seed} (variant {record.variant})"
    return f"{title}: test RMSE {', '.join(results)}"


def main() -> None:
    """Entry point."""
    run_app(_app)


if __name__ == "__main__":
    main()
