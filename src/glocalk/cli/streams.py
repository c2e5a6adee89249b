"""Output to pipes whose reader closes them, to full disks, and to terminals that are not UTF-8."""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
from collections.abc import Callable
from typing import TextIO

_PLAIN = {
    "←": "<-",
    "→": "->",
    "–": "-",
    "—": "-",
    "…": "...",
    "±": "+-",
    "×": "x",
    "·": "-",
    "≤": "<=",
    "≥": ">=",
    "λ": "lambda",
    "α": "alpha",
    "²": "^2",
    "³": "^3",
    "₂": "_2",
    "ᵤ": "_u",
    "ᵢ": "_i",
    "γ": "gamma",
    "ε": "epsilon",
    "µ": "mu",
    "Ŵ": "W^",
    "−": "-",
    "∞": "inf",
    "█": "#",
}
"""Characters of glocalk's own texts, and what stands for them in ASCII."""


class _ReaderLeftError(BaseException):
    """The reader of a pipe, such as `head`, has closed it.

    Not an `Exception`, so that no handler takes it for a failure of what is being done.
    """


class _Output(io.TextIOWrapper):
    """A stream of text whose reader may leave, and whose disk may be full.

    Attributes:
        error: why the rest of the text is not written.
    """

    error: OSError | None = None

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            raise _ReaderLeftError from None
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            raise _ReaderLeftError from None
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Go on without output: the training matters more."""
        self.error = error
        _write_nowhere(self)


def with_output(work: Callable[[], int]) -> int:
    """Do `work`, which prints; returns its exit code.

    A character that the encoding of the output lacks is written in ASCII. If the reader of the
    output leaves, the work ends quietly, as a program ends that SIGPIPE stops. If the output cannot
    be written, for example because the disk is full, the work is done nevertheless, and the exit
    code says that something is missing.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _output(sys.stdout), _output(sys.stderr)
    try:
        try:
            code = work()
        finally:
            sys.stdout.flush()
        if isinstance(sys.stdout, _Output) and sys.stdout.error is not None:
            reason = sys.stdout.error.strerror
            print(f"A part of the output could not be written ({reason}).", file=sys.stderr)
            return code or 1
        return code
    except _ReaderLeftError:
        _write_nowhere(sys.stdout)
        _write_nowhere(sys.stderr)
        return 128 + signal.SIGPIPE
    finally:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, _Output):
                stream.detach()
        sys.stdout, sys.stderr = before


def _output(stream: TextIO) -> TextIO:
    """The stream as text that is never refused; one that is not a file is left as it is."""
    if not isinstance(stream, io.TextIOWrapper):  # a test's, or a notebook's
        return stream
    stream.flush()
    return _Output(
        stream.buffer,
        encoding=stream.encoding,
        errors="glocalk.plain",
        newline=None,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _write_nowhere(stream: TextIO) -> None:
    """Discard what is still buffered and what follows."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    stream.flush()


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """The handler of encoding errors: the character in ASCII, or its code point as an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if character in _PLAIN:
        return _PLAIN[character], error.start + 1
    return codecs.backslashreplace_errors(
        UnicodeEncodeError(error.encoding, error.object, error.start, error.start + 1, error.reason)
    )


codecs.register_error("glocalk.plain", _plain)
