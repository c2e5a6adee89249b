"""Small files that become large: refused early, and within 1.5 GB of memory."""

import bz2
import gzip
import lzma
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from data.tables import everything, refusal, split
from glocalk.data.datasets.monti import read_monti
from glocalk.errors import GlocalkError

MB = 1 << 20
GROWS = (
    "takes more than 100 times its size when it is read, as ratings never do: check it, and save it"
)
ROW = b"1,1,3\n"


# Several compressed streams one after the other are those of a whole file.


def gz(path, block, count):
    path.write_bytes(gzip.compress(block) * count)


def bz(path, block, count):
    path.write_bytes(bz2.compress(block, 1) * count)


def xz(path, block, count):
    path.write_bytes(lzma.compress(block, preset=0) * count)


def zipped(path, block, count):
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("r.csv", "w", force_zip64=True) as file,
    ):
        for _ in range(count):
            file.write(block)


def test_a_zip_archive_that_declares_a_large_file_is_not_unpacked(tmp_path, monkeypatch):
    zipped(tmp_path / "r", ROW * MB, 11)
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    assert GROWS in refusal(tmp_path / "r")


@pytest.mark.parametrize("pack", [gz, xz])
def test_a_compressed_file_may_not_grow_too_much(pack, tmp_path, monkeypatch):
    monkeypatch.setattr("glocalk.data.formats.sizes._SMALL", MB)
    pack(tmp_path / "r", ROW * (MB // 4), 1)
    assert GROWS in refusal(tmp_path / "r")


def test_the_largest_size_is_an_option(tmp_path):
    content = "".join(f"{user},{item},3\n" for user in range(40) for item in range(40))
    packed = gzip.compress(content.encode())
    made = split(tmp_path / "r", packed, max_bytes=len(content))
    assert len(everything(made)) == 1600
    assert refusal(tmp_path / "r", max_bytes=len(content) - 1) == (
        f"'r' takes more than {len(content) - 1:,} bytes when it is read: raise data.max_bytes if "
        "you trust it."
    )
    # What is not compressed takes what it takes.
    assert split(tmp_path / "r", content, max_bytes=1).checksum == made.checksum
    with pytest.raises(GlocalkError, match=r"Option 'data.max_bytes' cannot be 0"):
        split(tmp_path / "r", max_bytes=0)


def test_a_line_without_end(tmp_path):
    sentence = refusal(tmp_path / "r", b"1" * (34 * MB))
    assert "'r' has a line of more than 33,554,432 bytes: give one row per rating." in sentence


def test_a_row_of_very_many_cells(tmp_path):
    assert refusal(tmp_path / "r", "a," * 20_000 + "\n1,2,3\n") == (
        "'r' has 20,001 columns, too many for a table of ratings: read it with data.layout=matrix "
        "if it is a matrix of users and items."
    )


def test_comments_without_end(tmp_path):
    content = b"#\n" * MB + b"1,2,3\n"
    assert "Every line at the top of 'r' begins with # or %" in refusal(tmp_path / "r", content)


def test_blank_lines_without_end(tmp_path, monkeypatch):
    for module in ("delimited", "preamble"):
        monkeypatch.setattr(f"glocalk.data.formats.{module}.LONGEST", 1000)
    monkeypatch.setattr("glocalk.data.formats.compression._BLOCK", 100)
    content = b"\n" * 5000 + b"1,2,3\n2,2,3\n"
    assert "'r' holds no ratings" in refusal(tmp_path / "r", content)


def parquet(path, rows, name="u"):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    zeros = np.zeros(rows, np.int32)
    user = pa.DictionaryArray.from_arrays(pa.array(zeros), pa.array([name]))
    table = pa.table({"user": user, "item": np.arange(rows) if name != "u" else zeros})
    table = table.append_column("rating", pa.array(np.ones(rows, np.int8)))
    pyarrow.parquet.write_table(table, path, row_group_size=rows, store_schema=False)
    return path


def test_parquet_may_not_grow_too_much(tmp_path):
    assert GROWS in refusal(parquet(tmp_path / "r", 3_000_000))


def test_a_long_text_in_many_rows_of_parquet_is_held_once(tmp_path):
    made = split(parquet(tmp_path / "r", 2000, "u" * MB))  # 2 GB as plain texts
    assert (len(made.ids.users), len(made.train) + len(made.test)) == (1, 2000)


def write_full(path, fill=0.0, **options):
    with h5py.File(path, "w") as file:
        for name in ("M", "Otraining", "Otest"):
            file.create_dataset(name, dtype="f8", fillvalue=fill, **options)


def write_sparse(path, rows=3, **sizes):
    with h5py.File(path, "w") as file:
        for name in ("M", "Otraining", "Otest"):
            group = file.create_group(name)
            group.attrs["MATLAB_sparse"] = np.uint64(rows)
            for part in ("jc", "ir", "data"):
                size = sizes.get(part, 4)
                group.create_dataset(part, (size,), chunks=(min(size, MB),), dtype="u8")


MATRICES = {
    "nothing stored": lambda path: write_full(path, shape=(20_000, 20_000), chunks=(500, 500)),
    "filled": lambda path: write_full(path, 1.0, shape=(9000, 9000), chunks=(500, 500)),
    "above every limit": lambda path: write_full(path, shape=(2**40, 2**40), chunks=(500, 500)),
    "columns": lambda path: write_sparse(path, jc=150_000_000),
    "entries": lambda path: write_sparse(path, data=150_000_000, ir=150_000_000),
    "rows": lambda path: write_sparse(path, rows=100_000_000),
    "rows above every limit": lambda path: write_sparse(path, rows=2**62),
}


@pytest.mark.parametrize("what", MATRICES)
def test_a_matrix_that_the_file_does_not_store(what, tmp_path):
    MATRICES[what](tmp_path / "a.mat")
    limit = "above" in what
    with pytest.raises(
        GlocalkError,
        match="[0-9] bytes when it" if limit else " times its size",
    ):
        read_monti(tmp_path / "a.mat")


def test_a_full_matrix_of_equal_entries(tmp_path, monkeypatch):
    monkeypatch.setattr("glocalk.data.formats.sizes._SMALL", MB)
    # Deflate stores it in 1,000 times fewer bytes, as it does one of zeros.
    with h5py.File(tmp_path / "a.mat", "w") as file:
        for name in ("M", "Otraining", "Otest"):
            file.create_dataset(
                name, data=np.ones((500, 500)), chunks=(250, 500), compression="gzip"
            )
    with pytest.raises(GlocalkError, match=GROWS[:30]):
        read_monti(tmp_path / "a.mat")


def test_chunks_larger_than_the_matrix(tmp_path):
    write_full(tmp_path / "a.mat", shape=(3, 2), maxshape=(None, None), chunks=(10_000, 10_000))
    with pytest.raises(GlocalkError, match="takes more than 100 times"):
        read_monti(tmp_path / "a.mat")


def test_the_largest_size_of_a_matrix_is_an_option(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["M"] = [[5.0, 4.0], [3.0, 2.0]]
        file["Otraining"], file["Otest"] = [[1, 1], [1, 0]], [[0, 0], [0, 1]]
    assert len(read_monti(tmp_path / "a.mat", max_bytes=64).test) == 1
    with pytest.raises(GlocalkError, match=r"takes more than 31 bytes .* raise data.max_bytes"):
        read_monti(tmp_path / "a.mat", max_bytes=31)


# Memory, measured in a process of its own

READER = """
import sys
from pathlib import Path
from glocalk.data.datasets.monti import read_monti
from glocalk.data.datasets.table import RatingTable
from glocalk.errors import GlocalkError
path = Path(sys.argv[1])
try:
    if path.suffix == ".mat":
        read_monti(path)
    else:
        RatingTable(RatingTable.Config(path=path)).split(path.parent)
except GlocalkError:
    # ru_maxrss would include the memory of the process that started this one.
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    print(int(status["VmHWM"].split()[0]) / 2**10)
"""

BOMBS = {
    "rows.gz": lambda path: gz(path, ROW * MB, 480),
    "rows.zip": lambda path: zipped(path, ROW * MB, 80),
    "rows.xz": lambda path: xz(path, ROW * MB, 480),
    "rows.bz2": lambda path: bz(path, ROW * (MB // 4), 2000),
    "line.gz": lambda path: gz(path, b"1" * (6 * MB), 480),
    "quote.gz": lambda path: gz(path, b'1,"2,' + b"\n" * MB, 201),
    "header.gz": lambda path: gz(path, b"a," * MB, 15),
    "comments.gz": lambda path: gz(path, b"#\n" * MB, 60),
    "object.gz": lambda path: gz(path, b'{"user":"' + b"1" * MB, 300),
    "lists.gz": lambda path: gz(path, b'{"user":[' + b"[]," * MB, 3),
    "rows.parquet": lambda path: parquet(path, 60_000_000),
    **{f"{what}.mat": write for what, write in MATRICES.items()},
}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak of memory")
@pytest.mark.parametrize("name", BOMBS)
def test_a_refused_file_takes_at_most_1500_mb(name, tmp_path):
    BOMBS[name](tmp_path / name)
    assert (tmp_path / name).stat().st_size < 5 * MB
    done = subprocess.run(
        [sys.executable, "-c", READER, tmp_path / name],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 50 < float(done.stdout) < 1500
