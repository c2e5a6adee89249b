import pytest

from glocalk.cli.arguments import read_arguments, refuse_words
from glocalk.config import BaseConfig, Names
from glocalk.errors import GlocalkError


def test_words_and_options_are_told_apart():
    words, options = read_arguments("data", ["fetch", "data_dir=a=b c", "ml_1m"])
    assert words == ["fetch", "ml_1m"]
    assert options == {"data_dir": "a=b c"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["a="], "'a=' is not name=value."),
        (["=a"], "'=a' is not name=value."),
        (["a=1", "a=2"], "Option 'a' is given twice."),
        (["-x"], "Unknown flag '-x': options are written name=value, see glocalk data --help."),
    ],
)
def test_what_is_not_name_and_value_is_refused(given, sentence):
    with pytest.raises(GlocalkError) as error:
        read_arguments("data", given)
    assert str(error.value) == sentence


def test_a_word_is_refused_where_only_options_are_known():
    refuse_words([])
    with pytest.raises(GlocalkError, match="'x' is not name=value"):
        refuse_words(["x"])


@pytest.mark.parametrize("text", ["a,b", "[a,b]", "[ a, b ]"])
def test_lists_are_read_with_and_without_brackets(text):
    class Config(BaseConfig):
        names: Names

    assert Config.check({"names": text}, "").names == ["a", "b"]
