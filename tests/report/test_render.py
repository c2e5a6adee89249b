import re
from fnmatch import fnmatch
from pathlib import Path
from shutil import copytree

import pytest
from factory import COSTS, README, baseline, curves, failed, record, search, write
from study import every_experiment

from glocalk.cli.report import main
from glocalk.errors import GlocalkError
from glocalk.records.benchmark import Bench
from glocalk.records.search import Budget
from glocalk.report.embed import Embedded, with_embedded
from glocalk.report.parts import Sources
from glocalk.report.render import PARTS, render

BENCH = Path(__file__).parents[2] / "reports" / "bench.json"
TEST = [1.5, 0.95, 0.90, 0.89, 0.91]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with records, a README and a page of costs; the current one."""
    monkeypatch.chdir(tmp_path)
    fill(tmp_path)
    return tmp_path


@pytest.fixture
def reported(tmp_path, rendered, monkeypatch):
    """The same with its report."""
    monkeypatch.chdir(tmp_path)
    copytree(rendered, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """What `reported` is a copy of."""
    folder = tmp_path_factory.mktemp("rendered")
    fill(folder)
    render(folder / "reports" / "records", folder / "reports", folder / "README.md")
    return folder


def fill(folder):
    made = record(curves={"final": curves(TEST), "selection": curves(TEST, TEST)})
    write(folder / "reports" / "records", made, baseline(), failed(seed=1))
    (folder / "README.md").write_text(README)
    (folder / "docs").mkdir()
    (folder / "docs" / "costs.md").write_text(COSTS)


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_writes_every_file(project, capsys):
    assert main([]) == 0
    names = {path.name for path in (project / "reports").iterdir()}
    assert names == {
        *("records", "records.html", "results.csv", "table1.csv", "table1.md", "table1.tex"),
        *("costs.md", "curves_ml_100k.svg", "claims.csv", "claims.md", "epochs.csv", "epochs.md"),
        *("gap.csv", "gap.md", "gap.png", "gap.svg", "index.html", "intervals.csv", "intervals.md"),
    }
    said = capsys.readouterr().out
    assert said == (
        "Made 'reports' and the tables in 'README.md': 2 records, 1 failed record left out.\n"
    )


def test_rendering_twice_gives_the_same_bytes(reported):
    first = snapshot(reported)
    assert main([]) == 0
    assert snapshot(reported) == first
    assert not any(
        b"\r" in content or str(reported).encode() in content
        for path, content in first.items()
        if path.suffix != ".png"
    )


def test_documents_keep_what_is_around_the_marks(project):
    assert main([]) == 0
    costs = (project / "reports" / "costs.md").read_text()
    before, table, after = re.split("<!-- table1:.* -->\n", (project / "README.md").read_text())
    assert (before, after) == ("# Title\n\n", "\nAfter.\n")
    assert table.startswith("| Model | Side inf. | ML-100K<br>published | ML-100K<br>ours |")
    assert (project / "docs" / "costs.md").read_text() == (
        f"# Costs\n\n<!-- costs:begin -->\n{costs}<!-- costs:end -->\n"
    )


def test_the_page_of_costs_is_optional(project):
    (project / "docs" / "costs.md").unlink()
    assert main([]) == 0
    assert not (project / "docs" / "costs.md").exists()
    assert main(["check"]) == 0


def test_the_readme_links_to_the_full_table(project):
    assert main([]) == 0
    assert "[reports/table1.md](reports/table1.md)" in (project / "README.md").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "nothing",
        "<!-- table1:begin --> alone",
        "alone <!-- table1:end -->",
        "<!-- table1:end --> before <!-- table1:begin -->",
        README + README,
    ],
)
def test_a_document_without_its_one_place_is_an_error(tmp_path, text):
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(
        GlocalkError, match="needs exactly one pair of markers for its table table1"
    ):
        with_embedded([Embedded(readme, "table1", "table\n")])


def test_one_document_may_hold_several_tables(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(README + COSTS)
    parts = [Embedded(page, "costs", "c\n"), Embedded(page, "table1", "t\n")]
    assert with_embedded(parts) == {
        page: README.replace("old\n", "t\n") + COSTS.replace("begin -->\n", "begin -->\nc\n")
    }


def test_no_file_is_written_if_the_readme_has_no_marks(project, capsys):
    (project / "README.md").write_text("nothing")
    before = snapshot(project)
    assert main([]) == 1
    assert snapshot(project) == before
    assert "table1:begin" in capsys.readouterr().err


def test_a_missing_readme_is_an_error(project, capsys):
    (project / "README.md").unlink()
    for command in ([], ["check"]):
        assert main(command) == 1
        assert capsys.readouterr().err.startswith("'README.md' cannot be read")


def test_without_records_there_are_only_the_published_figures(tmp_path):
    (tmp_path / "README.md").write_text(README)
    report = render(tmp_path / "records", tmp_path / "reports", tmp_path / "README.md")
    assert report.summary == "0 records"
    assert ".890 | – | – | – | .822" in (tmp_path / "reports" / "table1.md").read_text()
    assert len((tmp_path / "reports" / "results.csv").read_text().splitlines()) == 1
    assert not list((tmp_path / "reports").glob("*.svg"))


def test_figures_without_records_are_removed(reported):
    (reported / "reports" / "curves_old.svg").write_text("old")
    (reported / "reports" / "other.svg").write_text("not ours")
    assert main([]) == 0
    assert sorted(path.name for path in (reported / "reports").glob("*.svg")) == [
        *("curves_ml_100k.svg", "gap.svg", "other.svg")
    ]


def test_check_passes_right_after_rendering_and_writes_nothing(reported, capsys):
    before = snapshot(reported)
    assert main(["check"]) == 0
    assert snapshot(reported) == before
    assert capsys.readouterr().err == ""


IN_REPORTS = [
    *("reports/results.csv", "reports/table1.csv", "reports/table1.md", "reports/table1.tex"),
    "reports/curves_ml_100k.svg",
]
DAMAGES = {
    "changed": lambda file: file.write_text(re.sub("[59]", "8", file.read_text())),
    "line ends": lambda file: file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n")),
    "removed": lambda file: file.unlink(),
}


@pytest.mark.parametrize(
    ("names", "damage"),
    [
        ([*IN_REPORTS, "README.md", "docs/costs.md"], "changed"),
        ([*IN_REPORTS, "README.md", "docs/costs.md"], "line ends"),
        (IN_REPORTS, "removed"),
        (["README.md"], "changed"),
    ],
)
def test_check_names_the_files_that_differ_and_no_others(reported, capsys, names, damage):
    for name in names:
        DAMAGES[damage](reported / name)
    before = snapshot(reported)
    assert main(["check"]) == 1
    assert snapshot(reported) == before
    said = capsys.readouterr().err
    assert re.fullmatch(r"These files do not match the records: .*; run `make report`\.\n", said)
    assert named(said) == sorted(names)


def test_check_names_a_figure_that_is_too_many(reported, capsys):
    (reported / "reports" / "curves_old.svg").write_text("old")
    assert main(["check"]) == 1
    assert "'reports/curves_old.svg'" in capsys.readouterr().err


def test_check_names_a_file_that_nothing_makes(reported, capsys):
    (reported / "reports" / "forged.md").write_text("| GLocal-K | .5 |\n")
    assert main(["check"]) == 1
    said = "No record gives these files: 'reports/forged.md'; remove them.\n"
    assert capsys.readouterr().err == said


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """What `study` is a copy of."""
    folder = tmp_path_factory.mktemp("studied")
    fill(folder)
    write(folder / "reports" / "records", *every_experiment())
    render(folder / "reports" / "records", folder / "reports", folder / "README.md")
    return folder


@pytest.fixture
def study(tmp_path, studied, monkeypatch):
    """A project with a run of each experiment, and its report."""
    monkeypatch.chdir(tmp_path)
    copytree(studied, tmp_path, dirs_exist_ok=True)
    return tmp_path


def named(said):
    return sorted(re.findall(r"'([^']+)'", said))


def made_by_experiments(project):
    """The files of the report that no record of Table 1 alone gives, by path."""
    names = [name for pattern in PATTERNS for name in (project / "reports").glob(pattern)]
    return sorted(str(path.relative_to(project)) for path in names)


PATTERNS = ("table2.*", "fig2.*", "fig3.*", "folds.*", "kernels.*", "seeds.*", "variants.md")


def test_check_names_every_file_of_every_kind_that_differs(study, capsys):
    files = made_by_experiments(study)
    assert {name.rpartition(".")[2] for name in files} == {"csv", "md", "tex", "svg", "png"}
    assert len(files) == 3 + 5 + 5 + 3 + 4 + 2 + 1
    assert ".png" in {Path(name).suffix for name in files[::2]}
    for name in files[::2]:  # one bit in the middle
        content = bytearray((study / name).read_bytes())
        content[len(content) // 2] ^= 1
        (study / name).write_bytes(content)
    for name in files[1::2]:
        (study / name).unlink()
    capsys.readouterr()
    assert main(["check"]) == 1
    assert named(capsys.readouterr().err) == files


def test_files_of_experiments_without_records_are_named_and_removed(study, capsys):
    files = made_by_experiments(study)
    for path in (study / "reports" / "records").glob("*/*/*/*.json"):
        if path.parts[-4] != "table1" or "seed_1" in path.name:
            path.unlink()
    (study / "reports" / "fig2_of_mine.svg").write_text("not ours")
    capsys.readouterr()
    assert main(["check"]) == 1
    assert set(files) <= set(named(capsys.readouterr().err))
    assert main([]) == 0
    assert made_by_experiments(study) == []
    (study / "reports" / "fig2_of_mine.svg").unlink()  # still there, and not ours to remove
    assert main(["check"]) == 0


def test_every_part_names_the_files_that_it_makes():
    both = {"final": curves(TEST), "selection": curves(TEST, TEST)}
    drawn = [record(seed=seed, curves=both) for seed in (8, 9)]
    records = [*every_experiment(), *drawn]
    tuned = search(experiment="tuned", budget=Budget(trials=12))
    sources = Sources(records, [search(), tuned], Bench.read(BENCH))
    for part in PARTS:
        names = part.files(sources)
        assert names
        assert all(any(fnmatch(name, pattern) for pattern in part.names) for name in names)


def test_runs_of_an_experiment_with_a_report_of_its_own_are_no_variants(study):
    listed = (study / "reports" / "variants.md").read_text()
    experiments = {line.split(" | ")[0] for line in listed.splitlines() if line.startswith("| ")}
    assert experiments == {"| Experiment", "| :--", "| gaps"}


def test_no_part_takes_what_others_made_for_its_own(tmp_path):
    for name in ("bench.json", "records", "searches", "README.md", "notes.md"):
        (tmp_path / name).touch()
    assert set().union(*(part.existing(tmp_path) for part in PARTS)) == set()


def test_check_sees_a_new_record(reported, capsys):
    write(reported / "reports" / "records", record(seed=7))
    assert main(["check"]) == 1
    said = capsys.readouterr().err
    assert "results.csv" in said
    assert "README.md" in said


def test_damaged_records_are_one_sentence(project, capsys):
    (project / "reports" / "records" / "bad.json").write_text("{")
    assert main([]) == 1
    said = capsys.readouterr().err
    assert said.startswith("'reports/records/bad.json' is not a complete record")
    assert said.count("\n") == 1
