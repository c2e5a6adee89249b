"""Made-up runs with errors of many users."""

import numpy as np

from report.factory import record, result

USERS = 40
PROTOCOLS = ("best_test", "validated", "last", "official")

_COUNTS = np.arange(1, USERS + 1)
_LEVELS = np.where(np.arange(USERS) % 2, 1.2, 0.8)  # by user; the errors of all runs share them


def run(rmse, last=None, without=(), shift=0.0, **changes):
    """A run with this RMSE under every protocol, `last` aside; `shift` moves error among users.

    Without a shift, the squared errors of two runs are proportional, user by user.
    """
    values = {name: rmse for name in PROTOCOLS if name not in without}
    if last is not None:
        values["last"] = last
    made = record(
        protocols={name: result(value, 2) for name, value in values.items()},
        user_counts=[int(count) for count in _COUNTS],
        **changes,
    )
    errors = {f"final/{name}": _errors(value, shift) for name, value in values.items()}
    return made.model_copy(update={"user_errors": errors})


def _errors(rmse, shift):
    """[users] Sums of squared errors whose pooled RMSE is `rmse`."""
    levels = _LEVELS + shift * np.sin(np.arange(USERS))
    errors = _COUNTS * levels
    return list(errors * rmse**2 * _COUNTS.sum() / errors.sum())
