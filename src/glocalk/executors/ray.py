"""`executor=ray`: tasks of a Ray cluster, each run one task.

All nodes must see the same folders: an environment with glocalk, the data, and `runs_dir`.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import psutil
from pydantic import Field

from glocalk import stopping
from glocalk.errors import GlocalkError, one_line
from glocalk.executors.base import ExecutorConfig, RunExecutor
from glocalk.executors.process import Outcome, call, lost
from glocalk.stopping import StoppedError
from glocalk.threads import ALL_THREADS

_OBJECTS = 100 << 20  # bytes that a local cluster keeps for objects: outcomes are small
_TO_END = 5.0  # seconds


class RayConfig(ExecutorConfig):
    """Which cluster, and what a run asks for."""

    address: str | None = Field(
        default=None,
        description="auto, ray://host:10001 or host:port of a cluster; null: one on this machine, "
        "which ends with this command",
    )
    jobs: int | None = Field(
        default=None, ge=1, le=1024, description="tasks at once; null: one for each free CPU"
    )
    threads: int = Field(default=1, ge=1, le=1024, description="CPUs, and threads, of each run")
    gpus: float = Field(default=0.0, ge=0, description="GPUs of each run")


class RayExecutor(RunExecutor):
    """Tasks of a Ray cluster.

    Args:
        config: which cluster.

    Raises:
        GlocalkError: the cluster cannot be reached, or has too few CPUs.
    """

    Config = RayConfig
    package = "ray", "ray"
    grace = 15.0

    def __init__(self, config: RayConfig) -> None:
        import ray

        self._others = set(psutil.Process().children(recursive=True))
        with stopping.longer(self.grace):
            _start(config)
        cpus = int(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
        if cpus < config.threads:
            ray.shutdown()
            raise GlocalkError(
                f"The Ray cluster has {cpus} CPUs and a run asks for {config.threads}: choose "
                "fewer with executor.threads=…"
            )
        super().__init__(config.jobs or cpus // config.threads, config.threads, config.retries)
        # A lost run is repeated by the plan, whatever makes it.
        asks = ray.remote(num_cpus=config.threads, num_gpus=config.gpus, max_retries=0)
        self._remote = asks(call)
        self._tasks: set[Any] = set()
        self._told: set[Any] = set()

    def call(self, function: Callable[[], Outcome]) -> Outcome:
        """Call a function in a task and wait for it."""
        import ray
        from ray.exceptions import RayError, RayTaskError, TaskCancelledError

        task = self._remote.remote(function)
        self._tasks.add(task)
        try:
            outcome: Outcome = ray.get(task)
            return outcome
        except TaskCancelledError:
            return lost("its task was canceled")
        except RayTaskError as error:
            return Outcome(1, one_line(error.cause or error))
        except RayError as error:
            return lost(type(error).__name__)
        finally:
            self._tasks.discard(task)
            self._told.discard(task)

    def stop_running(self, number: int) -> None:  # noqa: ARG002 (Ray has its own)
        """Cancel the tasks; Ray interrupts them, and they stop their runs."""
        import ray

        for task in self._tasks - self._told:
            self._told.add(task)
            ray.cancel(task)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the runs and leave the cluster; a local one ends, too."""
        import ray

        super().shutdown(wait, cancel_futures=cancel_futures)
        unless_stopped = nullcontext() if stopping.requested() else stopping.only_at_safe_points()
        with stopping.longer(self.grace), unless_stopped:
            own = set(psutil.Process().children(recursive=True)) - self._others
            ray.shutdown()
            # A local cluster's workers end when they notice that its daemon has.
            for process in psutil.wait_procs(own, timeout=_TO_END)[1]:
                process.kill()


def _start(config: RayConfig) -> None:
    import ray

    own: dict[str, Any] = {}
    if config.address is None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        cpus = max(ALL_THREADS, (config.jobs or 1) * config.threads)
        own = {"num_cpus": cpus, "object_store_memory": _OBJECTS, "include_dashboard": False}
    try:
        with _signals_kept(), stopping.only_at_safe_points():
            ray.init(
                address=config.address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **own,
            )
    except (OSError, RuntimeError, ValueError) as error:
        raise GlocalkError(
            f"The Ray cluster '{config.address or 'local'}' cannot be reached "
            f"({one_line(error)[:200]}): start it, or choose another with executor.address=…"
        ) from error
    except StoppedError:
        ray.shutdown()
        raise


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep the handlers of signals, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
