import math

import pytest

from glocalk.errors import GlocalkError
from glocalk.records.json_text import LARGEST, parse, read_json, to_json


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[NaN]", "NaN is not a finite number"),
        ("[-Infinity]", "-Infinity is not a finite number"),
        ("[1e999]", "1e999 is not a finite number"),
        ('{"a": 1, "a": 2}', "a name occurs twice"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 25 + "]" * 25, "nested too deeply"),
        ('{"a":' * 25 + "1" + "}" * 25, "nested too deeply"),
        ("[" + "1" * 5000 + "]", "is too large"),
        ("[12345678901234567890]", "is too large"),
        ('{"a": 1', "not JSON from line 1"),
        ("\ufeff{}", "not JSON from line 1"),
        ("", "not JSON"),
    ],
)
def test_what_no_record_holds_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        parse(text)


def test_what_is_written_is_read():
    content = {"a": [1, 2.5, None, True, "ü\x1b"], "b": {"c": {}}, "d": 2**62}
    assert parse(to_json(content)) == content
    assert to_json([1], indent=1) == "[\n 1\n]\n"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"a": {"b": [1.0, math.nan]}}, r"a\.b\[1\]"),
        ({"config": {"trainer": {"clip": math.inf}}}, r"config\.trainer\.clip"),
        ({"a": object()}, "a"),
    ],
)
def test_a_value_that_json_cannot_hold_is_named(value, field):
    with pytest.raises(GlocalkError, match=f"'{field}' is neither text, a finite number"):
        to_json(value)


def test_files_of_other_encodings_and_sizes_are_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'"\xe9"')
    with pytest.raises(ValueError, match="not UTF-8"):
        read_json(path)
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(ValueError, match="larger than 32 MiB"):
        read_json(path)
    with pytest.raises(OSError, match="No such file"):
        read_json(tmp_path / "none.json")


def test_a_pipe_is_not_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "record.json")
    with pytest.raises(ValueError, match="not a regular file"):
        read_json(tmp_path / "record.json")
