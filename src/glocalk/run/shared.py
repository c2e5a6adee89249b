"""What the stages that runs share depend on besides the model."""

from __future__ import annotations

import torch

from glocalk.data.splits import Split
from glocalk.names import inside
from glocalk.run import provenance
from glocalk.run.config import RunConfig
from glocalk.training.shared import SharedStages


def shared_stages(config: RunConfig, split: Split) -> SharedStages:
    """Where stages are shared, and all that they and their curves depend on besides the model.

    The checksum of the split stands for the data, the share of the ratings kept, and what is held
    out from them.

    Args:
        config: config of the run.
        split: the ratings of the training.

    Raises:
        GlocalkError: the folder of what is shared is a link to a place outside of `runs_dir`.
    """
    options = config.trainer.options
    return SharedStages(
        inside(config.runs_dir, ".shared"),
        {
            "split": split.checksum,
            "clip": config.protocol.clip,
            "trainer": options,
            "threads": torch.get_num_threads(),
            "device": provenance.device(str(options.get("accelerator"))),
            "processor": provenance.cpu(),
            "versions": provenance.versions(),
        },
    )
