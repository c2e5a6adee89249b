import hashlib
import random
import zipfile

import numpy as np
import pytest

from glocalk.data import movielens, package_index
from glocalk.data.movielens import (
    ML_100K,
    MovieLens1M,
    MovieLens1MSettings,
    MovieLens100K,
    MovieLens100KSettings,
)
from glocalk.errors import GlocalkError, MissingDataError


def triples(ratings):
    return set(zip(ratings.users.tolist(), ratings.items.tolist(), ratings.ratings, strict=True))


def read(path, separator):
    """Rows of integers by plain Python."""
    with path.open() as file:
        return [tuple(int(field) for field in line.rstrip().split(separator)) for line in file]


@pytest.mark.real_data("ml_100k")
@pytest.mark.parametrize("fold", [1, 2, 3, 4, 5])
def test_folds_are_the_official_files(real_data, fold):
    split = MovieLens100K(MovieLens100KSettings(fold=fold)).split(real_data)
    for part, ending in ((split.train, "base"), (split.test, "test")):
        rows = read(real_data / "ml-100k" / f"u{fold}.{ending}", "\t")
        assert triples(part) == {(user - 1, item - 1, rating) for user, item, rating, _ in rows}
    assert (len(split.train), len(split.test)) == (80_000, 20_000)
    assert split.train.shape == (943, 1682)
    assert split.name == f"u{fold}"


@pytest.mark.real_data("ml_100k")
def test_rating_counts_of_ml_100k_are_the_published_ones(real_data):
    split = MovieLens100K(MovieLens100KSettings()).split(real_data)
    ratings = np.concatenate([split.train.ratings, split.test.ratings])
    assert np.bincount(ratings.astype(int)).tolist() == [0, 6110, 11370, 27145, 34174, 21201]


@pytest.mark.real_data("ml_1m")
def test_ml_1m_is_divided_as_by_the_official_code(real_data):
    split = MovieLens1M(MovieLens1MSettings()).split(real_data)
    assert (len(split.train), len(split.test)) == (900_189, 100_020)
    assert split.train.shape == (6040, 3706)
    ratings = np.concatenate([split.train.ratings, split.test.ratings])
    expected = [0, 56174, 107557, 261197, 348971, 226310]
    assert np.bincount(ratings.astype(int)).tolist() == expected

    # The official code's loop in plain Python, on dictionaries.
    rows = read(real_data / "ml-1m" / "ratings.dat", "::")
    user_of = {user: index for index, user in enumerate(sorted({row[0] for row in rows}))}
    item_of = {item: index for index, item in enumerate(sorted({row[1] for row in rows}))}
    np.random.seed(1234)  # noqa: NPY002 - as the official code does
    order = np.arange(len(rows))
    np.random.shuffle(order)  # noqa: NPY002
    chosen = [rows[k] for k in order[: int(0.1 * len(rows))]]
    assert triples(split.test) == {(user_of[r[0]], item_of[r[1]], r[2]) for r in chosen}
    lines = sorted(f"{r[0]}\t{r[1]}\t{r[2]}\n" for r in chosen)
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert digest == ML_1M_TEST_SHA256


# Of the test ratings as sorted `user TAB item TAB rating` lines under the official ids.
ML_1M_TEST_SHA256 = "17519c80604feb45f8e9693d41b08442a29c4a8e1ee8600eb3d2d226227abc02"


@pytest.mark.real_data("ml_1m")
def test_other_seeds_make_other_splits(real_data):
    split = MovieLens1M(MovieLens1MSettings(split_seed=1)).split(real_data)
    assert len(split.test) == 100_020
    assert split.name == "90:10 seed 1"
    assert split.checksum != MovieLens1M(MovieLens1MSettings()).split(real_data).checksum


@pytest.mark.real_data("ml_1m")
def test_the_official_file_with_timestamps_reads_the_same(real_data, tmp_path):
    lines = (real_data / "ml-1m" / "ratings.dat").read_text().splitlines()
    (tmp_path / "ml-1m").mkdir()
    with_times = "".join(f"{line}::97830{k % 10_000}\r\n" for k, line in enumerate(lines))
    (tmp_path / "ml-1m" / "ratings.dat").write_text(with_times, newline="")
    source = MovieLens1M(MovieLens1MSettings())
    assert source.split(tmp_path).checksum == source.split(real_data).checksum


def test_a_missing_file_is_told_with_address_and_folder(tmp_path):
    with pytest.raises(MissingDataError) as error:
        MovieLens1M(MovieLens1MSettings()).split(tmp_path)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert str(tmp_path / "ml-1m" / "ratings.dat") in sentence
    assert "https://files.grouplens.org/datasets/movielens/ml-1m.zip" in sentence
    assert "GLOCALK_DATA_DIR" in sentence


def test_a_truncated_file_is_told_with_both_checksums(tmp_path):
    (tmp_path / "ml-1m").mkdir()
    (tmp_path / "ml-1m" / "ratings.dat").write_text("1::1193::5\n1::661::3\n")
    with pytest.raises(GlocalkError, match="damaged") as error:
        MovieLens1M(MovieLens1MSettings()).split(tmp_path)
    found = hashlib.sha256(b"1\t1193\t5\n1\t661\t3\n").hexdigest()
    expected = "f0a15e409815044ff81bc0510bc092339b44716271008f12f1bda10cb93bfdeb"
    assert found in str(error.value)
    assert expected in str(error.value)


@pytest.mark.parametrize("fold", [0, 6])
def test_there_are_five_folds(fold):
    with pytest.raises(GlocalkError, match=f"'data.fold' cannot be {fold}"):
        MovieLens100KSettings.check({"fold": fold}, "data")


def wheel_of(rows, path):
    """An archive like the wheel's, around made-up ratings."""
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    with zipfile.ZipFile(path, "w") as archive:
        lines = "".join("\t".join(map(str, row)) + "\n" for row in rows)
        archive.writestr("recbole/dataset_example/ml-100k/ml-100k.inter", header + lines)
    return path


def test_rebuilds_u_data_from_the_wheel(tmp_path):
    wheel = wheel_of([(196, 242, "3.0", "881250949.0"), (1, 2, 5, 7)], tmp_path / "w.whl")
    assert package_index.rebuild(wheel) == b"196\t242\t3\t881250949\n1\t2\t5\t7\n"


def test_a_wheel_without_ratings_is_refused(tmp_path):
    (tmp_path / "w.whl").write_bytes(random.Random(0).randbytes(100))
    with pytest.raises(GlocalkError, match="holds no ratings of MovieLens 100K"):
        package_index.rebuild(tmp_path / "w.whl")


def test_without_index_the_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(package_index, "_download", lambda _: None)
    with pytest.raises(MissingDataError, match="nor can the Python package index be reached"):
        MovieLens100K(MovieLens100KSettings()).split(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_wheel_places_nothing(tmp_path, monkeypatch):
    wheel = wheel_of([(1, 2, 5, 7)], tmp_path / "w.whl")
    monkeypatch.setattr(package_index, "_download", lambda _: wheel)
    with pytest.raises(GlocalkError, match="damaged or another file"):
        MovieLens100K(MovieLens100KSettings()).split(tmp_path / "data")
    assert not (tmp_path / "data" / "ml-100k" / "u.data").exists()


def test_ml_100k_comes_from_the_package_index(tmp_path):
    try:
        package_index.fetch_ml_100k(ML_100K, tmp_path)
    except MissingDataError:
        pytest.skip("the Python package index cannot be reached")
    content = (tmp_path / "ml-100k" / "u.data").read_bytes()
    assert hashlib.sha256(content).hexdigest() == (
        "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
    )
    # Rebuilt so, the official first fold has its official checksum.
    rows = [line.split(b"\t") for line in content.splitlines()]
    rows = sorted(rows[:20_000], key=lambda row: (int(row[0]), int(row[1])))
    test = b"".join(b"\t".join(row) + b"\n" for row in rows)
    assert hashlib.sha256(test).hexdigest() == (
        "18c6014a4b2c7324f250a63f8904a7b16b2b19f911129e346141507b0cbac950"
    )
    assert [path.name for path in (tmp_path / "ml-100k").iterdir()] == ["u.data"]


def test_the_readers_take_no_more_columns_than_they_need():
    users, items, ratings = movielens._triples(b"3\t4\t5\t99\n1\t2\t1\t98\n")
    assert (users.tolist(), items.tolist(), ratings.tolist()) == ([3, 1], [4, 2], [5, 1])
