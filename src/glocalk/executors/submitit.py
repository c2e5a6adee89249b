"""`executor=submitit`: jobs of a SLURM cluster, each run one job.

All nodes must see the same folders: the environment of this command, the data, and `runs_dir`.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from glocalk.errors import GlocalkError, one_line
from glocalk.executors.base import ExecutorConfig, RunExecutor
from glocalk.executors.process import Outcome, lost, stop_runs

_AT_ONCE = 32
_EVERY = 0.5  # seconds between two looks at a job
_TO_STOP = 20.0  # seconds that a run has before its job ends at its time limit


class SubmititConfig(ExecutorConfig):
    """What SLURM is asked for."""

    cluster: Literal["slurm", "local"] = Field(
        default="slurm", description="slurm; local: processes on this machine, to try out a plan"
    )
    folder: Path = Field(default=Path("runs/submitit"), description="folder of logs, on all nodes")
    jobs: int | None = Field(
        default=None, ge=1, le=1024, description="jobs in the queue at once; null: 32"
    )
    threads: int = Field(default=1, ge=1, le=1024, description="cores, and threads, of each run")
    gpus: int = Field(default=0, ge=0, description="GPUs of each run")
    minutes: int = Field(
        default=720,
        ge=1,
        description="time limit; a run that reaches it is put into the queue again and continues",
    )
    memory_gb: float = Field(default=8.0, gt=0, description="memory of each run")
    partition: str | None = Field(default=None, description="partition; null: the cluster's own")
    options: dict[str, Any] = Field(
        default={}, description="more options of sbatch, as in +executor.options.account=name"
    )


class SubmititExecutor(RunExecutor):
    """Jobs of a SLURM cluster.

    Args:
        config: what they ask for.

    Raises:
        GlocalkError: there is no SLURM here, or it knows no such option.
    """

    Config = SubmititConfig
    package = "submitit", "slurm"
    grace = 60.0  # SLURM kills 30 seconds after its request to stop

    def __init__(self, config: SubmititConfig) -> None:
        import submitit

        super().__init__(config.jobs or _AT_ONCE, config.threads, config.retries)
        self._is_local = config.cluster == "local"
        self._submitting = threading.Lock()
        self._jobs: set[Any] = set()
        self._told: set[Any] = set()
        options = {"partition": config.partition, "signal_delay_s": 90, **config.options}
        if config.gpus:
            options["gpus_per_node"] = config.gpus
        try:
            self._cluster = submitit.AutoExecutor(config.folder, cluster=config.cluster)
            self._cluster.update_parameters(
                name="glocalk",
                timeout_min=config.minutes,
                mem_gb=config.memory_gb,
                cpus_per_task=config.threads,
                **{f"slurm_{name}": value for name, value in options.items() if value is not None},
            )
        except RuntimeError as error:  # no srun
            raise GlocalkError(
                f"There is no SLURM on this machine ({one_line(error)}): start the command on a "
                "login node, or choose executor=local."
            ) from error
        except (NameError, TypeError, ValueError, AssertionError) as error:
            why = one_line(error).partition(" Known executors:")[0]  # lists of other things follow
            raise GlocalkError(f"executor.options cannot be used: {why}") from error
        except OSError as error:
            raise GlocalkError(
                f"The folder '{config.folder}' cannot be written to ({error.strerror}): choose "
                "another with executor.folder=…"
            ) from error

    def call(self, function: Callable[[], Outcome]) -> Outcome:
        """Call a function in a job and wait for the job."""
        from submitit.core.utils import FailedJobError, FailedSubmissionError, UncompletedJobError

        try:
            with self._submitting:
                job = self._cluster.submit(_Call(function))
        except (FailedJobError, FailedSubmissionError) as error:
            return Outcome(1, f"SLURM does not accept its job: {one_line(error)}")
        self._jobs.add(job)
        try:
            while not job.done(force_check=job in self._told):
                time.sleep(_EVERY)
            if job in self._told and not job.paths.result_pickle.exists():
                return lost("its job was canceled")
            outcome: Outcome = job.result()
            return outcome
        except UncompletedJobError:
            return lost(f"its job {job.job_id} ended without a result: see '{job.paths.stderr}'")
        except FailedJobError as error:
            return Outcome(1, one_line(str(error).strip().splitlines()[-1]))
        finally:
            self._jobs.discard(job)
            self._told.discard(job)

    def stop_running(self, number: int) -> None:  # noqa: ARG002 (SLURM has its own)
        """Cancel the jobs; SLURM asks their runs to stop, with SIGTERM."""
        for job in self._jobs - self._told:
            self._told.add(job)
            if not self._is_local:
                job.cancel(check=False)
            elif not job.done():
                os.kill(int(job.job_id), signal.SIGTERM)  # submitit's way leaves a run one second


@dataclass(frozen=True)
class _Call:
    """A call that is put into the queue again at its time limit."""

    function: Callable[[], Outcome]

    def __call__(self) -> Outcome:
        return self.function()

    def checkpoint(self) -> Any:
        """Stop the run, so that it has its checkpoint; called by submitit before the limit."""
        from submitit.helpers import DelayedSubmission

        stop_runs(signal.SIGTERM, _TO_STOP)
        return DelayedSubmission(self)
