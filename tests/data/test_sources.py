import numpy as np
import pytest

from glocalk.data.datasets.monti_sets import DOUBAN, Douban
from glocalk.data.datasets.movielens import ML_1M, MovieLens1M
from glocalk.data.datasets.synthetic import Synthetic
from glocalk.data.ids import Ids
from glocalk.data.sources import build_source, divide
from glocalk.errors import GlocalkError, MissingDataError


def test_a_mask_divides_the_ratings():
    triples = np.array([0, 1, 1]), np.array([2, 0, 1]), np.array([4.0, 3.0, 5.0])
    ids = Ids(np.array([7, 9]), np.array([1, 2, 3]))
    split = divide("mine", triples, np.array([False, True, False]), (2, 3), (1, 5), ids)
    assert (split.name, split.ids) == ("mine", ids)
    assert split.train.ratings.tolist() == [4, 5]
    assert split.test.ratings.tolist() == [3]
    assert (split.test.shape, split.test.scale) == ((2, 3), (1, 5))


def test_a_source_is_built_from_its_class_and_options():
    source = build_source(
        {"_target_": "glocalk.data.datasets.synthetic.Synthetic", "users": 7, "items": 6, "rank": 2,
         "ratings": 20}
    )  # fmt: skip
    assert isinstance(source, Synthetic)
    assert (source.config.users, source.config.test_share) == (7, 0.1)


@pytest.mark.parametrize(
    "options", [{}, {"_target_": "glocalk.data.nothing.Here"}, {"_target_": "builtins.int"}]
)
def test_a_source_needs_a_class_of_sources(options):
    with pytest.raises(GlocalkError, match="data"):
        build_source(options)


@pytest.mark.parametrize(
    ("source", "file_set"), [(MovieLens1M, ML_1M), (Douban, DOUBAN)], ids=["ml-1m", "douban"]
)
def test_sources_name_their_official_address_when_missing(source, file_set, tmp_path, monkeypatch):
    monkeypatch.setenv("GLOCALK_OFFLINE", "1")
    with pytest.raises(MissingDataError) as error:
        source(source.Config()).split(tmp_path)
    assert file_set.address in str(error.value)
    assert str(tmp_path / file_set.folder) in str(error.value)
    assert "GLOCALK_DATA_DIR" in str(error.value)
