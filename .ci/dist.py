"""Build the sdist and the wheel of the last commit: the same bytes each time.

    python .ci/dist.py FOLDER [TAG]

The sdist is built from the committed files, and the wheel from the unpacked sdist, so that nothing
else gets in and nothing is missing. All times in them are that of the commit. It needs the
setuptools of build-constraints.txt. With a tag, its version must be that of the package.
"""

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def build(out: Path, tag: str = "") -> list[Path]:
    """Build both into `out`, replacing what is there; returns the sdist and the wheel."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    if tag and tag != f"v{version}":
        sys.exit(
            f"The tag is '{tag}', and the version in pyproject.toml is {version}: tag v{version}."
        )
    epoch = _git("log", "-1", "--format=%ct").decode().strip()
    with tempfile.TemporaryDirectory() as name:
        checkout, made, unpacked = (Path(name, part) for part in ("checkout", "made", "unpacked"))
        checkout.mkdir()
        made.mkdir()
        archive = Path(name, "checkout.tar")
        archive.write_bytes(_git("archive", "--format=tar", "HEAD"))
        _unpack(archive, checkout)
        sdist = _call_backend("build_sdist", checkout, made, epoch)
        _normalize(sdist, int(epoch))
        _unpack(sdist, unpacked)
        wheel = _call_backend("build_wheel", next(unpacked.iterdir()), made, epoch)
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        return [Path(shutil.copy(path, out)) for path in (sdist, wheel)]


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, check=True).stdout


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")


def _call_backend(hook: str, source: Path, out: Path, epoch: str) -> Path:
    """Call a hook of the build backend; returns what it has built."""
    code = f"from setuptools import build_meta; print(build_meta.{hook}({str(out)!r}))"
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": epoch},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        sys.exit(f"{hook} failed:\n{process.stderr}")
    return out / process.stdout.splitlines()[-1]


def _normalize(sdist: Path, epoch: int) -> None:
    """Pack the sdist again, in order, with one time, no owners and no other permissions."""
    with tarfile.open(sdist) as opened:
        members = sorted(opened.getmembers(), key=lambda member: member.name)
        files = {m.name: opened.extractfile(m).read() for m in members if m.isfile()}  # type: ignore[union-attr]
    with (
        sdist.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as written,
    ):
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), epoch, 0o644
            with tempfile.SpooledTemporaryFile() as file:
                file.write(content)
                file.seek(0)
                written.addfile(entry, file)


if __name__ == "__main__":
    for path in build(Path(sys.argv[1]), *sys.argv[2:3]):
        print(path)
