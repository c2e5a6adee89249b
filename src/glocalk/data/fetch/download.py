"""Files from HTTP addresses, whole or out of a zip archive, and the asking of places beforehand."""

from __future__ import annotations

import dataclasses
import http.client
import logging
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import BinaryIO, TypeVar
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from glocalk.data.fetch.files import FileSet, Probed, UnavailableError, offline
from glocalk.errors import MissingDataError

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
_PROBING = 60.0  # seconds for all probes together
_CHUNK = 1 << 16
_AGENT = "glocalk (research; https://arxiv.org/abs/2108.12184)"
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers of a server that may soon give another
_NO_HEAD = {400, 403, 405, 501}  # answers of a server that may yet give the file
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class _PassingError(UnavailableError):
    """The server is there but did not give the file: it may when asked again.

    Attributes:
        status: of its answer; None where it did not answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class _RefusedError(UnavailableError):
    """The server will not give the file, however often it is asked.

    Attributes:
        status: of its answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _UnreachedError(UnavailableError):
    """No connection came about."""


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds.

    Attributes:
        silence: for a connection, and for each piece of an answer.
        pauses: before asking again, once for each.
        whole: for a file, all tries together; ends a server that sends drop by drop.
    """

    silence: float = 10.0
    pauses: tuple[float, ...] = (1.0, 2.0, 4.0)
    whole: float = 1800.0


@dataclass(frozen=True)
class Download:
    """An HTTP address as a place to get one file of a data set from.

    Attributes:
        name: as in `getting it from …`.
        address: of the file, or of the zip archive that it is a member of.
        limit: most bytes that the address may send.
        member: exact name in the archive; None where the address gives the file itself.
        member_limit: most bytes that the member may unpack to.
        patience: how long to wait.
    """

    name: str
    address: str
    limit: int
    member: str | None = None
    member_limit: int = 0
    patience: Patience = Patience()

    def fetch(self, file: str, target: Path) -> None:
        """Write the file to `target`; see `glocalk.data.sources.Place`."""
        self._check_name(file)
        if self.member is None:
            self._download(target)
            return
        archive = target.with_name(f"{target.name}.zip")
        try:
            self._download(archive)
            unpack(archive, self.member, self.member_limit, target)
        finally:
            archive.unlink(missing_ok=True)

    def probe(self, file: str) -> None:
        """Ask for the file's headers; see `glocalk.data.sources.Probed`."""
        self._check_name(file)
        try:
            try:
                self._open("HEAD", {}, self.patience.silence).close()
            except _RefusedError as error:
                if error.status not in _NO_HEAD:
                    raise
                self._open("GET", {"Range": "bytes=0-0"}, self.patience.silence).close()
        except _PassingError as error:
            if error.status is None:
                raise
            # A busy server is a reached one: `fetch` asks it again.

    def _check_name(self, file: str) -> None:
        if file != PurePosixPath(self.member or urlsplit(self.address).path).name:
            raise UnavailableError(f"it has no '{file}'")

    def _download(self, target: Path) -> None:
        """Write what the address sends to `target`; what breaks off goes on where it ended."""
        deadline = time.monotonic() + self.patience.whole
        with target.open("wb") as file, _bar(self.name) as show:
            body = _Body(file, self.limit, show)
            for pause in (*self.patience.pauses, None):
                try:
                    self._receive(body, deadline)
                    return
                except (_PassingError, _UnreachedError) as error:
                    # Who was never reached is not asked again: there are other places.
                    never = isinstance(error, _UnreachedError) and not body.answered
                    if never or pause is None or time.monotonic() + pause > deadline:
                        raise
                    _log.info("%s: %s, asking again in %g s.", self.name, error, pause)
                    time.sleep(pause)

    def _receive(self, body: _Body, deadline: float) -> None:
        """One try at the rest of the body."""
        try:
            response = self._open("GET", body.request_headers(), 3 * self.patience.silence)
        except (_PassingError, _RefusedError) as error:
            body.answered = True
            if isinstance(error, _RefusedError) and error.status == 416:  # no such range (any more)
                body.restart()
                raise _PassingError("the file there has changed") from error
            raise
        with response:
            body.begin(response)
            while chunk := self._read(response):
                body.write(chunk)
                if time.monotonic() > deadline:
                    raise UnavailableError(f"it is not done after {self.patience.whole:g} s")
        body.end()

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read1(_CHUNK)
        except TimeoutError as error:
            raise _PassingError(f"it sent nothing for {self.patience.silence:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise _PassingError("the connection broke") from error

    def _open(
        self, method: str, headers: Mapping[str, str], seconds: float
    ) -> http.client.HTTPResponse:
        """The answer to a request, its body not yet read.

        Args:
            method: GET or HEAD.
            headers: of the request.
            seconds: to wait for it in all.
        """
        request = urllib.request.Request(
            self.address, method=method, headers={"User-Agent": _AGENT, **headers}
        )

        def call() -> http.client.HTTPResponse:
            response = urllib.request.urlopen(request, timeout=self.patience.silence)
            if not isinstance(response, http.client.HTTPResponse):
                raise urllib.error.URLError("it leads away from HTTP")
            return response

        try:
            return _within(seconds, call)
        except urllib.error.HTTPError as error:
            error.close()
            said = " ".join(f"it answers {error.code} {error.reason}".split())
            if error.code in _PASSING:
                raise _PassingError(said, error.code) from error
            raise _RefusedError(said, error.code) from error
        except urllib.error.URLError as error:
            raise _UnreachedError(self._why(error.reason)) from error
        except TimeoutError as error:  # after a connection had been made
            raise _PassingError(f"it did not answer within {self.patience.silence:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise _PassingError("it broke off before it answered") from error

    def _why(self, reason: object) -> str:
        """Why no connection came about, as a clause."""
        host = urlsplit(self.address).hostname
        if isinstance(reason, TimeoutError):
            return f"no connection to {host} within {self.patience.silence:g} s"
        if isinstance(reason, socket.gaierror):
            return f"the name {host} cannot be resolved"
        if isinstance(reason, ssl.SSLCertVerificationError):
            return f"the certificate of {host} does not hold: {reason.verify_message}"
        said = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
        return f"no connection to {host}: {said}"


class _Body:
    """A body that grows in a file over several tries.

    Args:
        file: empty, open for writing.
        limit: most bytes it may have.
        show: told the number of bytes received and to be received.

    Attributes:
        answered: whether the server ever answered.
    """

    def __init__(self, file: BinaryIO, limit: int, show: Callable[[int, int | None], None]) -> None:
        self.answered = False
        self._file, self._limit, self._show = file, limit, show
        self._received = 0
        self._total: int | None = None
        self._validator: str | None = None

    def request_headers(self) -> dict[str, str]:
        """What asks for the rest, where the server can tell that the file is still the same."""
        if not (self._received and self._total and self._validator):
            return {}
        return {"Range": f"bytes={self._received}-", "If-Range": self._validator}

    def begin(self, response: http.client.HTTPResponse) -> None:
        """Take the headers of an answer: it goes on, or the body starts again."""
        self.answered = True
        if response.status == 206:
            match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            known = self._received, self._total, self._validator
            if match is None or (int(match[1]), int(match[2]), _validator(response)) != known:
                self.restart()
                raise _PassingError("the file there has changed")
        elif response.status == 200:
            self.restart()
            self._total, self._validator = response.length, _validator(response)
            if self._total is not None and self._total > self._limit:
                raise UnavailableError(
                    f"it would send {self._total} bytes, more than the {self._limit} expected"
                )
        else:
            raise UnavailableError(f"it answers {response.status} {response.reason}")
        self._show(self._received, self._total)

    def write(self, chunk: bytes) -> None:
        """Append to the body."""
        self._received += len(chunk)
        most = self._limit if self._total is None else self._total
        if self._received > most:
            raise UnavailableError(f"it sends more than the {most} bytes expected")
        self._file.write(chunk)
        self._show(self._received, self._total)

    def end(self) -> None:
        """Check that all has come, and leave it in the file."""
        if self._total is not None and self._received < self._total:
            raise _PassingError(f"it broke off after {self._received} of {self._total} bytes")
        self._file.flush()

    def restart(self) -> None:
        """Forget what has come."""
        self._file.seek(0)
        self._file.truncate()
        self._received, self._total, self._validator = 0, None, None


def _validator(response: http.client.HTTPResponse) -> str | None:
    """What tells a file from its next version: a strong ETag, or else the time of its change."""
    etag: str | None = response.headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    changed: str | None = response.headers.get("Last-Modified")
    return changed


def unpack(archive: Path, member: str, limit: int, target: Path) -> None:
    """Write one member of a zip archive to `target`: its name in the archive leads nowhere.

    Raises:
        UnavailableError: the archive is damaged, has no such member, or it is larger than `limit`.
    """
    try:
        with zipfile.ZipFile(archive) as opened, target.open("wb") as file:
            too_large = UnavailableError(f"its '{member}' has more than the {limit} bytes expected")
            info = opened.getinfo(member)
            if info.file_size > limit:
                raise too_large
            with opened.open(info) as stream:
                size = 0
                while chunk := stream.read(_CHUNK):
                    size += len(chunk)
                    if size > limit:  # the archive lies about the size
                        raise too_large
                    file.write(chunk)
    except KeyError as error:
        raise UnavailableError(f"its archive has no '{member}'") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        # RuntimeError: encrypted, or packed in a way that zipfile does not know.
        raise UnavailableError("its archive is damaged or no zip archive") from error


def fetch_missing(
    file_sets: Iterable[FileSet], data_dir: Path, seconds: float = _PROBING
) -> dict[str, MissingDataError]:
    """Get the missing files of data sets, from those places alone that answer a first question.

    All places are asked at once, so that a machine without a network knows after one time-out.

    Args:
        file_sets: the data sets.
        data_dir: the data folder.
        seconds: for all questions together.

    Returns:
        by title, what could not be had and why.

    Raises:
        GlocalkError: a folder cannot be written to.
    """
    wanted = [file_set for file_set in file_sets if file_set.missing(data_dir)]
    gaps = {}
    for file_set in probe(wanted, data_dir, seconds):
        try:
            for name in file_set.missing(data_dir):
                file_set.locate(data_dir, name)
        except MissingDataError as error:
            gaps[file_set.title] = error
    return gaps


def probe(file_sets: Sequence[FileSet], data_dir: Path, seconds: float = _PROBING) -> list[FileSet]:
    """The data sets, each knowing which of its places cannot give its missing files."""
    if offline():
        return list(file_sets)
    questions: dict[tuple[int, str], Future[None]] = {}
    for number, file_set in enumerate(file_sets):
        for place in file_set.places:
            if isinstance(place, Probed) and (names := file_set.missing(data_dir)):
                questions[number, place.name] = _started(_question(place, names))
    wait(questions.values(), timeout=seconds)
    unreached: list[dict[str, str]] = [{} for _ in file_sets]
    for (number, name), question in questions.items():
        if not question.done():
            unreached[number][name] = f"no answer within {seconds:g} s"
        elif (error := question.exception()) is not None:
            if not isinstance(error, UnavailableError):
                raise error
            unreached[number][name] = str(error)
    return [
        dataclasses.replace(file_set, unreached=reasons)
        for file_set, reasons in zip(file_sets, unreached, strict=True)
    ]


def _question(place: Probed, names: Sequence[str]) -> Callable[[], None]:
    def ask() -> None:
        for name in names:
            place.probe(name)

    return ask


def _started(call: Callable[[], _T]) -> Future[_T]:
    """What `call` will give, in a thread that no one has to wait for."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def _within(
    seconds: float, call: Callable[[], http.client.HTTPResponse]
) -> http.client.HTTPResponse:
    """What `call` gives, if it does in time: the resolving of a name has no time-out of its own."""
    future = _started(call)
    if not wait([future], timeout=seconds).done:
        future.add_done_callback(_close)
        raise urllib.error.URLError(TimeoutError())
    return future.result()


def _close(late: Future[http.client.HTTPResponse]) -> None:
    if late.exception() is None:
        late.result().close()


@contextmanager
def _bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on a terminal, nothing elsewhere; gives what it is to be told the bytes with."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(bar_width=20), DownloadColumn()
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(name, total=None)

        def show(received: int, total: int | None) -> None:
            bar.update(task, completed=received, total=total)

        yield show
