from math import sqrt

import pytest

from glocalk.report.statistics.sample import Sample
from report.factory import baseline, record
from report.statistics.population import sample


def test_users_without_test_ratings_are_left_out():
    runs = [record(seed=seed, user_counts=[3, 0, 1]) for seed in (0, 1)]
    made = Sample.of(runs, "validated")
    assert made.counts.tolist() == [3, 1]
    assert made.errors.shape == (2, 2)
    assert made.rmse == pytest.approx([0.9, 0.9])


def test_a_sample_takes_the_errors_of_its_protocol():
    run = record(best=0.88, validated=0.93)
    assert Sample.of([run], "best_test").mean == pytest.approx(0.88)
    assert Sample.of([run], "validated").mean == pytest.approx(0.93)


def test_rmse_is_pooled_and_its_mean_over_seeds():
    made = sample([1, 3], [4, 0], [0, 16])
    assert made.rmse == pytest.approx([1, 2])
    assert (made.mean, made.seeds) == (1.5, 2)
    assert made.sd == pytest.approx(sqrt(0.5))


def test_the_deviation_of_one_seed_is_unknown_and_that_of_a_deterministic_model_is_none():
    assert sample([1], [4]).sd is None
    assert Sample.of([baseline()], "last").sd == 0
