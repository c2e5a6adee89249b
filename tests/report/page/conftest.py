"""A small project with a page, made from made-up records of every experiment."""

import pytest

from glocalk.report.render import render
from report.factory import README, baseline, curves, record

EVIL = "</script><img src=x onerror=\"document.title='obeyed'\">'`<!--"

TEST = [1.5, 0.95, 0.92, 0.89, 0.91]  # two epochs of pre-training, three of fine-tuning
VALID = [1.6, 0.96, 0.91, 0.93, 0.94]


def trained(up=0.0, **changes):
    """A run with curves, whose errors are `up` above those of `TEST`."""
    made = {
        "final": curves([error + up for error in TEST]),
        "selection": curves([error + 0.01 for error in TEST], VALID),
    }
    protocols = {"best": 0.89 + up, "validated": 0.92 + up, "last": 0.91 + up}
    return record(**protocols, curves=made, **changes)


def records():
    """Runs of every experiment; one has a variant that would be obeyed as markup."""
    changed = {"experiment": "table2", "variant": "model.kernel_size=5"}
    return [
        *(trained(0.001 * seed, seed=seed) for seed in (0, 1)),
        trained(-0.17, data="douban", split="monti"),
        *(trained(0.01 + 0.001 * seed, model="sparse_fc", seed=seed) for seed in (0, 1)),
        trained(-0.08, model="sparse_fc", data="ml_1m", split="90:10 seed 1234"),
        trained(0.05, model="i_autorec"),
        trained(0.003, model="graphrec_extra", side_information=True),
        baseline(),
        baseline(model="zoo", rmse=0.99),
        trained(0.002, **changed),
        trained(0.12, experiment="fig2", train_share=0.2),
        trained(0.13, experiment="fig2", train_share=0.2, model="sparse_fc"),
        trained(0.012, experiment="fig3", variant="model.pretrain.epochs=0"),
        trained(0.5, experiment="gaps", variant=EVIL, device=EVIL),
    ]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the report."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "README.md").write_text(README)
    made = folder / "reports" / "records"
    for place, each in enumerate(records()):
        each.write(made / each.experiment / f"run {place}.json")
    render(made, folder / "reports", folder / "README.md")
    return folder / "reports"


@pytest.fixture(scope="session")
def page(site):
    """The text of its page."""
    return (site / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def records_page(site):
    """The text of its list of records."""
    return (site / "records.html").read_text(encoding="utf-8")
