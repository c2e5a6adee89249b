"""What the documentation is made from: pages of models, the API, links, docstrings."""

import csv
import re
from pathlib import Path, PurePosixPath

import pytest

import glocalk
from glocalk.errors import GlocalkError
from website import api_pages, catalog, chart, docstrings, links, model_pages, options, stage

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "reports"


@pytest.fixture(scope="module")
def pages():
    return model_pages.model_pages()


def rows(table):
    with (REPORTS / table).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def row_of(page, title):
    (found,) = re.findall(rf"^\| {re.escape(title)}(?: ¹)? \|(.*)\|$", page, re.MULTILINE)
    return [cell.strip() for cell in found.split("|")]


def test_every_model_has_a_page_and_is_listed(pages):
    names = {path.stem for path in (ROOT / "conf" / "model").glob("*.yaml")}
    assert {name.removesuffix(".md") for name in pages} == names | {"index"}
    assert not {name for name in names if f"]({name}.md)" not in pages["index.md"]}
    assert not {name for name in names if f" <{name}>\n" not in pages["index.md"]}


def test_the_figures_of_a_page_are_those_of_the_table(pages):
    table = rows("table1.csv")
    (own,) = (row for row in table if (row["model"], row["data"]) == ("glocal_k", "ml_100k"))
    shown = row_of(pages["glocal_k.md"], "ML-100K")
    mean, deviation = float(own["validated_mean"]), float(own["validated_sd"])
    assert shown[0] == f"{float(own['published']):.3f}".lstrip("0")
    assert shown[1] == f"{mean:.4f} ± {deviation:.4f}".replace("0.", ".")
    assert shown[4] == own["seeds"]


@pytest.mark.parametrize(("table", "column"), [("table1.csv", "validated"), ("around.csv", "last")])
def test_every_figure_of_a_table_is_on_the_page_of_its_model(table, column, pages):
    first = {(row["model"], row["data"]) for row in rows("table1.csv")}
    checked = 0
    for row in rows(table):
        is_elsewhere = table != "table1.csv" and (row["model"], row["data"]) in first
        if is_elsewhere or not row[f"{column}_mean"]:
            continue
        shown = row_of(pages[f"{row['model']}.md"], catalog.DATA_TITLES[row["data"]])
        figure = f"{float(row[f'{column}_mean']):.4f}".removeprefix("0")
        assert shown[{"validated": 1, "last": 3}[column]].split(" ")[0] == figure, row
        checked += 1
    assert checked > 10


def test_an_ablation_has_the_mean_of_its_runs(pages):
    errors = [
        float(row["rmse"])
        for row in rows("results.csv")
        if (row["model"], row["data"], row["protocol"], row["variant"])
        == ("glocal_k_scalar", "douban", "best_test", "default")
    ]
    shown = row_of(pages["glocal_k_scalar.md"], "Douban")
    assert shown[2].split(" ")[0] == f"{sum(errors) / len(errors):.4f}".removeprefix("0")
    assert shown[4] == str(len(errors))


def test_a_training_under_a_budget_is_marked(pages):
    assert re.search(r"^\| ML-1M ¹ ", pages["igmc.md"], re.MULTILINE)
    assert "¹ Trained under a budget, 25 % of the official updates." in pages["igmc.md"]
    assert "¹" not in pages["glocal_k.md"]


def test_a_page_has_the_equation_the_options_and_the_search_space(pages):
    page = pages["glocal_k.md"]
    assert "```text\np(R) = output(hidden(R)),   loss = ½ Σ_observed (r − p)²" in page
    assert "[`usydnlp/Glocal_K`](https://github.com/usydnlp/Glocal_K)" in page
    assert "[arXiv 2108.12184](https://arxiv.org/abs/2108.12184)" in page
    assert "| `kernel_size` | integer ≥ 1 | `3` | t of the t × t global kernel; odd |" in page
    assert "| `finetune.epochs` | integer ≥ 0 | `60` |" in page
    assert "lambda_2: { low: 2.0, high: 200.0, log: true }" in page
    assert "glocalk train model=glocal_k data=ml_100k" in page


def test_a_page_begins_with_one_sentence_and_newcomers_come_after_the_equations(pages):
    page = pages["glocal_k.md"]
    lead, figures, rest = page.partition("\n## Figures\n")
    assert figures
    assert lead == (
        "# GLocal-K\n\n"
        "GLocal-K: an auto-encoder with local kernels, fine-tuned on a convolved rating matrix.\n"
    )
    equation, newcomers = rest.index("p(R) = output(hidden(R))"), rest.index("A new item has no")
    assert equation < newcomers < rest.index("\n## Options\n")
    assert page.count("A new item has no") == 1
    # A module of one line: what the completer says stays together.
    assert pages["bias.md"].index("bᵢ = Σ_u") < pages["bias.md"].index("\n## Figures\n")


def test_every_lead_is_a_sentence_about_the_model(pages):
    leads = {name: page.split("\n\n")[1] for name, page in pages.items() if name != "index.md"}
    assert not {
        name for name, lead in leads.items() if ";" in lead or not lead.endswith((".", ":"))
    }


def test_every_option_of_a_model_is_in_its_table():
    for model in catalog.models():
        table = options.options_table(model.config)
        for name in type(model.config).model_fields:
            assert re.search(rf"^\| `{name}[`.]", table, re.MULTILINE), (model.name, name)


def test_a_default_is_that_of_the_config_file_and_not_that_of_the_class():
    (model,) = (each for each in catalog.models() if each.name == "bias_mf_als")
    table = options.options_table(model.config)
    assert re.search(r"^\| `solver` \| [^|]* \| `als` \|", table, re.MULTILINE)
    assert re.search(r"^\| `rank` \| integer ≥ 1 \| `48` \|", table, re.MULTILINE)


def test_the_reference_has_every_public_name_once():
    text = "\n".join(api_pages.api_pages().values())
    named = re.findall(r"^\.\. auto(?:class|function):: glocalk\.(\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(glocalk.__all__)


def test_the_charts_show_the_paper_s_models_from_best_to_worst():
    shown = chart.shown("ml_100k")
    names = {
        row["model"] for row in rows("table1.csv") if row["data"] == "ml_100k" and row["published"]
    }
    assert {each.model for each in shown} == names
    means = [each.means["validated"] for each in shown]
    assert means == sorted(means, reverse=True)
    assert "GLocal-K .8908 (published .890)" in chart.alternative("ml_100k")


def test_a_docstring_becomes_markdown_with_its_equation_as_code():
    text = """Predicts *b*.

        b_u = Σ |r|

    Source: arXiv 1234.56789; official code
    `some/code`. See `a_b`.

    Example:
        >>> 1 + 1
        2
    """
    assert docstrings.as_markdown(text) == (
        "Predicts \\*b\\*.\n\n```text\nb_u = Σ |r|\n```\n\n"
        "Source: [arXiv 1234.56789](https://arxiv.org/abs/1234.56789); official code\n"
        "[`some/code`](https://github.com/some/code). See `a_b`.\n\n```pycon\n>>> 1 + 1\n2\n```\n"
    )
    assert docstrings.example(text) == "```pycon\n>>> 1 + 1\n2\n```\n"
    assert docstrings.summary(type("A", (), {"__doc__": text})) == "Predicts \\*b\\*."


def test_a_docstring_becomes_restructured_text_for_autodoc():
    lines = ["Do *it* with `a_`.", "", "    x = 1", "", "Args:", "    **options: those of `B`s."]
    assert docstrings.as_rst(lines) == [
        *("Do \\*it\\* with ``a_``.", "", ".. code-block:: text", "", "    x = 1", ""),
        *("Args:", "    **options: those of ``B``\\ s.", ""),
    ]


def test_links_that_leave_the_site_lead_to_the_repository_or_are_left_out():
    page = PurePosixPath("docs/a.md")
    text = "[x](../src/glocalk) [b](b.md#c) [w](https://w.org)\n```\n[k](../src)\n```\n"

    def place(url):
        return lambda path: None if path.suffix == ".md" else links.in_repository(path, ROOT, url)

    assert links.rewritten(text, page, place("https://host/us/it")) == text.replace(
        "../src/glocalk)", "https://host/us/it/tree/main/src/glocalk)"
    )
    assert links.rewritten(text, page, place(None)) == text.replace("[x](../src/glocalk)", "x")
    with pytest.raises(GlocalkError, match=r"links to 'src/none\.py', which is not in"):
        links.rewritten("[x](../src/none.py)", page, place(None))


def test_the_address_of_the_repository_is_that_of_the_environment(monkeypatch):
    monkeypatch.setenv("GLOCALK_REPOSITORY_URL", "https://host/us/it/")
    assert links.repository_url() == "https://host/us/it"


def test_every_page_is_in_the_contents_of_the_site():
    first = (ROOT / "website" / "pages" / "index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^(?:.*<)?([\w/]+)>?$", first, re.MULTILINE))
    assert not {str(page.with_suffix("")) for page in stage._pages()} - listed
