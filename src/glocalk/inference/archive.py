"""Archives of torch that others made: checked before and after torch unpacks them.

`torch.load` with `weights_only` executes nothing, but it unpacks compressed members of any size,
and builds tensors of many kinds, among them some in which one number stands for gigabytes. The
archive of a model holds the bytes of each tensor once, uncompressed.
"""

from __future__ import annotations

import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_MEMBER = re.compile(
    r"[^/]+/(data\.pkl|data/\d+|version|byteorder|\.format_version|\.storage_alignment|"
    r"\.data/serialization_id)"
)
_KINDS = ("Float", "Double", "Int", "Long")
_GLOBALS = {
    "collections OrderedDict",  # of a tensor's backward hooks, empty
    "torch._utils _rebuild_tensor_v2",
    *(f"torch {kind}Storage" for kind in _KINDS),
}
_SURROGATE = re.compile("[\ud800-\udfff]")  # pickles hold halves of pairs, files of UTF-8 do not
_PLAIN = (str, int, float, type(None))  # a truth value is an int
_DEEPEST = 20


def load_archive(path: Path) -> Any:
    """The content of an archive: dicts, lists and tuples of tensors, numbers and text.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds something else, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = _sizes_of_tensors(archive.infolist(), path.stat().st_size)
            (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            _refuse_other_kinds(archive.read(pickled))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, ValueError):
        raise
    except Exception as error:  # damaged bytes raise errors of many kinds
        raise ValueError("it cannot be unpacked") from error
    found = []
    for part in _parts(content):
        if isinstance(part, Tensor):
            found.append(part.numel() * part.element_size())
            if found[-1] != part.untyped_storage().nbytes():
                raise ValueError("the size of a tensor is not that of its storage")
            if part.requires_grad or part.is_neg():
                raise ValueError("a tensor is not a plain array")
        elif isinstance(part, str) and _SURROGATE.search(part):
            raise ValueError("a text of it is not Unicode")
        elif not isinstance(part, _PLAIN):
            raise ValueError(f"it holds a {type(part).__name__}")
    if sorted(found) != sizes:
        raise ValueError("tensors share a storage, or a storage belongs to no tensor")
    return content


def _sizes_of_tensors(members: list[zipfile.ZipInfo], size: int) -> list[int]:
    """Bytes of each tensor, in ascending order."""
    names = [member.orig_filename for member in members]
    if not all(map(_MEMBER.fullmatch, names)) or len({name.split("/")[0] for name in names}) != 1:
        raise ValueError("its archive has members that torch does not write")
    if len(set(names)) < len(names):
        raise ValueError("its archive has two members of one name")
    if any(
        member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size
        for member in members
    ):
        raise ValueError("its archive is compressed")
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < end:
            raise ValueError("members of its archive overlap")
        end = member.header_offset + member.file_size
    if end > size:
        raise ValueError("a member of its archive is larger than the file")
    return sorted(
        member.file_size
        for member, name in zip(members, names, strict=True)
        if name.split("/")[1] == "data"
    )


def _refuse_other_kinds(pickled: bytes) -> None:
    """Refuse what is neither plain nor a dense tensor of floats or whole numbers."""
    for operation, argument, _ in pickletools.genops(pickled):
        if operation.name == "GLOBAL" and argument not in _GLOBALS:
            name = str(argument).replace(" ", ".")[:100]
            raise ValueError(f"it holds '{name}', and not only float and int tensors")


def _parts(content: Any) -> Iterator[Any]:
    """Everything in the content that is not a container.

    Raises:
        ValueError: a container occurs twice, by which a few bytes may stand for gigabytes, or
            containers are nested too deeply.
    """
    seen: set[int] = set()
    level = [content]
    for _ in range(_DEEPEST):
        inner: list[Any] = []
        for part in level:
            if type(part) not in (dict, list, tuple):
                yield part
                continue
            if id(part) in seen and part:
                raise ValueError("it contains the same object twice")
            seen.add(id(part))
            inner += [*part.keys(), *part.values()] if type(part) is dict else part
        level = inner
        if not level:
            return
    raise ValueError("it is nested too deeply")
