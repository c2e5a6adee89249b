import dataclasses
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from glocalk.data.datasets import movielens
from glocalk.data.datasets.movielens import ML_100K, MovieLens100K
from glocalk.data.fetch import package_index
from glocalk.data.fetch.files import UnavailableError
from glocalk.errors import MissingDataError

(INDEX,) = (place for place in ML_100K.places if isinstance(place, package_index.PackageIndex))
MEMBER = "recbole/dataset_example/ml-100k/ml-100k.inter"
HEADER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"


@pytest.fixture(autouse=True)
def _index_alone(monkeypatch):
    """MovieLens 100K comes from the package index or from nowhere."""
    monkeypatch.setattr(movielens, "ML_100K", dataclasses.replace(ML_100K, places=(INDEX,)))


@pytest.fixture
def index_has(monkeypatch):
    """Makes a wheel what pip downloads."""
    return lambda path: monkeypatch.setattr(package_index, "download_wheel", lambda *_: path)


def wheel(path, content, member=MEMBER):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
    return path


def index_fails(monkeypatch, stderr):
    def run(command, **_):
        raise subprocess.CalledProcessError(1, command, stderr=stderr)

    monkeypatch.setattr(subprocess, "run", run)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: wheel(path, HEADER, member="recbole/other"),
        lambda path: wheel(path, HEADER + "7\tx\t3\t4\n"),
        lambda path: wheel(path, ""),
        lambda path: path.write_bytes(b"no archive"),
    ],
    ids=["no such member", "not numbers", "empty", "no archive"],
)
def test_wheels_without_the_ratings(make, index_has, tmp_path):
    make(tmp_path / "a.whl")
    index_has(tmp_path / "a.whl")
    with pytest.raises(UnavailableError, match=f"^'a.whl' does not contain '{MEMBER}' as expect"):
        INDEX.fetch("u.data", tmp_path / "u.data")


def test_a_wheel_provides_one_file(tmp_path):
    with pytest.raises(UnavailableError, match=r"^it has no 'u.item'$"):
        INDEX.fetch("u.item", tmp_path / "u.item")


def test_a_temporary_folder_that_is_full(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(UnavailableError, match=r"cannot be stored here: No space left on device$"):
        INDEX.fetch("u.data", tmp_path / "u.data")


def test_only_the_pinned_wheel_is_asked_for(tmp_path, monkeypatch):
    def run(command, **_):
        requirements = Path(command[command.index("--requirement") + 1])
        assert requirements.read_text() == (
            "recbole==1.2.1 --hash=sha256:"
            "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407\n"
        )
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert {"--no-deps", "--require-hashes", "--only-binary=:all:"} <= set(command)
        (tmp_path / "recbole-1.2.1-py3-none-any.whl").touch()

    monkeypatch.setattr(subprocess, "run", run)
    path = package_index.download_wheel(INDEX.requirement, tmp_path)
    assert path.name == "recbole-1.2.1-py3-none-any.whl"


def test_the_error_contains_what_pip_says(tmp_path, monkeypatch):
    index_fails(monkeypatch, "WARNING: Retrying\nERROR: No route to host\nERROR: Nothing found\n")
    with pytest.raises(MissingDataError) as error:
        MovieLens100K(MovieLens100K.Config()).split(tmp_path)
    assert str(error.value) == (
        f"MovieLens 100K is missing: '{tmp_path}/ml-100k/u.data' does not exist and could not be "
        "downloaded from the Python package index (pip cannot download it: No route to host); "
        "download it from https://files.grouplens.org/datasets/movielens/ml-100k.zip into "
        f"'{tmp_path}/ml-100k', or choose another data folder than '{tmp_path}' with data_dir=… "
        "or GLOCALK_DATA_DIR."
    )


def test_silent_pip(tmp_path, monkeypatch):
    index_fails(monkeypatch, "")
    with pytest.raises(UnavailableError, match=r"^pip cannot download it: exit status 1$"):
        package_index.download_wheel(INDEX.requirement, tmp_path)


def test_no_pip(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UnavailableError, match=f"^pip is not installed for '{sys.executable}'$"):
        package_index.download_wheel(INDEX.requirement, tmp_path)


def test_slow_index(tmp_path, monkeypatch):
    def run(command, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(UnavailableError, match=r"^pip did not finish within 300 s$"):
        package_index.download_wheel(INDEX.requirement, tmp_path)


def test_a_different_content_is_not_put_into_the_data_folder(index_has, tmp_path):
    index_has(wheel(tmp_path / "a.whl", HEADER + "7\t12\t3\t880000000\n"))
    with pytest.raises(
        MissingDataError, match=r"the Python package index \(it sent a different file: SHA-256"
    ):
        MovieLens100K(MovieLens100K.Config()).split(tmp_path)
    assert list((tmp_path / "ml-100k").iterdir()) == []


@pytest.mark.data("ml-100k")
@pytest.mark.parametrize("point", ["", ".0"], ids=["whole", "decimal"])
def test_ml_100k_from_a_wheel(point, index_has, data_dir, tmp_path):
    official = (data_dir / "ml-100k" / "u.data").read_text()
    rows = [line.split("\t") for line in official.splitlines()]
    inter = HEADER + "".join(f"{u}\t{i}\t{r}{point}\t{t}{point}\n" for u, i, r, t in rows)
    index_has(wheel(tmp_path / "a.whl", inter))
    split = MovieLens100K(MovieLens100K.Config()).split(tmp_path)
    assert (tmp_path / "ml-100k" / "u.data").read_text() == official
    assert split.checksum == MovieLens100K(MovieLens100K.Config()).split(data_dir).checksum


@pytest.mark.network
def test_ml_100k_from_the_package_index(tmp_path):
    probe = [sys.executable, "-m", "pip", "download", "--no-deps", "--retries", "0", "--quiet"]
    command = [*probe, "--dest", str(tmp_path), "recbole==1.2.1"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("the Python package index cannot be reached")
    split = MovieLens100K(MovieLens100K.Config()).split(tmp_path)  # verifies the checksum
    assert (len(split.train), len(split.test)) == (80_000, 20_000)
    assert [path.name for path in (tmp_path / "ml-100k").iterdir()] == ["u.data"]
