"""MLflow: a tracked run for each training, in a database, a folder or a server."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from glocalk.errors import without_secrets
from glocalk.run.trackers.base import Columns, End, Tracked, Tracker, rows_of

if TYPE_CHECKING:
    from lightning.pytorch.loggers import MLFlowLogger

_STATUS = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
_DEFAULTS = {
    # MLflow itself would repeat a request for minutes, during which a training waits.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}


class MlflowTracker(Tracker):
    """Lightning's `MLFlowLogger`, which continues the tracked run of a training that was resumed.

    A figure that the tracked run has under the same name and epoch is not logged again.

    Args:
        tracking_uri: `http://…` of a server, `sqlite:///mlflow.db`; None takes that of the
            environment variable `MLFLOW_TRACKING_URI`, or else `sqlite:///mlflow.db`.
        experiment_name: name of the MLflow experiment, which is made if there is none.
    """

    key = "mlflow"
    title = "MLflow"
    others = ", and the driver of a database other than SQLite"

    def __init__(self, tracking_uri: str | None = None, experiment_name: str = "glocalk") -> None:
        default = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
        self._uri, self._experiment = str(tracking_uri or default), str(experiment_name)
        self._made: MLFlowLogger | None = None
        self._logged: set[tuple[str, int]] = set()

    @property
    def address(self) -> str:
        return without_secrets(self._uri)

    def check(self) -> None:
        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)
        # What urllib3 says of each attempt is in the sentence about the last one.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        with _database(self._uri):
            client = MlflowClient(self._uri)
            if client.get_experiment_by_name(self._experiment) is None:
                try:
                    client.create_experiment(self._experiment)
                except MlflowException as error:  # by another process at the same time
                    if error.error_code != "RESOURCE_ALREADY_EXISTS":
                        raise

    def begin(self, tracked: Tracked, held: str | None) -> str:
        from lightning.pytorch.loggers import MLFlowLogger
        from mlflow.tracking import MlflowClient

        held = held if held and _exists(MlflowClient(self._uri), held) else None
        self._made = MLFlowLogger(
            experiment_name=self._experiment,
            run_name=tracked.name,
            tracking_uri=self._uri,
            tags={**tracked.tags, "group": tracked.group},
            run_id=held,
            synchronous=True,
        )
        client, run = self._made.experiment, self._run
        self._logged = set()
        if held:
            client.update_run(run, status="RUNNING")
            for name in client.get_run(run).data.metrics:
                history = client.get_metric_history(run, name)
                self._logged |= {(name, metric.step) for metric in history}
        self._made.log_hyperparams(dict(tracked.parameters))
        return run

    def follow(self, columns: Columns) -> None:
        assert self._made is not None
        for _, epoch, figures in rows_of(columns):
            step = epoch or 0
            new = {name: x for name, x in figures.items() if (name, step) not in self._logged}
            if new:
                self._made.log_metrics(new, step=step)
                self._logged |= {(name, step) for name in new}

    def end(self, how: End, results: Mapping[str, float], record: Path | None) -> None:
        assert self._made is not None
        new = {name: x for name, x in results.items() if (name, 0) not in self._logged}
        if new:
            self._made.log_metrics(new, step=0)
        if record is not None:
            self._made.experiment.log_artifact(self._run, str(record))
        self._made.experiment.set_terminated(self._run, _STATUS[how])
        self._made = None

    @property
    def _run(self) -> str:
        assert self._made is not None
        run = self._made.run_id
        assert run is not None
        return run


@contextmanager
def _database(uri: str) -> Iterator[None]:
    """Hold the lock of an SQLite database: MLflow cannot make its tables in two processes at once.

    Raises:
        SQLAlchemyError: it cannot be connected to, which MLflow would try for two minutes.
    """
    import sqlalchemy
    from mlflow.store.db.db_types import DATABASE_ENGINES

    if uri.partition(":")[0].partition("+")[0] not in DATABASE_ENGINES:
        yield
        return
    path = sqlalchemy.make_url(uri).database
    is_file = uri.startswith("sqlite") and path not in (None, "", ":memory:")
    if is_file:
        Path(str(path)).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy.create_engine(uri)
    sqlalchemy.inspect(engine).get_table_names()
    engine.dispose()
    if not is_file:
        yield
        return
    with FileLock(f"{path}.lock"):
        yield


def _exists(client: Any, run: str) -> bool:
    """Whether a tracked run is still there: somebody may have deleted it."""
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
