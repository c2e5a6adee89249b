import pytest

from glocalk.errors import GlocalkError
from glocalk.run.space import flat_space, value_of, with_values

OPTIONS = {"rank": 8, "sgd": {"rate": 0.1, "decay": None}, "trainer": {}}


def test_a_nested_space_becomes_flat():
    nested = {"rank": [8, 16], "sgd": {"rate": {"low": 0.1, "high": 1.0, "log": True}}}
    assert flat_space(nested, OPTIONS, "x.yaml") == {
        "rank": [8, 16],
        "sgd.rate": {"low": 0.1, "high": 1.0, "log": True},
    }


def test_a_range_of_a_float_is_of_floats():
    """Optuna draws whole numbers where both ends are."""
    ends = {"low": 1, "high": 10}
    space = flat_space({"rank": ends, "sgd": {"rate": ends}}, OPTIONS, "x.yaml")
    assert {name: type(choice["low"]) for name, choice in space.items()} == {
        "rank": int,
        "sgd.rate": float,
    }


def test_values_by_dotted_names():
    assert value_of(OPTIONS, "rank") == 8
    assert value_of(OPTIONS, "sgd.rate") == 0.1
    assert value_of(OPTIONS, "sgd.decay") is None


@pytest.mark.parametrize("name", ["ranks", "sgd.rates", "rank.low", "sgd.rate.x"])
def test_an_unknown_option_is_an_error(name):
    with pytest.raises(GlocalkError, match="an option that the model does not have"):
        value_of(OPTIONS, name)


def test_values_replace_options_in_a_copy():
    changed = with_values(OPTIONS, {"rank": 3, "sgd.rate": 0.5})
    assert changed == {"rank": 3, "sgd": {"rate": 0.5, "decay": None}, "trainer": {}}
    assert OPTIONS["rank"] == 8
    assert OPTIONS["sgd"]["rate"] == 0.1


@pytest.mark.parametrize(
    "choice",
    [
        *([], 3, {"low": 1}, {"low": 2, "high": 1}, {"low": 1, "high": 2, "step": 1}),
        *({"low": 0, "high": 2, "log": True}, {"low": "1", "high": 2}, {"low": False, "high": 2}),
        *({"low": 1, "high": 2, "log": 1}, {"low": 1, "high": float("inf")}),
    ],
    ids=str,
)
def test_what_is_not_a_choice_is_an_error(choice):
    with pytest.raises(GlocalkError, match=r"The search over 'rank' cannot be|does not have"):
        flat_space({"rank": choice}, OPTIONS, "x.yaml")
