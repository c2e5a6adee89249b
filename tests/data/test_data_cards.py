"""The data cards: they agree with the code, and hold no ratings."""

import json
import pkgutil
import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from glocalk.cli.data import known_file_sets
from glocalk.data.fetch.checksum import sha256

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "data_cards"
CARDS = {path.stem: path for path in sorted(FOLDER.glob("*.json"))}
DOWNLOADED = {name: sets for name, sets in known_file_sets().items() if sets}


def nodes(card):
    return {node["@id"]: node for node in card["distribution"]}


def test_every_data_set_that_is_downloaded_has_a_card():
    assert CARDS.keys() == DOWNLOADED.keys()
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"[{name}.json]({name}.json)" in listed for name in CARDS)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_has_the_files_of_the_code_with_their_checksums(name):
    files = nodes(json.loads(CARDS[name].read_text(encoding="utf-8")))
    found = set()
    for file_set in DOWNLOADED[name]:
        for file, checksum in file_set.files.items():
            node = files[file]
            found.add(file)
            if checksum.of is sha256:
                assert node["sha256"] == checksum.expected
            else:  # of what the code reads, not of the bytes
                assert checksum.expected in node["description"]
            archive = files.get(node.get("containedIn", {}).get("@id"), node)
            found.add(archive["@id"])
            (address, member) = next(
                (place.address, place.member)
                for place in file_set.places
                if hasattr(place, "address")
            )
            assert archive["contentUrl"] == address
            assert (node["contentUrl"] if member else None) == member
    assert found == files.keys()


@pytest.mark.parametrize("name", CARDS)
def test_a_card_tells_the_counts_and_the_terms(name):
    card = json.loads(CARDS[name].read_text(encoding="utf-8"))
    assert card["name"] == name
    config = OmegaConf.load(ROOT / "conf" / "data" / f"{name}.yaml")
    documented = pkgutil.resolve_name(config["_target_"]).__doc__
    counts = re.search(r"^ *\| (\d[\d,]*) \| ([\d,]+) \| ([\d,]+) \|.*\| ([\d,]+) / ([\d,]+) \|$",
                       documented, re.MULTILINE)  # fmt: skip
    about = " ".join([card["description"], *(each["description"] for each in card["recordSet"])])
    assert [count for count in counts.groups() if count not in about] == []
    if "no redistribution" in DOWNLOADED[name][0].license:
        assert "no redistribution without permission" in card["description"]
        assert card["license"].endswith("README.txt")
    else:
        assert "None stated" in card["license"]
    assert card["citeAs"].startswith(("@article{", "@inproceedings{"))


@pytest.mark.parametrize("name", CARDS)
def test_a_card_describes_fields_and_holds_no_ratings(name):
    card = json.loads(CARDS[name].read_text(encoding="utf-8"))
    assert card["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    files = nodes(card)
    ids = list(files)
    for record_set in card["recordSet"]:
        assert not {"data", "examples"} & record_set.keys()
        fields = [field["@id"] for field in record_set["field"]]
        assert all(each.startswith(f"{record_set['@id']}/") for each in fields)
        assert all(each["@id"] in fields for each in record_set.get("key", []))
        for field in record_set["field"]:
            assert field["description"]
            assert field["source"]["fileObject"]["@id"] in files
        ids += [record_set["@id"], *fields]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("ml_100k", "196\t242\t3\t881250949", ["196", "242", "3", "881250949"]),
        ("ml_1m", "1::1193::5::978300760", ["1", "1193", "5", "978300760"]),
    ],
)
def test_the_fields_of_a_card_take_their_column_of_a_line(name, line, expected):
    card = json.loads(CARDS[name].read_text(encoding="utf-8"))
    ratings = next(each for each in card["recordSet"] if each["name"] == "ratings")
    patterns = [field["source"]["transform"]["regex"] for field in ratings["field"]]
    assert [re.search(pattern, line)[1] for pattern in patterns] == expected


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_valid_croissant(name):
    mlcroissant = pytest.importorskip("mlcroissant", reason="pip install mlcroissant")
    dataset = mlcroissant.Dataset(jsonld=str(CARDS[name]))  # raises if it is not
    assert dataset.metadata.name == name
