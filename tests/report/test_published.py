from glocalk.report.published import read_published


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


def test_the_figures_that_look_like_the_authors_own_runs_carry_a_note():
    noted = [(figure.model, figure.data) for figure in read_published() if figure.note]
    assert noted == [("sparse_fc", "ml_100k"), ("sparse_fc", "douban")]
