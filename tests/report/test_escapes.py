"""Texts of records in Markdown, LaTeX and csv: shown as they are, never obeyed."""

import csv
import io

import pytest
from factory import curves, failed, record, write_runs

from glocalk.cli.report import main
from glocalk.errors import GlocalkError
from glocalk.report.layout import code, csv_text, markdown, markdown_table, tex
from glocalk.report.load import load_committed
from glocalk.report.local import write_local_table
from glocalk.report.promote import place_of, promote
from glocalk.report.published import read_published
from glocalk.report.variants import variants_markdown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a&#124;b"),
        (r"a\|b", r"a\\&#124;b"),
        ("<img src=x onerror=f()>", "&lt;img src=x onerror=f()&gt;"),
        ("R&D", "R&amp;D"),
        ("`x` *y* ~z~ $w$", r"\`x\` \*y\* \~z\~ \$w\$"),
        ("![a](http://b)", r"!\[a\](http://b)"),
        ("ml_100k, _x_", r"ml_100k, \_x\_"),
        ("a\nb\x1b[2J\u202e", r"a\\nb\\x1b\[2J\\u202e"),
    ],
)
def test_markdown_shows_a_text_as_it_is(text, shown):
    assert markdown(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("model.rank=3", "`model.rank=3`"),
        ("<b>x</b>", "`<b>x</b>`"),  # within backticks it is text
        ("a`b", r"<code>a\`b</code>"),
        ("a|b", "<code>a&#124;b</code>"),
        (r"a\b", r"<code>a\\b</code>"),
        ("</code><b>`", r"<code>&lt;/code&gt;&lt;b&gt;\`</code>"),
    ],
)
def test_code_in_markdown_shows_a_text_as_it_is(text, shown):
    assert code(text) == shown
    row = markdown_table(["a", "b"], [[shown, "1"]], left=1).splitlines()[2]
    assert row == f"| {shown} | 1 |"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        ("100 % & $1 #2 a_b ~ ^^41", r"100 \% \& \$1 \#2 a\_b \textasciitilde{} "
         r"\textasciicircum{}\textasciicircum{}41"),
        ("a\nb", r"a\textbackslash{}nb"),
    ],
)  # fmt: skip
def test_latex_shows_a_text_as_it_is(text, shown):
    assert tex(text) == shown


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        *(("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("-x", "'-x"), ("+a=1", "'+a=1")),
        *(("-0.0005", "-0.0005"), ("+1e-05", "+1e-05"), ("-1+cmd|'x'!A0", "'-1+cmd|'x'!A0")),
        *(("a,b", "a,b"), ('say "x"', 'say "x"'), ("\x1b[2J", r"\x1b[2J"), ("", "")),
    ],
)
def test_a_spreadsheet_takes_no_cell_of_a_csv_for_a_formula(cell, written):
    text = csv_text(["a", "b"], [[cell, "1"]])
    assert list(csv.reader(io.StringIO(text)))[1] == [written, "1"]


EVIL = "<img onerror=x>|`\\input{y}` *z* 100 %"


def test_a_variant_reaches_every_report_as_text():
    made = record(experiment="gaps", variant=f"+x={EVIL}")
    text = variants_markdown([made], read_published())
    (row,) = [line for line in text.splitlines() if "gaps" in line]
    assert row.count(" | ") == 10  # no cell more than the header
    assert "<img" not in row
    experiment, data, name, seed = place_of(made).parts
    assert (experiment, data, seed) == ("gaps", "ml_100k", "seed_0.json")
    assert name == "glocal_k-+x=_img_onerror=x____input_y____z__100__"


def test_a_failure_message_is_shown_on_one_line_as_text(tmp_path, monkeypatch, capsys):
    message = f"No.\n\n# Title\n{EVIL}\x1b[2J\u202e<!-- table1:end -->"
    failure = {"message": message, "traceback": ""}
    write_runs(tmp_path / "runs", a=failed(failure=failure), b=record(seed=1))
    write_local_table(tmp_path / "runs", tmp_path / "none", tmp_path / "out", {"douban": EVIL})
    text = (tmp_path / "out" / "table1.md").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("- Failed")]
    assert line == (
        r"- Failed: ml_100k glocal_k seed 0: No. # Title &lt;img onerror=x&gt;&#124;\`"
        r"\\input{y}\` \*z\* 100 %\\x1b\[2J\\u202e&lt;!-- table1:end --&gt;"
    )
    assert "Douban, no data: &lt;img" in text
    monkeypatch.chdir(tmp_path)
    assert main(["local"]) == 0
    assert "\x1b" not in capsys.readouterr().out


# Places


def test_nothing_is_promoted_through_a_link_that_leads_out(tmp_path):
    committed, outside = tmp_path / "records", tmp_path / "outside"
    committed.mkdir()
    outside.mkdir()
    (committed / "table1").symlink_to(outside)
    write_runs(tmp_path / "runs", a=record())
    with pytest.raises(GlocalkError, match="leads out of the folder"):
        promote(tmp_path / "runs", committed)
    assert list(outside.iterdir()) == []


def test_a_variant_too_long_for_a_folder_is_refused_before_anything_is_copied(tmp_path):
    write_runs(tmp_path / "runs", a=record(), b=record(variant="x=" + "1" * 300))
    with pytest.raises(GlocalkError, match="is too long for the name of a folder"):
        promote(tmp_path / "runs", tmp_path / "records")
    assert not (tmp_path / "records").exists()


def test_seeds_of_a_cell_have_the_same_epochs(tmp_path):
    four, five = [0.9, 0.9, 0.9, 0.9], [0.9, 0.9, 0.9, 0.9, 0.9]
    record(seed=0, curves={"final": curves(five)}).write(tmp_path / "a.json")
    record(
        seed=1, curves={"final": curves(four, stages=(1, 3))}
    ).write(tmp_path / "b.json")  # fmt: skip
    with pytest.raises(GlocalkError, match="has curves over other epochs than"):
        load_committed(tmp_path)
