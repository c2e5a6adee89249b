import pytest
from pydantic import TypeAdapter, ValidationError

from glocalk.errors import GlocalkError, printable
from glocalk.names import Label, Name, Seed, inside


def taken(kind, value):
    try:
        return TypeAdapter(kind).validate_python(value) == value
    except ValidationError:
        return False


@pytest.mark.parametrize(
    "name", ["ml_100k", "table1", "a.b", "x=1,y=2", "_", "0", "A-b", "a" * 100]
)
def test_a_name_of_safe_characters_is_accepted(name):
    assert taken(Name, name)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../x", "/x", "a/b", "a\\b", ".hidden", "-rf", "=1+1", "+1", "@x", "a b"),
        *("a\n", "a\x00", "évaluations", "a|b", "a`b", "a<b", "~", "$x", "a" * 101, "a:b", "%s"),
    ],
)
def test_any_other_name_is_refused(name):
    assert not taken(Name, name)


@pytest.mark.parametrize(
    ("label", "is_one"),
    [
        ("model.x=[1, 2],data.path='/tmp/évaluations (1).csv'", True),
        ("<b>|`$x`\\input{y}", True),  # for the report to escape
        *(("a\nb", False), ("\x1b[31m", False), ("a\u202eb", False), ("", False)),
        *(("a\u2028b", False), ("x" * 4000, True), ("x" * 4001, False)),
    ],
)
def test_labels_are_one_printable_line(label, is_one):
    assert taken(Label, label) is is_one


@pytest.mark.parametrize(
    ("seed", "is_one"), [(0, True), (2**32 - 1, True), (2**32, False), (-1, False)]
)
def test_seeds_are_whole_numbers_below_2_to_the_32(seed, is_one):
    assert taken(Seed, seed) is is_one


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 評 🙂", "plain ü 評 🙂"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("abc\u202egnp", r"abc\u202egnp"),
        ("bytes \udcff", r"bytes \udcff"),  # of a file name that is not UTF-8
        ("\x9b1m", r"\x9b1m"),
    ],
)
def test_what_a_terminal_obeys_is_escaped(text, shown):
    assert printable(text) == printable(shown) == shown
    assert str(GlocalkError(text)) == shown


def test_a_place_lies_inside_its_root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    assert inside(root, "a", "b.json") == root / "a" / "b.json"
    (root / "within").symlink_to(root / "a")
    assert inside(root, "within", "b.json") == root / "within" / "b.json"
    (root / "out").symlink_to(tmp_path)
    for parts in (["..", "x"], ["a/../../x"], ["/etc/passwd"], ["out", "x"], ["out"]):
        with pytest.raises(GlocalkError, match="leads out of the folder"):
            inside(root, *parts)


def test_a_root_may_be_a_link_itself(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    assert inside(tmp_path / "runs", "a") == tmp_path / "runs" / "a"
