import statistics

import numpy as np
import pytest

import glocalk.cli.stats
from glocalk.data import RatingMatrix, Split
from glocalk.data.statistics import statistics_lines


def split(train, test, shape, scale):
    def part(rows):
        users, items, ratings = (np.array(column) for column in zip(*rows, strict=True))
        return RatingMatrix(users, items, ratings, shape, scale)

    return Split("by hand", part(train), part(test))


def test_by_hand():
    train = [(0, 0, 5), (0, 1, 4), (0, 2, 4), (1, 0, 1)]
    test = [(2, 0, 4), (1, 3, 2)]
    assert statistics_lines(split(train, test, (4, 5), (1, 5)), "mine") == [
        "mine, split by hand",
        "",
        "users               4",
        "items               5",
        "ratings             6",
        "training            4 (66.7%)",
        "test                2 (33.3%)",
        "density             0.3000",
        "scale               1 … 5",
        "mean rating         3.3333",
        "standard deviation  1.3744",  # sqrt(78 / 6 − (20 / 6)²)
        "cold users          1 with test ratings only",
        "cold items          1 with test ratings only",
        "",
        "Ratings",
        "1  1   16.7%  █████████████",
        "2  1   16.7%  █████████████",
        "4  3   50.0%  ████████████████████████████████████████",
        "5  1   16.7%  █████████████",
        "",
        "Ratings per       min      25 %      50 %      75 %       max      mean",
        "user                0      0.75       1.5      2.25         3       1.5",  # 0 1 2 3
        "item                0         1         1         1         3       1.2",  # 3 1 1 1 0
    ]


def test_many_values_are_counted_in_tenths_of_the_range():
    ratings = [(0, item, float(item)) for item in range(1, 101)]
    lines = statistics_lines(split(ratings[:90], ratings[90:], (1, 101), (1, 100)), "tracks")
    start = lines.index("Ratings") + 1
    bins = [line.split() for line in lines[start : lines.index("", start)]]
    assert [low for low, *_ in bins] == [f"{1 + 9.9 * k:g}" for k in range(10)]
    assert [int(row[3]) for row in bins] == [10] * 10


@pytest.fixture
def stats(monkeypatch, tmp_path, capsys):
    """Runs `glocalk stats` in this process; returns exit code, output and error output."""

    def run_in_process(*overrides):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        monkeypatch.setattr("sys.argv", ["stats", *overrides])
        try:
            glocalk.cli.stats.main()
            code = 0
        except SystemExit as error:
            code = error.code
        return code, *capsys.readouterr()

    return run_in_process


def test_the_command(stats, tmp_path):
    (tmp_path / "r.csv").write_text("ann,x,5\nbob,x,3\nann,y,1\n")
    code, printed, error = stats("data=csv", "data.path=r.csv")
    assert (code, error) == (0, "")
    assert printed.startswith(
        "csv, split 90:10 seed 0\n"
        "user ← column 0, item ← column 1, rating ← column 2; 3 ratings, 2 users, 2 items, scale "
        "1–5\n\nusers               2\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["data=csv"], "Option 'data.path' cannot be None: give the path of your ratings"),
        (["data=csv", "data.paths=r.csv"], "Unknown option 'data.paths': did you mean 'path'?"),
        (["data=monti", "data.path=r.mat"], "The file 'r.mat' does not exist"),
        (["data=nothing"], "Unknown data 'nothing'"),
        (["+model=bias"], "'model'"),
    ],
)
def test_errors_are_one_sentence(overrides, sentence, stats):
    code, printed, error = stats(*overrides)
    assert (code, printed) == (1, "")
    (line,) = error.strip().splitlines()
    assert sentence in line


@pytest.mark.data("ml-100k")
def test_ml_100k_against_a_count_of_its_file(data_dir):
    from glocalk.data.datasets.movielens import MovieLens100K

    rows = [line.split("\t") for line in (data_dir / "ml-100k" / "u.data").read_text().splitlines()]
    lines = statistics_lines(MovieLens100K(MovieLens100K.Config()).split(data_dir), "ml_100k")
    for star in "12345":
        count = sum(row[2] == star for row in rows)
        assert any(line.startswith(f"{star}  ") and f" {count:,} " in line for line in lines)
    for name, column in (("user", 0), ("item", 1)):
        counts = {}
        for row in rows:
            counts[row[column]] = counts.get(row[column], 0) + 1
        (line,) = (line for line in lines if line.split()[:1] == [name])
        quartiles = statistics.quantiles(counts.values(), n=4, method="inclusive")
        shown = [min(counts.values()), *quartiles, max(counts.values())]
        assert [float(cell.replace(",", "")) for cell in line.split()[1:6]] == shown
