"""Errors that a user can cause: each message is one sentence that says what is wrong and how to
fix it.
"""

from __future__ import annotations

import re

# Control characters, separators of lines, controls of the direction of text, and halves of
# surrogate pairs, which stand for bytes of a file name that are not UTF-8.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)

_CREDENTIALS = re.compile(r"(?<=://)[^/\s'\"]*@")
_QUERY = re.compile(r"(://[^\s'\"?]*)\?[^\s'\"]*")


def printable(text: str) -> str:
    r"""The text with an escape (`\x1b`, `\u202e`) for each character that is not shown as itself.

    A terminal obeys some of them, and others end a line.
    """
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


class GlocalkError(Exception):
    """Base of the errors below; the command line prints the message and exits with code 1.

    Args:
        message: one sentence. It may quote names and texts from files: what a terminal would obey
            in them is escaped.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class MissingDataError(GlocalkError):
    """A data set's files are not in the data folder and could not be downloaded."""


class TrainerError(GlocalkError):
    """This machine cannot make the `lightning.Trainer` that the options name."""


class NotFittedError(GlocalkError):
    """A completer was asked to predict, or for its state, before it was fitted."""


def one_line(text: object) -> str:
    """A text, or the message of another library's error, with single spaces and no line breaks."""
    return " ".join(str(text).split())


def shown(value: object) -> str:
    """A value as error sentences quote it: on one line, and short."""
    line = one_line(value)
    return line if len(line) <= 40 else f"{line[:39]}…"


def without_secrets(text: object) -> str:
    """A text on one line, its URLs without names, passwords and queries."""
    return _QUERY.sub(r"\1", _CREDENTIALS.sub("", one_line(text)))
