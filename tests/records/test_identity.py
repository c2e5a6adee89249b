import hashlib

from glocalk.records.identity import config_hash, run_key, search_identity, without_target


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_hash_is_taken_over_canonical_json():
    assert config_hash({"b": [1, None], "a": {"x": 0.5}}) == sha('{"a":{"x":0.5},"b":[1,null]}')


def test_equal_values_have_one_hash_however_they_are_written():
    written = {"rate": 20, "sizes": [1, 2], "inner": {"x": 1, "y": 0.1}, "on": True}
    same = {"on": True, "inner": {"y": 0.1, "x": 1.0}, "sizes": (1.0, 2), "rate": 20.0}
    assert config_hash(written) == config_hash(same)
    for other in ({"rate": 21}, {"sizes": [2, 1]}, {"inner": {"x": 1}}, {"on": False}):
        assert config_hash({**written, **other}) != config_hash(written)


def test_a_run_is_told_by_config_data_and_model_version():
    expected = sha('{"config":"c0","data":"d0","model_version":1}')[:12]
    assert run_key("c0", "d0", 1) == expected
    assert (
        len({expected, run_key("c1", "d0", 1), run_key("c0", None, 1), run_key("c0", "d0", 2)}) == 4
    )


def test_a_search_is_told_by_its_space_and_seed_too():
    arguments = {"config": {}, "space": {"rank": [1]}, "seed": 0, "data_checksum": "d"}
    found = {
        search_identity(**{**arguments, **change}, model_version=1)
        for change in ({}, {"space": {"rank": [2]}}, {"seed": 1}, {"data_checksum": "e"})
    }
    assert len(found) == 4


def test_class_paths_are_left_out():
    assert without_target({"_target_": "a.B", "x": 1}) == {"x": 1}
