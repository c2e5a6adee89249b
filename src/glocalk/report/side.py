"""What side information is worth: a model with it against the same without, paired by user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from glocalk.records.run import Record
from glocalk.report.cells import data_title, model_title
from glocalk.report.claims.judged import judge_claim
from glocalk.report.claims.listed import Case, Claim, Comparison
from glocalk.report.claims.tables import claims_csv, judgment_table
from glocalk.report.layout import enumeration, markdown_table
from glocalk.report.load import CellKey
from glocalk.report.parts import Files, Sources
from glocalk.report.points import Point, find_point
from glocalk.report.published import read_published
from glocalk.report.statistics.bootstrap import LEVEL, RESAMPLES
from glocalk.report.statistics.measured import Measured
from glocalk.report.statistics.verdict import SIGNIFICANCE, Verdict
from glocalk.report.tables import mean_and_sd, seed_count

EXPERIMENT = "side"

_WORDS = {
    Verdict.HOLDS: "helps",
    Verdict.FAILS: "hurts",
    Verdict.OPEN: "cannot be told",
    Verdict.MISSING: "not measured",
}

# Model without and with attributes or graphs, and where both are rows of Table 1.
_OF_TABLE1 = (
    ("gc_mc", "gc_mc_extra", ("ml_100k", "douban")),
    ("graphrec", "graphrec_extra", ("ml_100k", "ml_1m")),
)

# README of `ahmedrashed-ml/GraphRec`, on a random 90:10 split: .883 with attributes, .887 without.
_GRAPHREC_RANDOM = 0.883 - 0.887
_SPLIT_SEEDS = (0, 1, 2)

# Options that take inputs away from the Bayesian factorization machine.
_WITHOUT_ATTRIBUTES = "model.item_features=[],model.user_features=[]"
WITHOUT_DATES = f"model.dates=false,{_WITHOUT_ATTRIBUTES}"

_VARIANTS = {
    **{f"data.split_seed={seed}": f"random split {seed}" for seed in _SPLIT_SEEDS},
    _WITHOUT_ATTRIBUTES: "no attributes",
    WITHOUT_DATES: "no attributes, no dates",
}

_LEAD = f"""# Side information

Test RMSE of a model with side information minus that of the same model without it, on the same
ratings; below 0, side information helps. The runs are those of `table1.md`, `around.md` and
`glocalk reproduce experiment=side`.

- *Difference* ± *spread of seeds*, *[low, high]*, the {100 * LEVEL:.0f} % interval by a bootstrap
  over users with test ratings ({RESAMPLES:,} resamples), and *p*, adjusted for all rows: as in
  [claims.md](claims.md).
- Side information **{_WORDS[Verdict.HOLDS]}** if the interval lies below 0, p is below
  {100 * SIGNIFICANCE:.0f} %, and the difference is larger than the spread of seeds and than two
  standard errors over seeds; it **{_WORDS[Verdict.FAILS]}** if the same is true above 0. Otherwise
  it **{_WORDS[Verdict.OPEN]}**.
- Seeds: of the model with side information and of that without. †: a side with one seed takes the
  spread of the model's most similar runs.
- Bayesian FM against itself without attributes, and without attributes and dates. Its dates are
  those of the test ratings, too. Without both it is Bayesian SVD++.
- GraphRec on random 90:10 splits, seeds {enumeration(_SPLIT_SEEDS)} of the split: the README of its
  official code has .887 without attributes and .883 with them, on a split that it does not name.

"""


def side_files(sources: Sources) -> Files:
    """`side.md` and `side.csv`."""
    claim = Claim(
        name="side_information",
        statement="Side information helps",
        source="not in the paper",
        margin=0.0,
        cases=tuple(_cases()),
    )
    measured = Measured(
        run for run in sources.records if run.experiment in ("table1", "around", EXPERIMENT)
    )
    judgments = judge_claim(claim, measured)
    return {
        "side.csv": claims_csv(judgments),
        "side.md": f"{_LEAD}{judgment_table(judgments, _WORDS)}\n## Errors\n\n"
        f"{_errors(claim, sources.records)}",
    }


def verdict_words(verdict: str) -> str:
    """What a verdict of `side.csv` says of side information."""
    return _WORDS[Verdict(verdict)]


def _cases() -> Iterator[Case]:
    published = {(figure.model, figure.data): figure.rmse for figure in read_published()}
    for without, model, data_sets in _OF_TABLE1:
        for data in data_sets:
            told = None
            if (with_it := published.get((model, data))) and (
                without_it := published.get((without, data))
            ):
                told = round(with_it - without_it, 4)
            yield _case(data, ("table1", model), ("table1", without), told)
    for seed in _SPLIT_SEEDS:
        split = f"data.split_seed={seed}"
        given, without_any = (
            (EXPERIMENT, model, split) for model in ("graphrec_extra", "graphrec")
        )
        yield _case("ml_100k", given, without_any, _GRAPHREC_RANDOM)
    machine = ("around", "bayesian_fm")
    for variant in (WITHOUT_DATES, _WITHOUT_ATTRIBUTES):
        yield _case("ml_100k", machine, (EXPERIMENT, "bayesian_fm", variant))


def _case(
    data: str, given: tuple[str, ...], without: tuple[str, ...], published: float | None = None
) -> Case:
    """A row; `given` and `without` are experiment, model, and the variant if it is not the default.

    Runs of one cell differ in their seed only.
    """
    cells = [_cell(data, *each) for each in (given, without)]
    against = f"{_name(cells[0])} against {_name(cells[1])}"
    terms = ((1, cells[0]), (-1, cells[1]))
    return Case(data, (Comparison(against, terms, published),), against)


def _cell(data: str, experiment: str, model: str, variant: str = "default") -> CellKey:
    return CellKey(experiment, data, 1.0, model, variant)


def _name(cell: CellKey) -> str:
    return titled(cell.model, "" if cell.variant == "default" else cell.variant)


def titled(model: str, changed: str) -> str:
    """A model's name in tables, with what was changed of it.

    Args:
        model: config name of the model.
        changed: the changed options, as in a variant's name; empty for none.
    """
    title = model_title(model)
    return f"{title}, {_VARIANTS.get(changed, changed)}" if changed else title


def _errors(claim: Claim, records: Sequence[Record]) -> str:
    """The mean errors behind the differences."""
    cells = dict.fromkeys(
        cell for case in claim.cases for one in case.comparisons for _, cell in one.terms
    )
    points = {cell: _point(records, cell) for cell in cells}
    rows = [
        [
            data_title(cell.data),
            _name(cell),
            *(mean_and_sd(point, name) for name in ("best_test", "validated", "last")),
            seed_count(point),
        ]
        for cell, point in points.items()
    ]
    header = ["Data", "Model", "`best_test`", "`validated`", "`last`", "Seeds"]
    return markdown_table(header, rows, left=2)


def _point(records: Sequence[Record], cell: CellKey) -> Point:
    return find_point(records, cell.experiment, cell.data, cell.model, cell.variant)
