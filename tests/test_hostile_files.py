"""Damaged and hostile files through everything that reads them: each is refused in one sentence or
read as it is; nothing is written outside its folder, nothing is executed or imported.
"""

import json
import random
from collections import Counter

import pytest
import torch

import hostile
from glocalk.records.benchmark import Bench
from glocalk.records.migrate import migrate_folder
from glocalk.records.run import Record
from glocalk.records.search import Search
from glocalk.report.local import write_local_table
from glocalk.report.promote import promote
from glocalk.report.render import render
from glocalk.report.searches import promote_searches
from glocalk.reproduce.plan import make_plan
from glocalk.run.folder import RunFolder
from glocalk.training.checkpoints import AtomicCheckpoints, usable
from records.test_migrate import OLD, OLD_SEARCH
from report.factory import curves, record, search

FEW, ALL = 10, pytest.param(None, marks=pytest.mark.slow)
BENCH = json.loads((hostile.ROOT / "reports" / "bench.json").read_text())
CURVES = {
    "final": curves([0.95, 0.93, 0.92, 0.9, 0.91]),
    "selection": curves([0.96, 0.94, 0.93, 0.92, 0.93], valid=[0.9, 0.8, 0.7, 0.6, 0.65]),
}


def report_on(box):
    return render(box.reports / "records", box.reports, box.readme)


def read_record(box, content):
    path = box.put("runs/one/record.json", content)
    box.put("reports/records/one.json", content)
    found = hostile.attempt(Record.read, path)
    hostile.attempt(write_local_table, box.runs, box.reports / "records", box.root / "out", {})
    said = hostile.attempt(promote, box.runs, box.root / "promoted")
    hostile.attempt(report_on, box)
    hostile.attempt(migrate_folder, box.runs)
    folder = RunFolder(box.runs, "ml_100k", "glocal_k", "abc", 0)
    box.put(folder.record.relative_to(box.root), content)
    assert folder.held_record() is None  # it is another run's
    if found is None:
        assert said is None
        return False
    assert make_plan([], [found]) == []
    given = json.loads(content)
    assert found.model_dump() == {**found.model_dump(), **given}
    return True


def read_old_record(box, content):
    path = box.put("runs/one/record.json", content)
    said = " ".join(hostile.attempt(migrate_folder, box.runs) or [])
    migrated = f"Migrated: '{path}'" in said
    assert migrated or not path.exists() or path.read_bytes() == content
    if migrated:
        (new,) = (p for p in box.runs.glob("*/record.json") if p.parent.name != "good")
        assert Record.read(new).seed == json.loads(content)["seed"]
    return migrated


def read_search(box, content):
    path = box.put("runs/searches/one/search.json", content)
    box.put("reports/searches/one.json", content)
    found = hostile.attempt(Search.read, path)
    said = hostile.attempt(promote_searches, box.runs, box.root / "promoted")
    hostile.attempt(report_on, box)
    hostile.attempt(migrate_folder, box.runs)
    if found is None:
        assert said is None
        return False
    assert found.model_dump() == {**found.model_dump(), **json.loads(content)}
    return True


def read_old_search(box, content):
    path = box.put("runs/searches/one/search.json", content)
    said = " ".join(hostile.attempt(migrate_folder, box.runs) or [])
    migrated = f"Migrated: '{path}'" in said
    assert migrated or path.read_bytes() == content
    return migrated and hostile.attempt(Search.read, path) is not None


def read_bench(box, content):
    path = box.put("reports/bench.json", content)
    found = hostile.attempt(Bench.read, path)
    report = hostile.attempt(report_on, box)
    assert (found is None) == (report is None)
    if found is not None:
        assert found.model_dump() == {**found.model_dump(), **json.loads(content)}
    return found is not None


JSON_KINDS = {
    "record": (record().model_dump(), read_record, 1100),
    "record with curves": (record(curves=CURVES).model_dump(), read_record, 100),
    "record of a variant": (
        record(variant="model.rank=3", curves=CURVES).model_dump(),
        read_record,
        500,
    ),
    "record of schema 1": (OLD, read_old_record, 400),
    "search": (search().model_dump(), read_search, 300),
    "search of schema 1": (OLD_SEARCH, read_old_search, 200),
    "benchmark": (BENCH, read_bench, 60),
}


@pytest.mark.parametrize("count", [FEW, ALL])
@pytest.mark.parametrize("kind", JSON_KINDS)
def test_damaged_records_searches_and_benchmarks_are_refused_or_read_right(kind, count, tmp_path):
    content, read, whole = JSON_KINDS[kind]
    good = json.dumps(content).encode()
    rng, box = random.Random(kind), hostile.Box(tmp_path)
    mutated = hostile.json_mutations(rng, content)
    damaged = hostile.damages(rng, good, json.dumps(BENCH).encode())
    box.clear()
    assert read(box, good), "the good file is refused"
    outcomes = Counter()
    for number in range(count or whole):
        what, changed = next(damaged if number % 4 == 0 else mutated)
        box.clear()
        with hostile.Watch(box.root) as watch:
            outcomes[read(box, changed)] += 1
        assert not watch.seen, f"{what}: {watch.seen[:3]}"
        assert box.outside() == box.before, what
    assert outcomes[False] > outcomes[True]


@pytest.mark.parametrize("count", [FEW, pytest.param(300, marks=pytest.mark.slow)])
def test_damaged_checkpoints_are_refused_or_read_right(count, tmp_path):
    box = hostile.Box(tmp_path)
    box.clear()
    path = box.root / "final" / "train.ckpt"
    content = {"state": {"w": torch.arange(6.0), "b": torch.zeros(2)}, "epoch": 3, "options": {}}
    AtomicCheckpoints().save_checkpoint(content, path)
    good = path.read_bytes()
    assert usable(path)
    rng = random.Random("checkpoint")
    damaged = hostile.damages(rng, good, hostile.sealed({"state": {}}))
    for _ in range(count):
        what, changed = next(damaged)
        path.write_bytes(changed)
        with hostile.Watch(box.root) as watch:
            assert not usable(path), what
        assert not watch.seen, f"{what}: {watch.seen[:3]}"
        assert path.with_name("train.ckpt.damaged").read_bytes() == changed
        assert not path.exists()


def test_a_compressed_checkpoint_is_not_unpacked(tmp_path):
    path = tmp_path / "train.ckpt"
    path.write_bytes(hostile.sealed({"state": {"w": torch.zeros(1000)}}))
    assert usable(path)
    path.write_bytes(hostile.sealed({"state": {"w": torch.zeros(1000)}}, "deflated"))
    assert not usable(path)
    assert path.with_name("train.ckpt.damaged").exists()
