import json

import pytest

from glocalk.errors import GlocalkError
from glocalk.records.run import Record, read_records
from glocalk.records.schema import migrate_command, schema_of
from glocalk.records.search import Search
from glocalk.report.load import load_local


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"format": 1}', 1),
        ('{"schema_version": 2}', 2),
        ('{"schema_version": 2, "format": 1}', 2),
        ('{"format": "1"}', None),
        ('{"format": true}', None),
        ("{}", None),
        ("[1]", None),
        ('{"format": 1', None),
    ],
)
def test_the_schema_that_a_file_names(tmp_path, text, found):
    path = tmp_path / "record.json"
    path.write_text(text)
    assert schema_of(path) == found


@pytest.mark.parametrize("kind", [Record, Search])
def test_an_older_file_is_refused_in_one_sentence_that_names_the_command(tmp_path, kind):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"format": 1, "trials": []}))
    with pytest.raises(GlocalkError) as error:
        kind.read(path)
    assert str(error.value) == (
        f"'{path}' is a record of schema 1, and this glocalk reads schema 2: migrate it with "
        f"`glocalk report migrate {tmp_path}`."
    )


@pytest.mark.parametrize("kind", [Record, Search])
def test_a_newer_file_asks_for_a_newer_glocalk(tmp_path, kind):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"schema_version": 3}))
    with pytest.raises(GlocalkError, match=r"is a record of schema 3, .* or a newer one"):
        kind.read(path)


def test_readers_of_whole_folders_name_the_command_too(tmp_path):
    path = tmp_path / "some run" / "record.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"format": 1}))
    command = f"`glocalk report migrate '{tmp_path}/some run'`"
    with pytest.raises(GlocalkError) as error:
        read_records(tmp_path)
    assert command in str(error.value)
    (sentence,) = load_local(tmp_path).unreadable
    assert command in sentence


def test_the_command_is_quoted_for_the_shell(tmp_path):
    assert migrate_command(tmp_path / "my runs").endswith("/my runs'")
