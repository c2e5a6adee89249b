"""Files from HTTP addresses, as they are or out of a zip archive.

pooch (https://www.fatiando.org/pooch/) transfers the bytes with requests: redirects, proxies
(`https_proxy`), certificates, timeouts, progress bar. Around it, this module adds what pooch does
not offer: limits on the size and on the total time, a timeout for name resolution, retries only
after transient errors, and a clause that says why there is no file.

A transfer that breaks off starts again from the beginning: the files have a few MB.
"""

from __future__ import annotations

import logging
import lzma
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import BinaryIO
from urllib.parse import urlsplit

import pooch
import requests
from urllib3.exceptions import HTTPError

from glocalk.data.fetch.files import FileSet, Place, UnavailableError, offline
from glocalk.data.fetch.reasons import TEMPORARY, explain, malformed
from glocalk.errors import MissingDataError

_log = logging.getLogger(__name__)

_PROBE_SECONDS = 60.0  # for all probes together
_HEADERS = {"User-Agent": "glocalk (research; https://arxiv.org/abs/2108.12184)"}
# What requests and urllib3 let through if an answer breaks the rules of HTTP; caught after
# RequestException, parts of which are ValueErrors.
_MALFORMED = (ValueError, HTTPError)
_REFUSES_HEAD = {400, 403, 405, 501}  # a server may still answer to GET
_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds.

    Attributes:
        silence: for a connection, and for each piece of an answer.
        pauses: before each further attempt.
        whole: for a file, all attempts together; stops a server that sends a byte now and then.
    """

    silence: float = 10.0
    pauses: tuple[float, ...] = (1.0, 2.0, 4.0)
    whole: float = 1800.0


@dataclass(frozen=True)
class Download(Place):
    """An HTTP address that one file of a data set can be downloaded from.

    Attributes:
        name: see `Place`.
        address: address of the file, or of the zip archive that contains it.
        limit: maximum number of bytes to accept from the address.
        member: exact name in the archive; None if the address provides the file itself.
        member_limit: maximum number of bytes that the member may unpack to.
        patience: how long to wait.
    """

    name: str
    address: str
    limit: int
    member: str | None = None
    member_limit: int = 0
    patience: Patience = Patience()

    def fetch(self, file: str, target: Path) -> None:
        """See `Place.fetch`."""
        self.check_name(file)
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
        """See `Place.probe`; asks for the headers of the file."""
        self.check_name(file)
        silence = self.patience.silence
        try:
            with requests.head(
                self.address, headers=_HEADERS, timeout=silence, allow_redirects=True
            ) as response:
                response.raise_for_status()
        except requests.RequestException as error:
            answer = error.response
            if answer is None or answer.status_code not in TEMPORARY | _REFUSES_HEAD:
                raise UnavailableError(
                    explain(error, self.address, self.patience.silence)[0]
                ) from error
        except _MALFORMED as error:
            raise UnavailableError(malformed(error)) from error

    def check_name(self, file: str) -> None:
        """Reject any file that this place does not provide."""
        if file != PurePosixPath(self.member or urlsplit(self.address).path).name:
            raise UnavailableError(f"it has no '{file}'")

    def _download(self, target: Path) -> None:
        """Write what the address sends to `target`, in several attempts if necessary."""
        deadline = time.monotonic() + self.patience.whole
        pauses = iter(self.patience.pauses)
        while True:
            try:
                self._attempt(target, deadline)
                return
            except requests.RequestException as error:
                reason, temporary = explain(error, self.address, self.patience.silence)
                pause = next(pauses, None) if temporary else None
                if pause is None or time.monotonic() + pause > deadline:
                    raise UnavailableError(reason) from error
            except _MALFORMED as error:
                raise UnavailableError(malformed(error)) from error
            _log.info("%s: %s, trying again in %g s.", self.name, reason, pause)
            time.sleep(pause)

    def _attempt(self, target: Path, deadline: float) -> None:
        """One transfer, for as long as bytes arrive and the deadline has not passed."""
        silence = self.patience.silence
        transfer = pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(), timeout=silence, headers=_HEADERS
        )
        with target.open("wb") as file:
            body = _LimitedFile(file, self.limit)
            running = _in_background(partial(transfer, self.address, body, None))
            size = 0
            # requests has no timeout for resolving a name, and its timeouts are per piece.
            while not wait([running], min(3 * silence, deadline - time.monotonic())).done:
                if time.monotonic() >= deadline:
                    raise UnavailableError(f"it did not finish within {self.patience.whole:g} s")
                if body.size == size:
                    raise UnavailableError(f"nothing arrived for {3 * silence:g} s")
                size = body.size
            running.result()


class _LimitedFile:
    """A file that refuses to grow beyond a limit.

    Args:
        file: open for writing.
        limit: maximum number of bytes.

    Attributes:
        size: number of bytes written.
    """

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file, self._limit = file, limit
        self.size = 0

    def write(self, chunk: bytes) -> int:
        self.size += len(chunk)
        if self.size > self._limit:
            raise UnavailableError(f"it sends more than the {self._limit} bytes expected")
        return self._file.write(chunk)

    def flush(self) -> None:
        self._file.flush()


def unpack(archive: Path, member: str, limit: int, target: Path) -> None:
    """Write one member of a zip archive to `target`; its path in the archive has no effect.

    Raises:
        UnavailableError: the archive is damaged, has no such member, or the member is larger than
            `limit`.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            info = opened.getinfo(member)
            if info.file_size > limit:
                raise UnavailableError(f"its '{member}' has more than the {limit} bytes expected")
            content = opened.read(info)  # no more than file_size bytes, even if that is wrong
    except KeyError as error:
        raise UnavailableError(f"its archive has no '{member}'") from error
    except (*_UNREADABLE, OSError, RuntimeError, ValueError) as error:
        # RuntimeError: encrypted, or compressed in a way that zipfile does not know.
        raise UnavailableError("its archive is damaged or not a zip archive") from error
    target.write_bytes(content)


def fetch_missing(
    file_sets: Iterable[FileSet], data_dir: Path, seconds: float = _PROBE_SECONDS
) -> dict[str, MissingDataError]:
    """Download the missing files of data sets, from places that answer a first question.

    All places are asked at once, so that a machine without a network knows after one timeout.

    Args:
        file_sets: the data sets.
        data_dir: the data folder.
        seconds: for all questions together.

    Returns:
        By title, the error of each data set that could not be downloaded.

    Raises:
        GlocalkError: a folder cannot be written to.
    """
    incomplete = [file_set for file_set in file_sets if file_set.missing(data_dir)]
    gaps = {}
    for file_set, unreached in zip(incomplete, probe(incomplete, data_dir, seconds), strict=True):
        try:
            for name in file_set.missing(data_dir):
                file_set.locate(data_dir, name, unreached)
        except MissingDataError as error:
            gaps[file_set.title] = error
    return gaps


def probe(
    file_sets: Sequence[FileSet], data_dir: Path, seconds: float = _PROBE_SECONDS
) -> list[dict[str, str]]:
    """For each data set: by name, the places that cannot provide a missing file, and why."""
    unreached: list[dict[str, str]] = [{} for _ in file_sets]
    if offline():
        return unreached
    probes = [
        (reasons, place.name, _in_background(partial(place.probe, name)))
        for file_set, reasons in zip(file_sets, unreached, strict=True)
        for place in file_set.places
        for name in file_set.missing(data_dir)
    ]
    wait([running for *_, running in probes], timeout=seconds)
    for reasons, name, running in probes:
        if not running.done():
            reasons[name] = f"no answer within {seconds:g} s"
        elif (error := running.exception()) is not None:
            if not isinstance(error, UnavailableError):
                raise error
            reasons[name] = str(error)
    return unreached


def _in_background(call: Callable[[], None]) -> Future[None]:
    """Run `call` in a thread that may be abandoned: the end of the process does not wait for it."""
    future: Future[None] = Future()

    def run() -> None:
        try:
            call()
            future.set_result(None)
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
