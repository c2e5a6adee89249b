import numpy as np
import pytest

from glocalk.data.datasets.synthetic import Synthetic, SyntheticConfig, _draw_cells
from glocalk.errors import GlocalkError


def split(tmp_path, **options):
    return Synthetic(Synthetic.Config.check(options, "data")).split(tmp_path / "not there")


def test_defaults(tmp_path):
    made = split(tmp_path)
    assert (made.name, made.train.shape, made.train.scale) == ("planted", (300, 200), (1, 5))
    assert (len(made.train), len(made.test)) == (8100, 900)


@pytest.mark.parametrize("ratings", [2, 100, 149, 150, 400, 600])
def test_sizes_up_to_the_full_matrix(ratings, tmp_path):
    made = split(tmp_path, users=30, items=20, ratings=ratings, test_share=0.25)
    test = max(round(ratings / 4), 1)
    assert (len(made.train), len(made.test)) == (ratings - test, test)


def test_whole_stars_on_any_scale(tmp_path):
    made = split(tmp_path, scale=[-2, 9])
    values = np.concatenate([made.train.ratings, made.test.ratings])
    assert set(values) == set(range(-2, 10))


def test_the_seed_decides(tmp_path):
    assert split(tmp_path, seed=1).checksum == split(tmp_path, seed=1).checksum
    assert len({split(tmp_path, seed=seed).checksum for seed in range(4)}) == 4


def test_the_planted_matrix_has_the_rank_asked_for(tmp_path):
    # On a scale this wide, rounding and cutting at four standard deviations hardly show.
    made = split(
        tmp_path, users=60, items=50, ratings=3000, rank=3, noise=0, scale=[-100_000, 100_000]
    )
    matrix = np.zeros((60, 50))
    for part in (made.train, made.test):
        matrix[part.users, part.items] = part.ratings
    inside = np.abs(matrix) < 100_000
    rows = inside.all(axis=1)
    assert rows.sum() > 30
    singular = np.linalg.svd(matrix[rows], compute_uv=False)
    assert singular[2] > 1000 * singular[4]  # rank 3, and 1 for the constant taken off
    assert singular[4] < 10


def test_noise_is_in_stars(tmp_path):
    options = {"users": 50, "items": 40, "ratings": 2000, "scale": [-1000, 1000]}
    quiet, loud = (split(tmp_path, noise=noise, **options) for noise in (0, 20))
    difference = loud.train.ratings - quiet.train.ratings
    assert difference.std() == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize("ratings", [30, 29], ids=["full matrix", "large matrix"])
def test_both_ways_draw_cells_from_the_distribution_stated(ratings):
    # Frequencies of the cells against successive draws written out one by one.
    config = SyntheticConfig(users=12, items=10, rank=1, ratings=ratings)
    times, expected = np.zeros(120), np.zeros(120)
    repeats = 400
    for seed in range(repeats):
        rng = np.random.default_rng(99)  # the same weights every time …
        weights = np.outer(rng.lognormal(0, 0.7, 12), rng.lognormal(0, 0.7, 10)).ravel()

        class Fixed:
            """… with other draws."""

            def __init__(self, seed):
                first, self.rest = np.random.default_rng(99), np.random.default_rng(seed)
                self.lognormal = first.lognormal

            def __getattr__(self, name):
                return getattr(self.rest, name)

        cells = _draw_cells(config, Fixed(seed))
        assert len(set(cells.tolist())) == ratings
        times[cells] += 1
        literal = np.random.default_rng(10_000 + seed)
        left = weights.copy()
        for _ in range(ratings):
            cell = literal.choice(120, p=left / left.sum())
            expected[cell] += 1
            left[cell] = 0
    p, q = times / repeats, expected / repeats
    assert np.abs(p - q).max() < 5 * np.sqrt(2 * 0.25 / repeats)
    assert np.corrcoef(p, q)[0, 1] > 0.97


def test_popularity_is_skewed(tmp_path):
    counts = np.bincount(split(tmp_path).train.items, minlength=200)
    assert counts.max() > 2 * np.median(counts)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"users": -3}, "Option 'data.users' cannot be -3: "),
        ({"items": 0}, "Option 'data.items' cannot be 0: "),
        ({"rank": 0}, "Option 'data.rank' cannot be 0: "),
        ({"rank": 201}, "'data.rank' cannot be 201: 300 users × 200 items allow 200 at most."),
        ({"ratings": 1}, "Option 'data.ratings' cannot be 1: "),
        ({"ratings": 60_001}, "'data.ratings' cannot be 60001: 300 users × 200 items allow 60000"),
        ({"users": 20, "items": 20}, "'data.ratings' cannot be 9000: 20 users × 20 items allow"),
        ({"noise": -0.1}, "Option 'data.noise' cannot be -0.1: "),
        ({"noise": float("nan")}, "Option 'data.noise' cannot be nan: "),
        ({"scale": [5, 1]}, "the lowest rating must be below the highest."),
        ({"scale": [1, 2, 3]}, "Option 'data.scale' cannot be "),
        ({"test_share": 0}, "Option 'data.test_share' cannot be 0: "),
        ({"test_share": 1}, "Option 'data.test_share' cannot be 1: "),
        ({"seed": -1}, "Option 'data.seed' cannot be -1: "),
        ({"user": 3}, "Unknown option 'data.user': did you mean 'users'?"),
    ],
)
def test_impossible_options(options, sentence, tmp_path):
    with pytest.raises(GlocalkError) as error:
        split(tmp_path, **options)
    assert sentence in str(error.value)
    assert str(error.value).count("\n") == 0


@pytest.mark.slow
def test_ten_million_ratings(tmp_path):
    made = split(tmp_path, users=70_000, items=10_000, ratings=10**7)
    assert (len(made.train), len(made.test)) == (9 * 10**6, 10**6)


def test_side_information_tells_something_of_the_factors(tmp_path):
    split = Synthetic(Synthetic.Config.check({"noise": 0.0}, "")).split(tmp_path)
    for kind, size in (("user", 300), ("item", 200)):
        attributes, graph = split.side.attributes(kind), split.side.graph(kind)
        forms = {name: attributes.form(name) for name in attributes.columns}
        assert forms == {"number": "number", "group": "text", "tags": "several"}
        assert len(attributes) == graph.shape[0] == size
        assert (graph != graph.T).nnz == 0
        assert not graph.diagonal().any()
        degrees = np.asarray(graph.sum(axis=1)).ravel()
        assert degrees.min() >= 4  # its own four, and those of which it is a neighbor
        assert {*attributes.column("group")} == {*"abcd"}
        index = getattr(split.train, f"{kind}s")
        # More factors above 1 go with higher ratings, as the factors of the others are 1 in mean.
        counts = np.array([len(tags) for tags in attributes.column("tags")])
        correlation = np.corrcoef(counts[index], split.train.ratings)[0, 1]
        assert correlation > 0.2
    again = Synthetic(Synthetic.Config.check({"noise": 0.0}, "")).split(tmp_path)
    needs = ["user attributes", "item attributes", "user graph", "item graph"]
    assert again.side.checksum(needs) == split.side.checksum(needs)
