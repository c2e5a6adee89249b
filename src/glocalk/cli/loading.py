"""The model of a run, for the commands that predict with it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from glocalk.cli.lean import import_torchmetrics
from glocalk.config import import_problem
from glocalk.errors import GlocalkError

if TYPE_CHECKING:
    from glocalk.completers.base import Completer


def load_model(run: Path, module: str | None) -> Completer:
    """The fitted completer of a run.

    Args:
        run: folder of the run, or a model file.
        module: what to import before it, for a completer outside glocalk.

    Raises:
        GlocalkError: the module cannot be imported, or as `glocalk.load` does.
    """
    import_torchmetrics()
    from glocalk.completers.registry import load

    _import(module)
    return load(run)


def _import(module: str | None) -> None:
    if module is None:
        return
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise GlocalkError(
            f"Option 'module' names '{module}', which cannot be imported ({import_problem(error)})."
        ) from error
