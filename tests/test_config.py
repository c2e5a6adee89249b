"""Config classes of the test's own: what `BaseConfig.check` accepts, and what its errors say."""

from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, Field, create_model, model_validator

from glocalk.config import ADDED, BaseConfig, did_you_mean, find_class, unknown_option
from glocalk.errors import GlocalkError


def _known(options):
    for name in options:
        if name not in ("red", "green"):
            raise unknown_option(name, ["red", "green"])
    return options


class Inner(BaseConfig):
    size: int = Field(default=1, ge=1)
    share: float = 0.5
    colors: Annotated[dict[str, Any], AfterValidator(_known)] = Field(default={})


class Outer(BaseConfig):
    length: int
    inner: Inner = Inner(share=0.25)


def test_an_incomplete_nested_config_keeps_the_defaults_of_the_outer_one():
    config = Outer.check({"length": 2, "inner": {"size": 3}}, "")
    assert config == Outer(length=2, inner=Inner(size=3, share=0.25))
    assert Outer.defaults() == {"inner": {"size": 1, "share": 0.25, "colors": {}}}


class Pair(BaseConfig):
    low: int = 0
    high: int = 1

    @model_validator(mode="after")
    def _in_order(self):
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class WithPair(BaseConfig):
    pair: Pair = Pair()


@pytest.mark.parametrize(
    ("check", "name"),
    [
        (lambda options: Pair.check(options, "pair"), "pair"),
        (lambda options: WithPair.check({"pair": options}, ""), "pair"),
        (lambda options: WithPair.check({"pair": options}, "model"), "model.pair"),
    ],
)
def test_options_that_do_not_fit_together_are_named_without_their_values(check, name):
    with pytest.raises(GlocalkError) as caught:
        check({"low": 2})
    assert str(caught.value) == f"The options of '{name}' do not fit together: low is above high."


class Kinds(BaseConfig):
    size: int = 1
    share: float | None = None
    many: tuple[int | float, ...] = (1,)
    switch: bool = False
    number_or_switch: int | bool = 0
    anything: Any = None


@pytest.mark.parametrize("wrong", [{"size": True}, {"share": False}, {"many": [2, True]}])
def test_a_truth_value_is_no_number(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(GlocalkError) as caught:
        Kinds.check(wrong, "model")
    assert str(caught.value) == (
        f"Option 'model.{name}' cannot be {value}: input should be a number, not true or false."
    )


def test_a_truth_value_is_taken_where_an_option_may_have_it():
    given = {"switch": True, "number_or_switch": True, "anything": True}
    config = Kinds.check(given, "")
    assert [config.switch, config.number_or_switch, config.anything] == [True] * 3


class InnerWithMore(Inner):
    damping: Annotated[float, ADDED] = Field(default=0.0, ge=0)


class WithMore(BaseConfig):
    length: int
    inner: InnerWithMore = InnerWithMore(share=0.25)
    other: Annotated[InnerWithMore, ADDED] = InnerWithMore(damping=2.0)
    order: Annotated[str | None, ADDED] = None


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({}, {}),
        ({"order": None, "inner": {"damping": 0}, "other": {"damping": 2}}, {}),
        ({"order": "given"}, {"order": "given"}),
        ({"other": {"size": 2}}, {"other": {"size": 2, "share": 0.5, "colors": {}, "damping": 2}}),
        (
            {"inner": {"damping": 0.5}},
            {"inner": {"size": 1, "share": 0.25, "colors": {}, "damping": 0.5}},
        ),
    ],
)
def test_an_added_option_identifies_a_run_only_where_it_differs_from_its_default(options, more):
    before = Outer.check({"length": 2}, "").identifying_options()
    assert before == {"length": 2, "inner": {"size": 1, "share": 0.25, "colors": {}}}
    after = WithMore.check({"length": 2, **options}, "").identifying_options()
    assert after == {**before, **more}


def test_an_added_option_of_a_config_in_a_list_identifies_a_run_likewise():
    class Listed(BaseConfig):
        parts: tuple[InnerWithMore, ...] | None = ()
        names: tuple[str, ...] = ("a",)

    options = {"parts": [{"damping": 0}, {"damping": 1}]}
    plain = {"size": 1, "share": 0.5, "colors": {}}
    assert Listed.check(options, "").identifying_options() == {
        "parts": [plain, {**plain, "damping": 1}],
        "names": ["a"],
    }
    assert Listed.check({"parts": None}, "").identifying_options()["parts"] is None


def test_an_added_option_is_an_option_like_any_other():
    config = WithMore.check({"length": 2, "inner": {"damping": 3}}, "")
    assert config.inner.damping == 3
    assert WithMore.defaults()["inner"]["damping"] == 0
    with pytest.raises(GlocalkError, match=r"'model\.inner\.damping' cannot be -1: "):
        WithMore.check({"length": 2, "inner": {"damping": -1}}, "model")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "Option 'model.length' is missing: give it a value."),
        # Not that `length` is missing.
        ({"lenght": 2}, "Unknown option 'model.lenght': did you mean 'length'?"),
        (
            {"length": 2, "inner": {"sizes": 3}},
            "Unknown option 'model.inner.sizes': did you mean 'size'?",
        ),
        (
            {"length": 2, "inner": {"zzz": 3}},
            "Unknown option 'model.inner.zzz': choose from colors, share, size.",
        ),
        (
            {"inner": {"colors": {"gren": 1}}},
            "Unknown option 'model.inner.colors.gren': did you mean 'green'?",
        ),
        (
            {"length": 2, "inner": {"size": 0}},
            "Option 'model.inner.size' cannot be 0: input should be greater than or equal to 1.",
        ),
    ],
)
def test_an_error_is_one_sentence_that_names_the_option(options, sentence):
    with pytest.raises(GlocalkError) as error:
        Outer.check(options, "model")
    assert str(error.value) == sentence
    with pytest.raises(GlocalkError) as error:
        Outer.check(options, "")
    assert str(error.value) == sentence.replace("'model.", "'")


@pytest.mark.parametrize("kind", [list[Inner], tuple[Inner, ...]])
def test_an_unknown_option_of_a_config_in_a_list_names_the_nearest_one(kind):
    made = create_model("Listed", __base__=BaseConfig, several=(kind, ...))
    sentence = r"^Unknown option 'model\.several\.1\.sizes': did you mean 'size'\?$"
    with pytest.raises(GlocalkError, match=sentence):
        made.check({"several": [{"size": 2}, {"sizes": 3}]}, "model")


def test_where_nothing_is_known_nothing_is_suggested():
    assert did_you_mean("name", []) == "there are none."


class Named:
    class Config(BaseConfig):
        name: str = "x"


@pytest.mark.parametrize("group", ["model", "data"])
def test_the_name_of_a_config_is_no_option(group):
    """It would take the place of the config's name in records, which then contradict themselves."""
    with pytest.raises(GlocalkError, match="has an option 'name': call it otherwise"):
        find_class(f"{__name__}.Named", group, Named)
    assert find_class(f"{__name__}.Named", "executor", Named) is Named
