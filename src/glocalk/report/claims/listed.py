"""The claims of the paper as comparisons of runs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from glocalk.report.cells import DATA_SETS, GLOCAL_K, SPARSE_FC, Cell
from glocalk.report.load import CellKey
from glocalk.report.published import Published, read_figures


@dataclass(frozen=True)
class Comparison:
    """A sum Σ_k c_k · R_k of mean RMSE, below 0 where the claim is right.

    Attributes:
        against: what GLocal-K is compared with, for tables.
        terms: factor c_k and cell k.
        published: the same sum of published figures; None where one is not published.
        under_budget: whether what GLocal-K is compared with was trained with a part of its updates.
    """

    against: str
    terms: tuple[tuple[int, CellKey], ...]
    published: float | None
    under_budget: bool = False


@dataclass(frozen=True)
class Case:
    """A row of a claim: one data set, and one comparison or several that the claim needs together.

    Attributes:
        data: config name of the data set.
        comparisons: the comparisons; none where nothing has been run to compare with.
        against: what all of them are against, for tables.
    """

    data: str
    comparisons: tuple[Comparison, ...]
    against: str

    @property
    def published(self) -> float | None:
        """The largest published difference, which is that of the strongest rival."""
        known = [made.published for made in self.comparisons if made.published is not None]
        return max(known, default=None)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper.

    Attributes:
        name: identifies it in csv files.
        statement: in words.
        source: where the paper makes it.
        margin: it claims differences below this one.
        cases: its rows.
    """

    name: str
    statement: str
    source: str
    margin: float
    cases: tuple[Case, ...]


def claims_of_paper(
    cells: Sequence[Cell], published: Sequence[Published], around: Sequence[Cell] = ()
) -> list[Claim]:
    """Every claim of the paper that the experiments can judge, and one that goes beyond it.

    Args:
        cells: the cells of Table 1; those without side information are rivals in the claim about
            the state of the art.
        published: the paper's Table 1.
        around: the cells of models that the paper leaves out; those without side information are
            further rivals in the claim that goes beyond the paper.
    """
    cases: dict[str, Iterable[Case]] = {
        "others": _others(published, cells),
        "state_of_the_art": _state_of_the_art(cells),
        "beyond": _state_of_the_art(cells, around),
        **_fig2(),
        **_fig3(),
        **_table2(),
    }
    text = resources.files(__package__).joinpath("claims.csv").read_text(encoding="utf-8")
    return [
        Claim(
            row["claim"],
            row["statement"],
            row["source"],
            float(row["margin"]),
            tuple(cases[row["claim"]]),
        )
        for row in csv.DictReader(text.splitlines())
    ]


def _cell(
    data: str,
    model: str = GLOCAL_K,
    variant: str = "default",
    experiment: str = "table1",
    share: float = 1.0,
) -> CellKey:
    return CellKey(experiment, data, share, model, variant)


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else round(a - b, 4)  # published to four digits at most


def _alone(data: str, comparison: Comparison) -> Case:
    return Case(data, (comparison,), comparison.against)


def _under_budget(cell: Cell | None) -> bool:
    return cell is not None and any(run.budget < 1 for run in cell.runs)


def _others(published: Iterable[Published], cells: Iterable[Cell]) -> list[Case]:
    figures = {(figure.data, figure.model): figure for figure in published}
    made = {(cell.data, cell.model): cell for cell in cells}
    return [
        _alone(
            data,
            Comparison(
                figure.title,
                ((1, _cell(data)), (-1, _cell(data, figure.model))),
                _minus(figures[data, GLOCAL_K].rmse, figure.rmse),
                _under_budget(made.get((data, figure.model))),
            ),
        )
        for data in DATA_SETS
        for figure in figures.values()
        if figure.data == data and figure.model != GLOCAL_K
    ]


def _state_of_the_art(cells: Sequence[Cell], around: Sequence[Cell] = ()) -> list[Case]:
    cases = []
    found = [(cell, "table1") for cell in cells] + [(cell, "around") for cell in around]
    for data in DATA_SETS:
        mine = next(cell for cell in cells if (cell.data, cell.model) == (data, GLOCAL_K))
        rivals = tuple(
            Comparison(
                cell.title,
                ((1, _cell(data)), (-1, _cell(data, cell.model, experiment=experiment))),
                _minus(mine.published_rmse, cell.published_rmse),
                _under_budget(cell),
            )
            for cell, experiment in found
            if cell.data == data
            and cell.model != GLOCAL_K
            and not cell.side_information
            and (cell.runs or cell.published)
        )
        cases.append(Case(data, rivals, f"{len(rivals)} models"))
    return cases


def _fig2() -> dict[str, list[Case]]:
    figures = {
        (data, float(share), model): float(rmse)
        for (data, share, model), rmse in read_figures(
            "published_fig2.csv", "data", "train_share", "model"
        ).items()
    }

    def at(data: str, share: float, sign: int = 1) -> tuple[tuple[int, CellKey], ...]:
        experiment = "table1" if share == 1 else "fig2"
        return tuple(
            (factor * sign, _cell(data, model, experiment=experiment, share=share))
            for factor, model in ((1, GLOCAL_K), (-1, SPARSE_FC))
        )

    def gap(data: str, share: float) -> float | None:
        return _minus(figures.get((data, share, GLOCAL_K)), figures.get((data, share, SPARSE_FC)))

    points = sorted({(data, share) for data, share, _ in figures}, key=_order)
    return {
        "sparsity": [
            _alone(data, Comparison(_at_share(share), at(data, share), gap(data, share)))
            for data, share in points
        ],
        "sparsity_gap": [
            _alone(
                "douban",
                Comparison(
                    f"SparseFC, at {100 * share:.0f} % minus at all",
                    at("douban", share) + at("douban", 1.0, sign=-1),
                    _minus(gap("douban", share), gap("douban", 1.0)),
                ),
            )
            for share in (0.2, 0.3)
        ],
    }


def _fig3() -> dict[str, list[Case]]:
    curves: dict[str, dict[int, float]] = {}
    for (data, epochs), rmse in read_figures("published_fig3.csv", "data", "epochs").items():
        curves.setdefault(data, {})[int(epochs)] = float(rmse)

    def against(data: str, epochs: int) -> Comparison:
        curve = curves[data]
        return Comparison(
            f"{epochs} epochs",
            (
                (1, _cell(data)),
                (-1, _cell(data, variant=f"model.pretrain.epochs={epochs}", experiment="fig3")),
            ),
            _minus(curve[_optimum(curve)], curve[epochs]),
        )

    others = {
        data: tuple(against(data, epochs) for epochs in curve if epochs != _optimum(curve))
        for data, curve in curves.items()
    }
    return {
        "pretraining": [_alone(data, against(data, 0)) for data in DATA_SETS],
        "pretraining_limit": [_alone(data, against(data, 60)) for data in DATA_SETS],
        "pretraining_optimum": [
            Case(data, others[data], f"{len(others[data])} others") for data in DATA_SETS
        ],
    }


def _optimum(curve: Mapping[int, float]) -> int:
    """The number of epochs with the lowest published error, which Table 1 is made with."""
    return min(curve, key=lambda epochs: curve[epochs])


def _table2() -> dict[str, list[Case]]:
    figures = {
        key: float(rmse)
        for key, rmse in read_figures("published_table2.csv", "data", "varied", "value").items()
    }
    titles: Mapping[str, Callable[[str], str]] = {
        "kernel_size": lambda size: f"{size}×{size}",
        "convolution_layers": lambda layers: f"{layers} layers",
        "aggregation": lambda name: name,
    }
    base = {"kernel_size": "3", "convolution_layers": "1", "aggregation": "weighted"}

    def cases(varied: str) -> list[Case]:
        return [
            _alone(
                data,
                Comparison(
                    titles[varied](value),
                    (
                        (1, _cell(data)),
                        (-1, _cell(data, variant=f"model.{varied}={value}", experiment="table2")),
                    ),
                    _minus(figures[data, varied, base[varied]], rmse),
                ),
            )
            for (data, option, value), rmse in figures.items()
            if option == varied and value != base[varied]
        ]

    return {
        "kernel_size": cases("kernel_size"),
        "layers": cases("convolution_layers"),
        "further_layers": cases("convolution_layers"),
        "aggregation": cases("aggregation"),
    }


def _at_share(share: float) -> str:
    return f"SparseFC, {'all' if share == 1 else f'{100 * share:.0f} %'} of the ratings"


def _order(point: tuple[str, float]) -> tuple[int, float]:
    return list(DATA_SETS).index(point[0]), point[1]
