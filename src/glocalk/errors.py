"""Errors that a user can cause: each message is one sentence that says what is wrong and how to
fix it.
"""

from __future__ import annotations


class GlocalkError(Exception):
    """Base of the errors below; the command line prints the message and exits with code 1."""


class MissingDataError(GlocalkError):
    """A data set's files are not in the data folder and could not be downloaded."""


class NotFittedError(GlocalkError):
    """A completer was asked to predict, or for its state, before it was fitted."""


def shown(value: object) -> str:
    """A value as error sentences quote it: on one line, and short."""
    line = " ".join(str(value).split())
    return line if len(line) <= 40 else f"{line[:39]}…"
