"""The cells of Table 1, model × data set: published figure and our runs."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from glocalk.records.run import Record
from glocalk.report.points import Point
from glocalk.report.published import Published, read_published

# The paper's model, and the one it is compared with in all experiments, by config name.
GLOCAL_K, SPARSE_FC = "glocal_k", "sparse_fc"

# Data sets of the paper, in its order, by config name.
DATA_SETS = {"ml_100k": "ML-100K", "ml_1m": "ML-1M", "douban": "Douban"}

# The further sets of Monti et al., by config name.
MONTI_SETS = {"flixster": "Flixster", "yahoo_music": "YahooMusic"}

# Models that the paper's table leaves out have no title there; these head our table.
_TITLES = {
    "global_mean": "Global mean",
    "bias": "User + item bias",
    "user_knn": "User-kNN",
    "item_knn": "Item-kNN",
    "bias_mf": "Biased MF",
    "bias_mf_als": "Biased MF by ALS",
    "svd_pp": "SVD++",
    "soft_impute": "Soft-Impute",
    "bayesian_mf": "Bayesian MF",
    "bayesian_svd_pp": "Bayesian SVD++",
    "bayesian_svd_pp_probit": "Bayesian SVD++, ordered probit",
    "u_autorec": "U-AutoRec",
    "grals": "GRALS",
    "srgcnn": "sRGCNN",
    "f_eae": "F-EAE",
    "imc_gae": "IMC-GAE",
    "bayesian_fm": "Bayesian FM",
    "bayesian_fm_probit": "Bayesian FM, ordered probit",
    "glocal_k_scalar": "GLocal-K, one trained number",
    "glocal_k_permuted": "GLocal-K, random order",
    "glocal_k_decayed": "GLocal-K, penalized kernels",
    "ensemble": "Mean of models",
    "glocal_k_ensemble": "GLocal-K, mean of five",
    "stack": "Stacking",
    "stack_side": "Stacking with side information",
}


@dataclass(frozen=True)
class Cell(Point):
    """A model on a data set.

    Attributes:
        model: config name of the model.
        title: its name in tables.
        side_information: whether it uses more than ratings.
        data: config name of the data set.
        published: the figure in the paper's table, if it has one.
        in_paper: whether the paper's table has the model.
    """

    model: str
    title: str
    side_information: bool
    data: str
    published: Published | None
    in_paper: bool

    @property
    def published_rmse(self) -> float | None:
        """The published figure, if there is one."""
        return self.published.rmse if self.published else None

    @property
    def seconds(self) -> float | None:
        """Median time of a training on all training ratings."""
        times = [run.seconds["final"] for run in self.runs]
        return statistics.median(times) if times else None


def data_title(data: str) -> str:
    """A data set's name in tables."""
    return {**DATA_SETS, **MONTI_SETS}.get(data, data)


def model_title(model: str) -> str:
    """A model's name in tables: the paper's, where it has one."""
    of_paper = {figure.model: figure.title for figure in read_published()}
    return of_paper.get(model) or _TITLES.get(model, model)


def is_default(record: Record) -> bool:
    """Whether the run belongs in Table 1: no ablation, all training ratings."""
    return (record.experiment, record.variant, record.train_share) == ("table1", "default", 1)


def default_runs(records: Iterable[Record]) -> list[Record]:
    """The runs that belong in Table 1."""
    return list(filter(is_default, records))


def table1_cells(
    records: Iterable[Record],
    published: Sequence[Published],
    also: Collection[tuple[str, str]] = (),
) -> list[Cell]:
    """Every cell with a published figure or with records, in the table's order.

    Models that the paper leaves out come first, then the paper's, each with its data sets in the
    paper's order and any others after them.

    Args:
        records: all records; those of other experiments and of variants are ignored.
        published: the paper's figures.
        also: cells (model, data) to list even if they have neither.
    """
    figures = {(figure.model, figure.data): figure for figure in published}
    of_paper = {figure.model: figure for figure in published}
    runs: dict[tuple[str, str], list[Record]] = {}
    for record in default_runs(records):
        runs.setdefault((record.model, record.data), []).append(record)
    listed = figures.keys() | runs.keys() | set(also)
    ours = {model for model, _ in listed} - of_paper.keys()
    models = _ordered(ours, _TITLES) + list(of_paper)
    data_sets = data_sets_in_order(data for _, data in listed)
    cells = []
    for model, data in itertools.product(models, data_sets):
        if (model, data) not in listed:
            continue
        row = of_paper.get(model)
        made = sorted(runs.get((model, data), []), key=lambda record: record.seed)
        cells.append(
            Cell(
                model=model,
                title=row.title if row else _TITLES.get(model, model),
                side_information=(
                    row.side_information if row else any(run.side_information for run in made)
                ),
                data=data,
                published=figures.get((model, data)),
                in_paper=row is not None,
                runs=tuple(made),
            )
        )
    return cells


def in_order(models: Collection[str]) -> list[str]:
    """Names of models: those that the paper's table leaves out, then its own in its order."""
    of_paper = dict.fromkeys(figure.model for figure in read_published())
    others = _ordered(set(models) - of_paper.keys(), _TITLES)
    return others + [model for model in of_paper if model in models]


def data_sets_in_order(names: Iterable[str]) -> list[str]:
    """Names of data sets, each once: the paper's, those of Monti et al., then others by name."""
    return _ordered(set(names), [*DATA_SETS, *MONTI_SETS])


def _ordered(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """The names: known ones in their known order, then the others by name."""
    rank = {name: position for position, name in enumerate(known)}
    return sorted(names, key=lambda name: (rank.get(name, len(rank)), name))
