"""Splits against the official files and against the official code's loop, written out again."""

import hashlib
import random

import numpy as np
import pytest

from glocalk.data.datasets import movielens
from glocalk.data.datasets.movielens import (
    ML_1M,
    ML_100K,
    MovieLens1M,
    MovieLens100K,
    content_sha256,
    rebuild_u_data,
)
from glocalk.data.fetch.checksum import Checksum, sha256
from glocalk.data.fetch.files import FileSet
from glocalk.errors import GlocalkError

# Ratings per star 1 … 5, counted over the official files.
COUNTS_100K = [6110, 11370, 27145, 34174, 21201]
COUNTS_1M = [56174, 107557, 261197, 348971, 226310]


def triples(ratings):
    return list(
        zip(ratings.users.tolist(), ratings.items.tolist(), map(int, ratings.ratings), strict=True)
    )


def triples_sha256(ratings):
    lines = "".join(f"{u}\t{i}\t{r}\n" for u, i, r in sorted(triples(ratings)))
    return hashlib.sha256(lines.encode()).hexdigest()


def stars(split):
    values = np.concatenate([split.train.ratings, split.test.ratings])
    return [int((values == star).sum()) for star in range(1, 6)]


@pytest.mark.data("ml-100k")
def test_a_random_split_of_ml_100k_takes_the_place_of_the_fold(data_dir):
    made = [
        MovieLens100K(MovieLens100K.Config(split_seed=seed, fold=2)).split(data_dir)
        for seed in (0, 0, 1)
    ]
    one, same, other = made
    assert (len(one.train), len(one.test), one.name) == (90_000, 10_000, "90:10 seed 0")
    assert one.checksum == same.checksum != other.checksum
    assert stars(one) == COUNTS_100K
    # About a tenth of the test ratings of one split are in that of another: 1,000 ± 28.5
    shared = set(triples(one.test)) & set(triples(other.test))
    assert len(shared) == pytest.approx(1000, abs=150)


@pytest.mark.data("ml-100k")
@pytest.mark.parametrize("fold", [1, 2, 3, 4, 5])
def test_every_fold_is_the_official_one_byte_for_byte(fold, data_dir):
    split = MovieLens100K(MovieLens100K.Config(fold=fold)).split(data_dir)
    times = {}
    for line in (data_dir / "ml-100k" / "u.data").read_text().splitlines():
        user, item, _, time = line.split("\t")
        times[int(user), int(item)] = time
    for part, suffix in ((split.train, "base"), (split.test, "test")):
        lines = [f"{u + 1}\t{i + 1}\t{r}\t{times[u + 1, i + 1]}\n" for u, i, r in triples(part)]
        official = data_dir / "ml-100k" / f"u{fold}.{suffix}"
        assert "".join(lines).encode() == official.read_bytes()
    assert split.name == f"u{fold}"
    assert split.train.shape == (943, 1682)
    assert stars(split) == COUNTS_100K


@pytest.mark.data("ml-100k")
def test_the_papers_fold(data_dir):
    split = MovieLens100K(MovieLens100K.Config()).split(data_dir)
    assert (split.name, len(split.train), len(split.test)) == ("u1", 80_000, 20_000)
    assert split.train.scale == (1, 5)


@pytest.mark.parametrize("fold", [0, 6])
def test_folds_that_do_not_exist(fold):
    with pytest.raises(GlocalkError, match=rf"^Option 'data.fold' cannot be {fold}: [^.]*\.$"):
        MovieLens100K.Config.check({"fold": fold}, "data")


def test_misspelled_option():
    with pytest.raises(GlocalkError, match=r"Unknown option 'data\.foldd': did you mean 'fold'\?$"):
        MovieLens100K.Config.check({"foldd": 1}, "data")


def test_folds_of_ml_100k_are_the_official_ones_or_drawn():
    for options in ({"folds": 10}, {"folds": 10, "fold": 7}, {"split": "time", "fold": 2}):
        with pytest.raises(GlocalkError, match=r"^The options of 'data' do not fit together: "):
            MovieLens100K.Config.check(options, "data")
    assert not MovieLens100K.Config(folds=5, fold=5).divides
    assert MovieLens100K.Config.check({"folds": 10, "fold": 7, "split_seed": 0}, "data").divides


@pytest.mark.data("ml-100k")
def test_five_folds_of_ml_100k_are_u1_to_u5_and_others_are_drawn(data_dir):
    def made(**options):
        return MovieLens100K(MovieLens100K.Config(**options)).split(data_dir)

    official = made(folds=5, fold=3)
    assert (official.name, official.checksum) == ("u3", made(fold=3).checksum)
    drawn = made(folds=3, fold=2, split_seed=0)
    assert (drawn.name, len(drawn.test)) == ("fold 2 of 3 seed 0", 33_333)


@pytest.mark.data("ml-100k")
def test_the_split_by_time_of_ml_100k_against_the_lines_of_its_file(data_dir):
    made = MovieLens100K(MovieLens100K.Config(split="time", test_share=0.2)).split(data_dir)
    lines = (data_dir / "ml-100k" / "u.data").read_text().splitlines()
    rows = [tuple(map(int, line.split("\t"))) for line in lines]
    by_time = sorted(range(len(rows)), key=lambda row: (rows[row][3], row))

    def expected(first, last):
        return sorted(
            (user - 1, item - 1) for user, item, *_ in map(rows.__getitem__, by_time[first:last])
        )

    held = made.hold_out(0.05, seed=0)
    for part, bounds in (
        ("train", (0, 76_000)),
        ("valid", (76_000, 80_000)),
        ("test", (80_000, None)),
    ):
        ratings = getattr(held, part)
        found = list(zip(ratings.users.tolist(), ratings.items.tolist(), strict=True))
        assert found == expected(*bounds), part
    assert made.name == "latest 20 %"
    last = MovieLens100K(MovieLens100K.Config(split="leave_n_out")).split(data_dir)
    assert len(last.test) == 943
    newest = {rows[row][0] - 1: rows[row][1] - 1 for row in by_time}
    assert dict(zip(last.test.users.tolist(), last.test.items.tolist(), strict=True)) == newest


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_the_legacy_generator_does_not_take(seed):
    with pytest.raises(GlocalkError, match=f"'data.split_seed' cannot be {seed}"):
        MovieLens1M.Config.check({"split_seed": seed}, "data")


@pytest.mark.data("ml-100k")
def test_truncated_u_data_names_both_checksums(data_dir, tmp_path):
    content = (data_dir / "ml-100k" / "u.data").read_bytes()[:-100]
    (tmp_path / "ml-100k").mkdir()
    (tmp_path / "ml-100k" / "u.data").write_bytes(content)
    with pytest.raises(GlocalkError) as error:
        MovieLens100K(MovieLens100K.Config()).split(tmp_path)
    assert ML_100K.files["u.data"].expected in str(error.value)
    assert hashlib.sha256(content).hexdigest() in str(error.value)


@pytest.mark.parametrize("row", ["7\t12\t3\t880000000\n", "7\t12\t3.0\t880000000.0\n"])
def test_u_data_is_rebuilt_with_whole_numbers_and_no_header(row):
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    inter = f"{header}{row}1\t2\t5\t880000001\n".encode()
    assert rebuild_u_data(inter) == b"7\t12\t3\t880000000\n1\t2\t5\t880000001\n"


@pytest.mark.data("ml-1m")
def test_ml_1m_is_the_official_codes_split(data_dir):
    split = MovieLens1M(MovieLens1M.Config()).split(data_dir)
    assert (split.name, split.train.shape) == ("90:10 seed 1234", (6040, 3706))
    assert (len(split.train), len(split.test)) == (900_189, 100_020)
    assert stars(split) == COUNTS_1M
    # Taken once with a plain loop over the lines of the file and NumPy's global generator.
    assert triples_sha256(split.test) == (
        "834cde3d58348709afa820af221ad3d56b3ca4c63d9b88c716f6df4540d71c1f"
    )
    assert triples_sha256(split.train) == (
        "113e13b0d10c30bca3a0241c365477bd53c03549d8ca9fb9bee2f6b8e0f84da7"
    )


@pytest.mark.data("ml-1m")
def test_truncated_ratings_dat_names_both_checksums(data_dir, tmp_path):
    content = (data_dir / "ml-1m" / "ratings.dat").read_bytes()[:-4]  # within a line
    (tmp_path / "ml-1m").mkdir()
    (tmp_path / "ml-1m" / "ratings.dat").write_bytes(content)
    with pytest.raises(GlocalkError) as error:
        MovieLens1M(MovieLens1M.Config()).split(tmp_path)
    assert ML_1M.files["ratings.dat"].expected in str(error.value)
    assert content_sha256(tmp_path / "ml-1m" / "ratings.dat") in str(error.value)


def lines_of_ratings(count=500):
    """(user id, item id, rating) of a made-up data set, ids with gaps, in no order."""
    draw = random.Random(0)
    pairs = draw.sample([(u, i) for u in range(3, 90, 3) for i in range(7, 400, 7)], count)
    return [(user, item, draw.randint(1, 5)) for user, item in pairs]


def write_ratings(path, rows, timestamps):
    ending = "::978300760\n" if timestamps else "\n"
    path.parent.mkdir()
    path.write_text("".join("::".join(map(str, row)) + ending for row in rows))


@pytest.mark.parametrize("timestamps", [False, True])
@pytest.mark.parametrize("seed", [1234, 5])
def test_90_10_split_against_the_official_loop(timestamps, seed, tmp_path, monkeypatch):
    rows = lines_of_ratings()
    content = "".join(f"{u}\t{i}\t{r}\n" for u, i, r in rows)
    checksum = Checksum(hashlib.sha256(content.encode()).hexdigest(), content_sha256)
    monkeypatch.setattr(
        movielens, "ML_1M", FileSet("Made up", "ml-1m", "nowhere", {"ratings.dat": checksum})
    )
    write_ratings(tmp_path / "ml-1m" / "ratings.dat", rows, timestamps)
    split = MovieLens1M(MovieLens1M.Config(split_seed=seed)).split(tmp_path)

    user_index = {user: index for index, user in enumerate(sorted({row[0] for row in rows}))}
    item_index = {item: index for index, item in enumerate(sorted({row[1] for row in rows}))}
    np.random.seed(seed)  # noqa: NPY002 (as the official code does)
    order = np.arange(len(rows))
    np.random.shuffle(order)  # noqa: NPY002
    expected = {True: [], False: []}
    for position, row in enumerate(order):
        user, item, rating = rows[row]
        expected[position < 50].append((user_index[user], item_index[item], rating))
    assert triples(split.test) == sorted(expected[True])
    assert triples(split.train) == sorted(expected[False])
    assert split.train.shape == (len(user_index), len(item_index))


@pytest.mark.data("ml-1m")
def test_other_seeds_of_ml_1m_are_other_splits_of_the_same_ratings(data_dir):
    official, other = (
        MovieLens1M(MovieLens1M.Config(split_seed=seed)).split(data_dir) for seed in (1234, 1)
    )
    assert other.name == "90:10 seed 1"
    assert (len(other.train), len(other.test)) == (900_189, 100_020)
    cells = [
        np.concatenate([part.users * 3706 + part.items for part in (split.train, split.test)])
        for split in (official, other)
    ]
    np.testing.assert_array_equal(*map(np.sort, cells))
    assert len(np.unique(cells[1])) == 1_000_209  # training and test ratings are disjoint
    # Of a tenth drawn twice, a tenth is the same: 10,002 ± 95 (standard deviation).
    assert 9500 < len(np.intersect1d(*(found[900_189:] for found in cells))) < 10_500


def test_the_global_generator_is_left_alone(tmp_path, monkeypatch):
    rows = lines_of_ratings(50)
    write_ratings(tmp_path / "ml-1m" / "ratings.dat", rows, timestamps=False)
    checksum = Checksum(sha256(tmp_path / "ml-1m" / "ratings.dat"))
    monkeypatch.setattr(
        movielens, "ML_1M", FileSet("Made up", "ml-1m", "nowhere", {"ratings.dat": checksum})
    )
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    MovieLens1M(MovieLens1M.Config()).split(tmp_path)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
