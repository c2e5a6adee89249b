import pytest
from study import base, every_experiment, other

from glocalk.report.experiments import EXPERIMENTS, experiment_files
from glocalk.report.parts import Sources
from glocalk.report.published import read_figures


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_without_records_has_no_files(experiment):
    assert experiment_files(experiment, Sources([base(), other("gaps", "model.lambda_2=40")])) == {}


@pytest.mark.parametrize("experiment", ["gaps", "table1", "unknown"])
def test_an_experiment_without_files_of_its_own_has_none(experiment):
    assert experiment_files(experiment, Sources(every_experiment())) == {}


@pytest.mark.parametrize("experiment", ["table2", "folds"])
def test_a_point_of_an_unknown_variant_is_no_error(experiment):
    made = experiment_files(experiment, Sources([other(experiment, "model.new=1")]))
    assert "model.new" not in made[f"{experiment}.md"]


@pytest.mark.parametrize(
    ("file", "keys", "figure", "size"),
    [
        ("published_table2.csv", ("douban", "convolution_layers", "3"), "0.732", 24),
        ("published_fig2.csv", ("douban", "sparse_fc", "0.2"), "0.8934", 36),
        ("published_fig3.csv", ("ml_1m", "20"), "0.8228", 21),
    ],
)
def test_published_figures_are_complete(file, keys, figure, size):
    names = {
        "published_table2.csv": ("data", "varied", "value"),
        "published_fig2.csv": ("data", "model", "train_share"),
        "published_fig3.csv": ("data", "epochs"),
    }
    figures = read_figures(file, *names[file])
    assert figures[keys] == figure
    assert len(figures) == size
