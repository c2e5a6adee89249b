"""How large a file may become: a small file must not ask for more memory than there is."""

from __future__ import annotations

from pathlib import Path

from glocalk.errors import GlocalkError

MAX_BYTES = 4 << 30
"""Default of `data.max_bytes`."""

_SMALL = 64 << 20  # bytes that every file may take
_RATIO = 100  # ratings in text or parquet are compressed by 3 to 20
ZEROS = 1032
"""How many times smaller deflate makes a matrix of zeros."""


def check_unpacked(
    path: Path,
    size: int,
    max_bytes: int,
    packed: int | None = None,
    ratio: int = _RATIO,
) -> None:
    """Refuse a file that takes much more memory than its own size suggests.

    Args:
        path: the file.
        size: number of bytes that its content takes, or has taken up to now.
        max_bytes: the largest size allowed.
        packed: number of bytes from which the content is unpacked; None takes the file's size.
        ratio: how many times larger the content may be.

    Raises:
        GlocalkError: the size is above `max_bytes`, or above 64 MiB and `ratio` times `packed`.
    """
    if size > max_bytes:
        raise GlocalkError(
            f"'{path}' takes more than {max_bytes:,} bytes when it is read: raise "
            "data.max_bytes if you trust it."
        )
    if size > _SMALL and size > ratio * (path.stat().st_size if packed is None else packed):
        raise GlocalkError(
            f"'{path}' takes more than {ratio:,} times its size when it is read, as "
            "ratings never do: check it, and save it without compression if you trust it."
        )
