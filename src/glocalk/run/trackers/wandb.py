"""Weights & Biases: a tracked run for each training, online or in files to synchronize later."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from glocalk.run.trackers.base import Columns, End, Tracked, Tracker, rows_of

if TYPE_CHECKING:
    from lightning.pytorch.loggers import WandbLogger

_LONGEST_TAG = 64


class WandbTracker(Tracker):
    """Lightning's `WandbLogger`, which continues the tracked run of a training that was resumed.

    Epochs are logged under the number of the row in the curves as the step. Online, those that the
    server has are not logged again. Offline, a training that is continued has a new file with all
    epochs, because that of a process that was killed may lack some. Neither code nor the
    command line, the environment or what is printed goes to W&B.

    Args:
        project: name of the project.
        entity: user or team; None takes the default of the account.
        mode: online, offline or disabled; None takes that of the environment variable
            `WANDB_MODE`, or else online.
        save_dir: folder in which W&B makes its folder `wandb`.
    """

    key = "wandb"
    title = "W&B"
    remedy = "log in and check its options, take logger.wandb.mode=offline"

    def __init__(
        self,
        project: str = "glocalk",
        entity: str | None = None,
        mode: str | None = None,
        save_dir: str = ".",
    ) -> None:
        self._project, self._entity, self._save_dir = project, entity, save_dir
        self._mode = mode or os.environ.get("WANDB_MODE") or "online"
        self._made: WandbLogger | None = None
        self._id: str | None = None
        self._rows = 0
        self._stages: set[str] = set()

    @property
    def address(self) -> str:
        return "/".join(part for part in (self._entity, self._project) if part)

    def check(self) -> None:
        import wandb

        if self._mode != "disabled":  # W&B itself would take a temporary folder instead
            folder = Path(self._save_dir)
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        if self._mode == "online" and wandb.run is None:
            wandb.login()  # an error without an API key, or if the server refuses it

    def begin(self, tracked: Tracked, held: str | None) -> str:
        import wandb
        from lightning.pytorch.loggers import WandbLogger

        self._id, self._rows, self._stages = held or secrets.token_hex(8), 0, set()
        tags = tracked.tags
        named = [tags["data"], tags["model"], tags["experiment"], tracked.training]
        run = wandb.init(
            project=self._project,
            entity=self._entity,
            name=tracked.name,
            group=tracked.group,
            job_type=tracked.training,
            tags=[name[:_LONGEST_TAG] for name in named],
            id=self._id,
            resume="allow",
            reinit="create_new",  # a Python program may have a run of its own
            mode=self._mode,  # type: ignore[arg-type]
            dir=self._save_dir,
            settings=wandb.Settings(
                console="off",
                disable_code=True,
                disable_git=True,
                init_timeout=30,
                silent=True,
                x_disable_meta=True,
            ),
        )
        self._made = WandbLogger(experiment=run)
        self._made.log_hyperparams({**tracked.parameters, **tags})
        if run.resumed:  # never offline
            self._rows = max(run.step - 1, 0)
        return self._id

    def follow(self, columns: Columns) -> None:
        assert self._made is not None
        run = self._made.experiment
        for step, (stage, epoch, figures) in enumerate(rows_of(columns), start=1):
            if step <= self._rows:
                continue
            if stage not in self._stages:
                run.define_metric(f"{stage}/epoch", hidden=True)
                run.define_metric(f"{stage}/*", step_metric=f"{stage}/epoch")
                self._stages.add(stage)
            run.log({**figures, f"{stage}/epoch": epoch or 0}, step=step)
            self._rows = step

    def end(self, how: End, results: Mapping[str, float], record: Path | None) -> None:
        import wandb

        assert self._made is not None
        run = self._made.experiment
        run.summary.update(dict(results))
        if record is not None:
            name = re.sub(r"[^\w.-]", "_", record.parent.name)[-100:]
            artifact = wandb.Artifact(f"record-{name}", type="record")
            artifact.add_file(str(record))
            run.log_artifact(artifact)
        run.finish(exit_code=0 if how == "finished" else 1)
        self._made = None
