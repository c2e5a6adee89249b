"""Held-out users or items of which some ratings are revealed."""

import numpy as np
import pytest

import glocalk
from command import call
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.run.config import ProtocolConfig
from glocalk.run.monitor import Monitor
from glocalk.run.revealing import RevealedSplit, reveal
from glocalk.run.trial import without_test
from planted import planted

PARTS = planted(num_users=50, num_items=40, density=0.5)


def cold(whole="users"):
    return Split("random", *PARTS).cold_start(whole, 0.2, seed=0)


def cells(ratings):
    return set(zip(ratings.users.tolist(), ratings.items.tolist(), strict=True))


@pytest.mark.parametrize("whole", ["users", "items"])
def test_revealed_ratings_are_nested_and_the_test_ratings_are_the_same(whole):
    start = cold(whole)
    before, tests = set(), []
    for count in (0, 1, 5, 10):
        split = reveal(start, whole, count, seed=3, fold_in=False)
        shown = cells(split.train) - cells(start.train)
        assert cells(start.train) <= cells(split.train)
        assert before <= shown <= cells(start.test)
        held = getattr(split.test, whole)
        own = [pair[0 if whole == "users" else 1] for pair in shown]
        assert (np.bincount(own, minlength=60)[np.unique(held)] == count).all()
        assert not shown & cells(split.test)
        before = shown
        tests.append(cells(split.test))
    assert all(test == tests[0] for test in tests)
    assert len(tests[0]) > 50
    other = reveal(start, whole, 5, seed=4, fold_in=False)
    assert cells(other.test) != tests[0]


def test_those_with_fewer_than_eleven_ratings_are_left_out():
    users = np.repeat([0, 1, 2], [12, 10, 11])
    items = np.concatenate([np.arange(12), np.arange(10), np.arange(11)])
    test = RatingMatrix(users, items, np.full(33, 3.0), (4, 12), (1, 5))
    train = RatingMatrix(np.full(12, 3), np.arange(12), np.full(12, 4.0), (4, 12), (1, 5))
    split = reveal(Split("x", train, test), "users", 10, seed=0, fold_in=False)
    assert np.bincount(split.test.users, minlength=4).tolist() == [2, 0, 1, 0]
    assert np.bincount(split.train.users, minlength=4).tolist() == [10, 0, 10, 12]
    small = Split("x", train, test.select(users == 1))
    with pytest.raises(GlocalkError, match="No held-out one of the users has more than 10"):
        reveal(small, "users", 1, seed=0, fold_in=False)


def test_folded_in_ratings_are_in_no_part_of_the_split():
    trained = reveal(cold(), "users", 5, seed=0, fold_in=False)
    folded = reveal(cold(), "users", 5, seed=0, fold_in=True)
    assert isinstance(folded, RevealedSplit)
    assert cells(folded.train) == cells(cold().train)
    assert cells(folded.test) == cells(trained.test)
    assert cells(folded.to_fold_in) == cells(trained.train) - cells(cold().train)


def test_the_error_is_that_of_the_folded_in_model():
    split = reveal(cold(), "users", 10, seed=0, fold_in=True)
    model = glocalk.Bias().fit(split.train)
    monitor = Monitor()
    split.evaluate(model, monitor)
    (error,) = monitor.curves.test_rmse
    predicted = np.clip(
        model.fold_in(split.to_fold_in).predict_pairs(split.test.users, split.test.items), 1, 5
    )
    assert error == pytest.approx(np.sqrt(np.mean((predicted - split.test.ratings) ** 2)))
    plain = np.clip(model.predict_pairs(split.test.users, split.test.items), 1, 5)
    assert error < np.sqrt(np.mean((plain - split.test.ratings) ** 2))
    assert set(monitor.seconds) == {"fit", "fold_in", "evaluation"}
    assert (monitor.curves.stage, monitor.curves.epoch) == (["fit"], [None])


def test_revealed_ratings_of_items_without_training_ratings_are_left_out():
    split = reveal(cold(), "users", 5, seed=0, fold_in=True)
    gone = split.to_fold_in.items[0]
    kept = split.train.select(split.train.items != gone)
    rest = RevealedSplit(
        "x", kept, split.test, ids=split.ids, whole="users", to_fold_in=split.to_fold_in
    )
    model, monitor = glocalk.Bias().fit(kept), Monitor()
    rest.evaluate(model, monitor)
    usable = split.to_fold_in.select(split.to_fold_in.items != gone)
    predicted = np.clip(
        model.fold_in(usable).predict_pairs(split.test.users, split.test.items), 1, 5
    )
    expected = np.sqrt(np.mean((predicted - split.test.ratings) ** 2))
    assert monitor.curves.test_rmse == pytest.approx([expected])


def test_a_model_with_epochs_is_evaluated_after_the_last():
    split = reveal(cold(), "users", 5, seed=0, fold_in=True)
    model = glocalk.BiasMF(solver="als", rank=2, epochs=2).fit(split.train)
    monitor = Monitor()
    split.evaluate(model, monitor)
    assert (monitor.curves.stage, monitor.curves.epoch) == (["als"], [2])


def test_a_model_that_cannot_fold_in_is_refused():
    split = reveal(cold(), "users", 5, seed=0, fold_in=True)
    split.check(glocalk.Bias(), "model=bias")
    with pytest.raises(GlocalkError, match="model=x does not fold in new users"):
        split.check(glocalk.AutoRec(), "model=x")


PROTOCOL = {"valid_share": 0.05, "clip": True, "selection": "never", "lowest_seed": 0}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"revealed": 5}, "protocol.revealed=5 has an effect on a cold start alone: add protocol"),
        (
            {"cold_start_seed": 3},
            "protocol.cold_start_seed=3 has .*: add protocol.cold_start=users",
        ),
        ({"cold_start": "users", "fold_in": True}, "at least one .*: add protocol.revealed=5"),
        ({"cold_start": "users", "revealed": 0, "fold_in": True}, "at least one revealed"),
        ({"cold_start": "users", "revealed": 11}, "revealed' cannot be 11"),
        (
            {"cold_start": "users", "revealed": 1, "fold_in": True, "selection": "each_seed"},
            "no selection run is made: add protocol.selection=never",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(options, sentence):
    with pytest.raises(GlocalkError, match=sentence) as refused:
        ProtocolConfig.check({**PROTOCOL, **options}, "protocol")
    assert "{" not in str(refused.value)


def test_what_a_sentence_about_a_split_asks_for_is_enough(tmp_path):
    """Each refusal names an option; with the options named so far, the last command is accepted."""
    small = ["data=synthetic", "data.users=60", "data.items=50", "data.ratings=2000"]
    given = ["protocol.fold_in=true"]
    for option in (
        "protocol.revealed=5",
        "protocol.cold_start=users",
        "protocol.selection=never",
    ):
        refused = call("split", *small, *given, "out=made", cwd=tmp_path)
        assert refused.returncode == 1
        assert f"add {option}" in refused.stderr
        assert "{" not in refused.stderr
        given.append(option)
    assert call("split", *small, *given, "out=made", cwd=tmp_path).returncode == 0
    assert (tmp_path / "made" / "revealed.csv").is_file()


def test_what_is_not_asked_for_is_no_part_of_a_run_s_identity():
    made = ProtocolConfig.check(PROTOCOL, "protocol").identifying_options()
    assert made == PROTOCOL
    asked = {**PROTOCOL, "cold_start": "users", "revealed": 0}
    assert ProtocolConfig.check(asked, "protocol").identifying_options() == asked


@pytest.mark.parametrize("whole", ["users", "items"])
def test_validation_users_have_as_many_training_ratings_as_those_that_test(whole):
    start = cold(whole)
    split = reveal(start, whole, 4, seed=0, fold_in=False)
    held_out = split.hold_out(0.2, seed=5)
    own = np.bincount(getattr(held_out.train, whole), minlength=60)
    validated = np.unique(getattr(held_out.valid, whole))
    tested = np.unique(getattr(split.test, whole))
    assert len(validated) == round(0.2 * (len(np.unique(getattr(start.train, whole)))))
    assert not set(validated) & set(tested)
    assert (own[validated] == 4).all()
    assert (own[tested] == 4).all()
    assert cells(held_out.train) | cells(held_out.valid) == cells(split.train)
    again, other = split.hold_out(0.2, seed=5), split.hold_out(0.2, seed=6)
    assert cells(again.valid) == cells(held_out.valid) != cells(other.valid)


def test_a_search_judges_no_fold_in():
    split = reveal(cold(), "users", 5, seed=0, fold_in=True)
    with pytest.raises(GlocalkError, match=r"without a fold-in: leave protocol\.fold_in=true out"):
        without_test(split, None, 0)
