"""The Python API, used as a script would: ids in, arrays and tables out."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import glocalk
import glocalk.api
import glocalk.completers.baselines
import glocalk.data.ratings
from command import only_record, run

FRAME = pd.DataFrame(
    {
        "user": ["ann", "ann", "bob", "bob", "cat", "cat", "dan"],
        "item": [10, 20, 10, 30, 20, 30, 10],
        "rating": [5, 3, 4, 1, 2, 2, 5],
    }
)
SMALL_SYNTHETIC = {"users": 40, "items": 30, "ratings": 300}


def small_glocal_k():
    return glocalk.GLocalK(hidden_size=8, pretrain={"epochs": 3}, finetune={"epochs": 3})


@pytest.fixture(scope="module")
def split():
    return glocalk.load_split("synthetic", **SMALL_SYNTHETIC)


def test_every_public_name_can_be_imported_and_is_listed():
    for name in glocalk.__all__:
        assert getattr(glocalk, name).__name__ == name
    assert dir(glocalk) == sorted(glocalk.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'GlocalK'"):
        glocalk.GlocalK  # noqa: B018


def test_importing_glocalk_imports_neither_torch_nor_pandas():
    program = "import sys, glocalk; print({'torch', 'pandas', 'lightning'} & set(sys.modules))"
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "set()"


def test_predictions_of_the_bias_are_those_computed_by_hand():
    ratings = glocalk.Ratings.from_frame(FRAME)
    model = glocalk.Bias(item_damping=0, user_damping=0).fit(ratings)
    mean = 22 / 7
    offset_10 = np.mean([5 - mean, 4 - mean, 5 - mean])
    offset_20 = np.mean([3 - mean, 2 - mean])
    offset_ann = np.mean([5 - mean - offset_10, 3 - mean - offset_20])
    expected = np.clip([mean + offset_10 + offset_ann, mean + offset_20 + offset_ann], 1, 5)
    np.testing.assert_allclose(model.predict(["ann", "ann"], [10, 20]), expected)


@pytest.mark.parametrize(
    "kind",
    [list, np.array, pd.Series, torch.tensor],
    ids=["list", "numpy", "pandas", "torch"],
)
def test_ids_may_be_lists_arrays_series_or_tensors(kind):
    users, items, values = [7, 7, 9], [1, 2, 1], [4.0, 3.0, 5.0]
    ratings = glocalk.Ratings.from_arrays(kind(users), kind(items), kind(values))
    model = glocalk.GlobalMean().fit(ratings)
    predicted = model.predict(kind([9, 7]), kind([2, 1]))
    assert isinstance(predicted, np.ndarray)
    np.testing.assert_allclose(predicted, [4.0, 4.0])


def test_the_best_items_are_those_that_the_user_has_not_rated():
    model = glocalk.Bias(item_damping=0, user_damping=0).fit(glocalk.Ratings.from_frame(FRAME))
    top = model.top(["dan", "ann"], n=2)
    assert list(top.columns) == ["user", "item", "rank", "rating"]
    # Items 20 and 30 have the means 2.5 and 1.5; dan has rated item 10, ann items 10 and 20.
    assert top[["user", "item", "rank"]].to_numpy().tolist() == [
        ["dan", 20, 1],
        ["dan", 30, 2],
        ["ann", 30, 1],
    ]


def test_a_saved_model_predicts_the_same_once_loaded(tmp_path):
    model = glocalk.BiasMF(rank=3, epochs=2).fit(glocalk.Ratings.from_frame(FRAME), seed=1)
    model.save(tmp_path / "model.pt")
    loaded = glocalk.load(tmp_path / "model.pt")
    assert isinstance(loaded, glocalk.BiasMF)
    assert loaded.config == model.config
    np.testing.assert_array_equal(
        loaded.predict(["bob", "dan"], [20, 30]), model.predict(["bob", "dan"], [20, 30])
    )
    pd.testing.assert_frame_equal(loaded.top(n=1), model.top(n=1))


def test_the_representation_shows_the_options_that_differ_from_the_defaults():
    assert repr(glocalk.Bias()) == "Bias()"
    assert repr(glocalk.Bias(user_damping=3)) == "Bias(user_damping=3.0)"


def test_before_the_fit_every_use_says_so(tmp_path):
    model = glocalk.Bias()
    for use in (
        lambda: model.predict([1], [1]),
        lambda: model.top([1]),
        lambda: model.save(tmp_path / "model.pt"),
    ):
        with pytest.raises(glocalk.NotFittedError, match="Bias is not fitted: call fit first"):
            use()
    assert not list(tmp_path.iterdir())


def test_an_unknown_option_names_the_nearest_known_one():
    with pytest.raises(glocalk.GlocalkError, match="'hiden_size': did you mean 'hidden_size'"):
        glocalk.GLocalK(hiden_size=5)


def test_load_split_says_how_a_file_was_read(tmp_path, caplog):
    path = tmp_path / "r.csv"
    rows = [f"{u},{i},{-1 if u == 3 else 1 + (u + i) % 5}\n" for u in range(4) for i in range(5)]
    path.write_text("uid,isbn,score\n" + "".join(rows))
    with caplog.at_level("INFO", "glocalk.api"):
        made = glocalk.load_split("csv", path=path)
    assert made.notes[0] == (
        "user ← uid, item ← isbn, rating ← score; 20 ratings, 4 users, 5 items, scale -1 … 5"
    )
    assert made.notes[1].startswith("Warning: 5 of 20 ratings are -1, the others 1–5: if -1 means")
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", made.notes[0]),
        ("WARNING", made.notes[1]),
    ]
    assert made.hold_out(0.5, seed=0).notes == made.notes


def test_load_split_reads_options_and_refuses_unknown_names(split):
    assert split.train.shape == (40, 30)
    assert len(split.train) + len(split.test) == 300
    with pytest.raises(glocalk.GlocalkError, match="'ml_100': did you mean 'ml_100k'"):
        glocalk.load_split("ml_100")
    with pytest.raises(glocalk.GlocalkError, match=r"'data\.user': did you mean 'users'"):
        glocalk.load_split("synthetic", user=3)


def test_evaluate_measures_a_completer_by_the_definition_of_the_errors(split):
    model = glocalk.GlobalMean().fit(split.train)
    measured = glocalk.evaluate(model, split)
    error = split.train.ratings.mean() - split.test.ratings
    assert measured["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-12)
    assert measured["mae"] == pytest.approx(np.mean(np.abs(error)), rel=1e-12)
    assert 0 <= measured["ndcg"] <= 1


def test_evaluate_takes_predictions_made_elsewhere(split):
    far_off = split.test.ratings + 100  # clipped to the highest rating, 5
    measured = glocalk.evaluate(far_off, split)
    assert measured["rmse"] == pytest.approx(np.sqrt(np.mean((5 - split.test.ratings) ** 2)))
    assert glocalk.evaluate(far_off, split, clip=False)["rmse"] == pytest.approx(100)
    with pytest.raises(glocalk.GlocalkError, match="30 ratings need as many predictions"):
        glocalk.evaluate([3.0], split)


@pytest.mark.data("ml-100k")
def test_evaluate_finds_test_users_by_their_ids(data_dir):
    """ML-100K's ids start at 1 and its indices at 0: the two must not be mixed up."""
    split = glocalk.load_split("ml_100k", data_dir=data_dir)
    model = glocalk.Bias().fit(split.train)
    indices = np.clip(model.predict_pairs(split.test.users, split.test.items), 1, 5)
    expected = np.sqrt(np.mean((indices - split.test.ratings) ** 2))
    assert glocalk.evaluate(model, split)["rmse"] == pytest.approx(expected, rel=1e-12)


def test_compare_fits_each_completer_for_each_seed_it_depends_on(split):
    given = glocalk.BiasMF(rank=2, epochs=2)
    table = glocalk.compare([glocalk.Bias(), given], split, seeds=[0, 1])
    assert list(table.columns) == [
        *("completer", "seed", "rmse", "mae", "ndcg", "parameters", "seconds")
    ]
    assert table[["completer", "seed"]].to_numpy().tolist() == [
        ["Bias()", 0],
        ["BiasMF(rank=2, epochs=2)", 0],
        ["BiasMF(rank=2, epochs=2)", 1],
    ]
    again = glocalk.BiasMF(rank=2, epochs=2).fit(split.train, seed=1)
    assert table["rmse"][2] == glocalk.evaluate(again, split)["rmse"]
    assert given.trained_on is None
    with pytest.raises(glocalk.GlocalkError, match="no seed"):
        glocalk.compare([glocalk.Bias()], split, seeds=[])


def test_a_fit_from_python_gives_the_figure_of_the_command_line(split, tmp_path):
    process = run(
        "train",
        "data=synthetic",
        *(f"data.{name}={value}" for name, value in SMALL_SYNTHETIC.items()),
        "model.hidden_size=8",
        "model.pretrain.epochs=3",
        "model.finetune.epochs=3",
        "protocol.selection=never",
        "trainer.threads=1",
        "seed=3",
        f"runs_dir={tmp_path / 'runs'}",
        cwd=tmp_path,
    )
    assert process.returncode == 0, process.stderr
    record = only_record(tmp_path / "runs")
    model = small_glocal_k().fit(split.train, seed=3)
    assert glocalk.evaluate(model, split)["rmse"] == record.protocols["last"].rmse
    (folder,) = (tmp_path / "runs").glob("synthetic-*")
    loaded = glocalk.load(folder)
    np.testing.assert_array_equal(loaded.predict([0, 1], [2, 3]), model.predict([0, 1], [2, 3]))


@pytest.mark.parametrize(
    "module", [glocalk.api, glocalk.data.ratings, glocalk.completers.baselines]
)
def test_the_examples_in_docstrings_are_right(module):
    assert doctest.testmod(module).failed == 0


def test_the_readme_shows_the_python_api_as_it_is(split, tmp_path, monkeypatch):
    """Runs the README's own lines, on small data and a small GLocal-K."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(import glocalk\n.*?)```", readme, flags=re.DOTALL)
    code = code.replace("glocalk.GLocalK(hidden_size=500)", "small()")
    code = code.replace("glocalk.GLocalK()", "small()").replace("rank=40", "rank=2")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(glocalk.api, "load_split", lambda _: split)
    names = {
        "small": small_glocal_k,
        "df": FRAME,
        "users": ["ann", "bob"],
        "items": [30, 20],
    }
    exec(compile(code, "README.md", "exec"), names)
    assert (tmp_path / "model.pt").is_file()
    assert names["table"]["seed"].tolist() == [0, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("use", "sentence"),
    [
        (lambda _: glocalk.Bias().fit(FRAME), "make them with glocalk.Ratings.from_frame"),
        (lambda split: glocalk.Bias().fit(split), "on ratings, not on Split"),
        (lambda split: glocalk.Bias().fit(split.train, seed=-1), "seed must be a whole number"),
        (lambda split: glocalk.BiasMF().fit(split.train, seed=1.5), "not 1.5"),
        (lambda _: glocalk.BiasMF(40), "takes its options as keywords, not 40"),
        (lambda _: glocalk.GLocalK(glocalk.Bias().config), "takes its options as keywords"),
        (lambda _: glocalk.IGMC(epochs=1), "^IGMCConfig: the ensemble's first network"),
        (lambda split: glocalk.evaluate(glocalk.Bias, split), "a fitted completer or predictions"),
        (lambda split: glocalk.evaluate(["a"] * 30, split), "predictions must be numbers"),
        (lambda split: glocalk.evaluate([3.0] * 30, split.train), "a Split, not Ratings"),
        (lambda split: glocalk.compare(glocalk.Bias(), split), "a list of completers"),
        (lambda split: glocalk.compare([glocalk.Bias], split), "a list of completers"),
        (lambda split: glocalk.compare([glocalk.Bias()], split, seeds=3), "a list of seeds"),
        (lambda _: glocalk.load_split(3), "Unknown data '3'"),
        (lambda _: glocalk.Ratings.from_frame(None), "takes a DataFrame, not NoneType"),
        (lambda _: glocalk.Ratings.from_arrays([1], [1], [3j]), "must be numbers"),
        (lambda _: glocalk.Ratings.from_arrays([1], [1], [3], scale=5), "lowest, highest"),
        (lambda _: glocalk.Ratings.from_arrays([1], [1], [3], scale=(5, 1)), "must ascend"),
    ],
)
def test_what_a_user_gets_wrong_ends_in_one_sentence(use, sentence, split):
    with pytest.raises(glocalk.GlocalkError, match=sentence) as error:
        use(split)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("use", "sentence"),
    [
        (lambda model: model.predict([0], [0], unknown="maen"), "did you mean 'mean'"),
        (lambda model: model.predict([[0]], [[0]]), "must be one-dimensional"),
        (lambda model: model.top([0], n=1.5), "a whole number from 1, not 1.5"),
        (lambda model: model.top([0], n="3"), "a whole number from 1, not '3'"),
    ],
)
def test_a_wrong_question_to_a_fitted_completer_ends_in_one_sentence(use, sentence, split):
    with pytest.raises(glocalk.GlocalkError, match=sentence):
        use(glocalk.Bias().fit(split.train))


@pytest.mark.parametrize("returned", [np.zeros(1), np.full(3, np.nan)])
def test_a_completer_s_wrong_predictions_are_refused(returned, split, monkeypatch):
    model = glocalk.Bias().fit(split.train)
    monkeypatch.setattr(model, "predict_pairs", lambda *_: returned)
    with pytest.raises(glocalk.GlocalkError, match="The completer returned"):
        model.predict([0, 1, 2], [0, 1, 2])


def test_the_parts_of_every_split_have_ids(split):
    assert isinstance(split.train, glocalk.Ratings)
    assert split.test.ids is split.train.ids


def test_a_completer_has_the_hyperparameters_of_the_command_line():
    model = glocalk.make_completer("svd_pp", data="ml_100k", epochs=2)
    assert isinstance(model, glocalk.SVDPlusPlus)
    # conf/settings/svd_pp/ml_100k.yaml, not the defaults of the class.
    file = Path(__file__).parents[1] / "conf" / "settings" / "svd_pp" / "ml_100k.yaml"
    chosen = float(re.search(r"learning_rate: (\S+)", file.read_text()).group(1))
    assert model.config.learning_rate == chosen != glocalk.SVDPlusPlus().config.learning_rate
    assert model.config.epochs == 2
    assert glocalk.make_completer("u_autorec").config.rows == "users"
    with pytest.raises(glocalk.GlocalkError, match="'svd': did you mean 'svd_pp'"):
        glocalk.make_completer("svd")
    with pytest.raises(glocalk.GlocalkError, match="did you mean 'epochs'"):
        glocalk.make_completer("svd_pp", epoch=2)


def test_a_prediction_that_is_no_number_is_named_by_the_ids_of_its_pair():
    split = glocalk.load_split("synthetic", users=40, items=30, ratings=300)
    predicted = np.full(len(split.test), 3.0)
    predicted[4] = np.nan
    user = split.ids.users[split.test.users[4]]
    item = split.ids.items[split.test.items[4]]
    with pytest.raises(
        glocalk.GlocalkError, match=f"for user {user}, item {item} is nan: predictions"
    ):
        glocalk.evaluate(predicted, split)
