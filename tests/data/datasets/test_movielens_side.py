"""Users, items and graphs of MovieLens, against a plain reading of the files."""

import numpy as np
import pytest

from glocalk.data.datasets.movielens import MovieLens1M, MovieLens100K
from glocalk.data.datasets.movielens_side import (
    GENRES,
    items_sha256,
    rebuild_u_item,
    rebuild_u_user,
)
from glocalk.data.side.encode import FeatureConfig, encode

# As RecBole's wheel has them.
USERS = b"user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n" + (
    b"1\t24\tM\ttechnician\t85711\n2\t53\tF\tother\t94043\n"
)
ITEMS = (
    b"item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    b"1\tToy Story\t1995\tAnimation Children's Comedy\n"
    b"267\tunkonwn\tunkonwn\tunknown\n"
    b"1412\tLand Before Time III\tV\tAnimation Children's\n"
)
# The same items as `u.item` has them; flags in the order of `u.genre`.
OFFICIAL = (
    "1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "267|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "1412|Land Before Time III (1995) (V)|01-Jan-1995||http://y|0|0|0|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
)


def test_users_are_rebuilt_byte_for_byte():
    assert rebuild_u_user(USERS) == b"1|24|M|technician|85711\n2|53|F|other|94043\n"


def test_items_are_rebuilt_with_the_same_years_and_genres(tmp_path):
    official, rebuilt = tmp_path / "official", tmp_path / "rebuilt"
    official.write_text(OFFICIAL)
    rebuilt.write_bytes(rebuild_u_item(ITEMS))
    assert items_sha256(rebuilt) == items_sha256(official)
    other = tmp_path / "other"
    other.write_text(OFFICIAL.replace("(1995) (V)", "(1996) (V)"))
    assert items_sha256(other) != items_sha256(official)
    other.write_text(OFFICIAL.replace("|1|1|1|0", "|1|1|0|1", 1))
    assert items_sha256(other) != items_sha256(official)


@pytest.fixture(scope="module")
def ml_100k(data_dir):
    return MovieLens100K(MovieLens100K.Config()).split(data_dir)


@pytest.fixture(scope="module")
def ml_1m(data_dir):
    return MovieLens1M(MovieLens1M.Config()).split(data_dir)


def width(attributes, *features):
    return encode(attributes, [FeatureConfig.check(each, "") for each in features]).matrix.shape[1]


@pytest.mark.data("ml-100k")
def test_users_of_ml_100k(ml_100k, data_dir):
    users = ml_100k.side.attributes("user")
    rows = [line.split("|") for line in (data_dir / "ml-100k" / "u.user").read_text().splitlines()]
    assert users.column("age").tolist() == [float(row[1]) for row in rows]
    assert [users.column("gender")[at] for at in (0, 1)] == ["M", "F"]
    # 61 distinct ages, 2 genders and 21 occupations: GraphRec's 84 columns
    hot = [{"attribute": name, "encoding": "one_hot"} for name in ("age", "gender", "occupation")]
    assert width(users, *hot) == 84


@pytest.mark.data("ml-100k")
def test_items_of_ml_100k(ml_100k, data_dir):
    items = ml_100k.side.attributes("item")
    text = (data_dir / "ml-100k" / "u.item").read_text(encoding="iso-8859-1")
    rows = [line.split("|") for line in text.splitlines()]
    flags = np.array([row[5:] for row in rows]) == "1"
    found = [[genre in several for genre in GENRES] for several in items.column("genres")]
    np.testing.assert_array_equal(found, flags)
    # The release date of item 1373 is `4-Feb-1971`, item 267 has none.
    released = items.column("release_year")
    assert released[1372] == 1971
    assert np.flatnonzero(np.isnan(released)).tolist() == [266]
    assert (np.nanmin(released), np.nanmax(released)) == (1922, 1998)
    assert items.column("year")[9] == 1995  # `Richard III (1995)`, released in 1996
    assert released[9] == 1996
    genres = {"attribute": "genres", "encoding": "multi_hot"}
    assert width(items, genres) == 19
    assert width(items, {**genres, "without": ["unknown"]}) == 18


@pytest.mark.data("ml-100k")
def test_an_item_file_without_release_dates_has_no_release_year(ml_100k, data_dir, tmp_path):
    official = (data_dir / "ml-100k" / "u.item").read_text(encoding="iso-8859-1")
    rows = [line.split("|") for line in official.splitlines()]
    folder = tmp_path / "ml-100k"
    folder.mkdir()
    stripped = "".join("|".join([*row[:2], "", "", "", *row[5:]]) + "\n" for row in rows)
    (folder / "u.item").write_text(stripped, encoding="iso-8859-1")
    (folder / "u.data").symlink_to(data_dir / "ml-100k" / "u.data")
    items = MovieLens100K(MovieLens100K.Config()).split(tmp_path).side.attributes("item")
    assert list(items.columns) == ["genres", "year"]
    whole = ml_100k.side.attributes("item")
    np.testing.assert_array_equal(items.column("year"), whole.column("year"))


@pytest.mark.data("ml-100k")
def test_graphs_of_ml_100k(ml_100k):
    # Symmetric, 0/1, without self-loops; entries as in the file of Monti et al.
    for kind, size, entries in (("user", 943, 12_594), ("item", 1682, 28_928)):
        graph = ml_100k.side.graph(kind)
        assert (graph.shape, graph.nnz) == ((size, size), entries)
        assert (graph != graph.T).nnz == 0
        assert set(graph.data) == {1}
        assert not graph.diagonal().any()


@pytest.mark.data("ml-100k")
def test_dates_of_ml_100k(ml_100k, data_dir):
    dates = ml_100k.side.dates
    for line in (data_dir / "ml-100k" / "u.data").read_text().splitlines()[:50]:
        user, item, _, seconds = map(int, line.split("\t"))
        assert dates.of([user - 1], [item - 1])[0] == pytest.approx(seconds / 86_400)
    test = ml_100k.test
    assert np.isfinite(dates.of(test.users, test.items)).all()


@pytest.mark.data("ml-1m")
def test_users_and_items_of_ml_1m(ml_1m, data_dir):
    users, items = ml_1m.side.attributes("user"), ml_1m.side.attributes("item")
    # 7 age groups, 2 genders, 21 occupations: GraphRec's 30 columns; 18 genres
    hot = [{"attribute": name, "encoding": "one_hot"} for name in ("age", "gender", "occupation")]
    assert width(users, *hot) == 30
    assert width(items, {"attribute": "genres", "encoding": "multi_hot"}) == 18
    # 3,883 movies, of which 3,706 are rated, under the indices of their ids.
    text = (data_dir / "ml-1m" / "movies.dat").read_text(encoding="iso-8859-1")
    movies = {int(row[0]): row for row in (line.split("::") for line in text.splitlines())}
    assert len(items) == 3706
    assert not np.isnan(items.column("year")).any()
    for at in (0, 100, 3705):
        row = movies[int(ml_1m.ids.items[at])]
        assert items.column("genres")[at] == tuple(sorted(row[2].split("|")))
        assert f"({items.column('year')[at]:.0f})" in row[1]


@pytest.mark.data("ml-1m")
def test_dates_of_ml_1m_where_a_file_has_them(ml_1m, data_dir, tmp_path):
    assert "rating dates" not in ml_1m.side.names  # this copy has three fields
    folder = tmp_path / "ml-1m"
    folder.mkdir()
    rows = (data_dir / "ml-1m" / "ratings.dat").read_text().splitlines()
    if rows[0].count("::") == 3:
        pytest.skip("this copy of ratings.dat has dates")
    dated = "".join(f"{row}::{978300000 + at}\n" for at, row in enumerate(rows))
    (folder / "ratings.dat").write_text(dated)
    split = MovieLens1M(MovieLens1M.Config()).split(tmp_path)
    assert split.checksum == ml_1m.checksum
    user, item, _ = map(int, rows[7].split("::"))
    at = split.ids.find_users([user]), split.ids.find_items([item])
    assert split.side.dates.of(*at)[0] == pytest.approx(978300007 / 86_400)
