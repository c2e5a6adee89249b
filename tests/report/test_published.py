import pytest
from factory import record, result

from glocalk.report.published import read_published, results_of


def test_the_papers_table_in_the_papers_order():
    figures = read_published()
    assert list(dict.fromkeys(figure.title for figure in figures)) == [
        *("LLORMA", "I-AutoRec", "CF-NADE", "GC-MC", "GC-MC + Extra", "GraphRec"),
        *("GraphRec + Extra", "GRAEM", "SparseFC", "IGMC", "MG-GAT", "GLocal-K"),
    ]
    of = {data: [f.rmse for f in figures if f.data == data] for data in ("ml_100k", "douban")}
    assert of["ml_100k"] == [0.910, 0.905, 0.904, 0.897, 0.917, 0.895, 0.905, 0.890, 0.890]
    assert of["douban"] == [0.734, 0.732, 0.730, 0.721, 0.727, 0.721]
    ml_1m = [f.rmse for f in figures if f.data == "ml_1m"]
    assert ml_1m == [0.833, 0.831, 0.829, 0.832, 0.843, 0.842, 0.824, 0.857, 0.822]


def test_models_with_side_information():
    models = {figure.model for figure in read_published() if figure.side_information}
    assert models == {"gc_mc_extra", "graphrec_extra", "graem", "mg_gat"}


def test_figures_by_a_rule_that_needs_explaining_carry_a_note():
    noted = [(figure.model, figure.data) for figure in read_published() if figure.note]
    assert noted == [("llorma", "ml_1m"), ("sparse_fc", "ml_100k"), ("sparse_fc", "douban")]


def test_figures_published_by_others_than_the_models_authors_have_their_rule():
    of_others = {(f.model, f.data): f.rule for f in read_published() if f.rule}
    assert of_others == {
        ("sparse_fc", "ml_100k"): "best_test",
        ("sparse_fc", "douban"): "best_test",
    }


@pytest.mark.parametrize(
    ("model", "data", "official"),
    [
        ("sparse_fc", "ml_100k", 0.88),
        ("sparse_fc", "ml_1m", 0.905),
        ("glocal_k", "ml_100k", 0.905),
        ("zoo", "ml_100k", 0.905),
    ],
)
def test_official_is_by_the_rule_of_the_published_figure(model, data, official):
    made = record(model=model, data=data, best=0.88, official=0.905)
    found = results_of(made)
    assert found["official"].rmse == official
    assert made.protocols["official"].rmse == 0.905
    others = made.protocols.keys() - {"official"}
    assert all(found[name] == made.protocols[name] for name in others)


def test_a_record_without_the_published_rule_keeps_its_own():
    made = record(model="sparse_fc", protocols={"official": result(0.9, 2)})
    assert results_of(made) == made.protocols
