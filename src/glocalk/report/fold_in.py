"""New users and items: errors with a few of their ratings folded in, and with these trained on."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from glocalk.records.run import Record
from glocalk.report.cells import data_sets_in_order, data_title, in_order, model_title
from glocalk.report.layout import NOTHING, csv_text, difference, number
from glocalk.report.parts import Files, Sources
from glocalk.report.points import changed_options
from glocalk.report.style import BLUE, VERMILION, svg_text
from glocalk.report.tables import Table, with_sd

EXPERIMENT = "fold_in"

_PROTOCOL = "last"
_COLUMNS = (
    *("data", "new", "model", "revealed", "protocol", "draws"),
    *("folded_in", "folded_in_sd", "trained", "trained_sd", "difference", "difference_sd"),
    *("fold_in_seconds", "training_seconds"),
)


@dataclass(frozen=True)
class _Point:
    """Errors by draw, of one way to use the revealed ratings.

    Attributes:
        errors: test RMSE by draw, mean over seeds.
        seconds: time of the fold-in, or of the training, by draw, mean over seeds.
    """

    errors: Mapping[int, float]
    seconds: Mapping[int, float]


@dataclass(frozen=True)
class _Row:
    """A model on the new users or items of a data set.

    Attributes:
        data: config name of the data set.
        new: `users` or `items`.
        model: config name of the model.
        folded: by number of revealed ratings.
        trained: the same with the revealed ratings among the training ratings.
    """

    data: str
    new: str
    model: str
    folded: Mapping[int, _Point]
    trained: Mapping[int, _Point]

    @property
    def counts(self) -> list[int]:
        """Numbers of revealed ratings."""
        return sorted(self.folded.keys() | self.trained.keys())

    def differences(self, revealed: int) -> list[float]:
        """Error folded in minus error trained on, of each draw that has both."""
        if revealed not in self.folded or revealed not in self.trained:
            return []
        one, other = self.folded[revealed].errors, self.trained[revealed].errors
        return [one[draw] - other[draw] for draw in sorted(one.keys() & other.keys())]


def fold_in_files(sources: Sources) -> Files:
    """The table as csv, Markdown and LaTeX, and the figure."""
    runs = [run for run in sources.records if run.experiment == EXPERIMENT and not _changed(run)]
    rows = _rows(runs)
    if not rows:
        return {}
    table = _table(rows, sorted({run.seed for run in runs}))
    return {
        "fold_in.csv": csv_text(_COLUMNS, (line for row in rows for line in _csv_rows(row))),
        "fold_in.md": table.markdown(),
        "fold_in.tex": table.tex(),
        "fold_in.svg": svg_text(lambda: _figure(rows)),
    }


def _rows(runs: Sequence[Record]) -> list[_Row]:
    """By data set, what is new, and model."""
    found: dict[tuple[str, str, str], dict[tuple[bool, int], dict[int, list[Record]]]] = {}
    for run in runs:
        options = run.config.get("protocol", {})
        new, revealed = options.get("cold_start"), options.get("revealed")
        if new is not None and revealed is not None and _PROTOCOL in run.protocols:
            points = found.setdefault((run.data, str(new), run.model), {})
            place = bool(options.get("fold_in", False)), int(revealed)
            draw = int(options.get("cold_start_seed", 0))
            points.setdefault(place, {}).setdefault(draw, []).append(run)
    sets, models = data_sets_in_order(at[0] for at in found), in_order({at[2] for at in found})
    places = sorted(found, key=lambda at: (sets.index(at[0]), at[1], models.index(at[2])))
    return [
        _Row(
            *place,
            *(
                {
                    revealed: _point(by_draw)
                    for (folds, revealed), by_draw in found[place].items()
                    if folds == way
                }
                for way in (True, False)
            ),
        )
        for place in places
    ]


def _changed(run: Record) -> bool:
    """Whether a run changes more than what is held out and revealed: it has no row here."""
    options = re.sub(r"(^|,)protocol\.\w+=\w+(?=,|$)", "", changed_options(run))
    return bool(options.strip(","))


def _point(by_draw: Mapping[int, Sequence[Record]]) -> _Point:
    return _Point(
        {
            draw: statistics.fmean(run.protocols[_PROTOCOL].rmse for run in runs)
            for draw, runs in by_draw.items()
        },
        {draw: statistics.fmean(map(_seconds, runs)) for draw, runs in by_draw.items()},
    )


def _seconds(run: Record) -> float:
    """Time of the fold-in, or without one that of the training, without evaluation."""
    seconds = run.seconds
    training = seconds.get("final", 0.0) - seconds.get("final/evaluation", 0.0)
    return seconds.get("final/fold_in", training)


def _spread(values: Mapping[int, float] | Sequence[float]) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation, None where there are none."""
    listed = list(values.values()) if isinstance(values, Mapping) else list(values)
    if not listed:
        return None, None
    return statistics.fmean(listed), statistics.stdev(listed) if len(listed) > 1 else None


def _csv_rows(row: _Row) -> list[list[str]]:
    nothing = _Point({}, {})
    lines = []
    for revealed in row.counts:
        folded = row.folded.get(revealed, nothing)
        trained = row.trained.get(revealed, nothing)
        spreads = (
            *_spread(folded.errors),
            *_spread(trained.errors),
            *_spread(row.differences(revealed)),
            _spread(folded.seconds)[0],
            _spread(trained.seconds)[0],
        )
        draws = max(len(folded.errors), len(trained.errors))
        first = [row.data, row.new, row.model, str(revealed), _PROTOCOL, str(draws)]
        lines.append([*first, *map(number, spreads)])
    return lines


def _table(rows: Sequence[_Row], seeds: Sequence[int]) -> Table:
    trainings = (
        f"one training of seed {seeds[0]}"
        if len(seeds) == 1
        else f"mean over seeds {', '.join(map(str, seeds))}"
    )
    counts = sorted({count for row in rows for count in row.counts} - {0})
    return Table(
        name=EXPERIMENT,
        caption="New users and items: test RMSE with some of their ratings revealed, folded in "
        "after the training or trained on.",
        columns=[
            *(("", name) for name in ("Data", "New", "Model", "0 ratings")),
            *(
                (_ratings(count), name)
                for count in counts
                for name in ("folded in", "trained on", "difference")
            ),
            ("Seconds", "fold-in"),
            ("Seconds", "training"),
            ("", "Draws"),
        ],
        rows=[_line(row, counts) for row in rows],
        notes=[
            "A random tenth of the users (items) is held out with all ratings. Of each, 0, 1, 5 or "
            "10 ratings are revealed, in a random order. The test ratings are those after the "
            "first ten, the same ones in every column; users (items) with fewer than eleven "
            "ratings are left out.",
            "*Folded in*: the model is trained without the held-out users (items), and computes "
            "them from the revealed ratings with all that was trained as it is. *Trained on*: it "
            "is trained anew with the revealed ratings among the training ratings. Without "
            "revealed ratings it predicts by the default that its docstring names.",
            f"`{_PROTOCOL}`: after the last epoch. Mean ± sample standard deviation over draws of "
            f"the new users or items; {trainings} for each draw. Differences: folded in "
            "minus trained on, mean over draws.",
            "Seconds: of the largest number of revealed ratings, without evaluation, mean over "
            "draws. That of a fold-in is for all new users (items) together; neighbor models "
            "compute similarities when they predict.",
            "Made by `glocalk reproduce experiment=fold_in`; `make report` makes the table from "
            "the records.",
        ],
    )


def _ratings(count: int) -> str:
    return f"{count} rating{'s' * (count != 1)}"


def _line(row: _Row, counts: Sequence[int]) -> list[str]:
    line = [data_title(row.data), row.new, model_title(row.model), _told(row.trained.get(0))]
    for count in counts:
        mean, _ = _spread(row.differences(count))
        line += [
            _told(row.folded.get(count)),
            _told(row.trained.get(count)),
            NOTHING if mean is None else difference(mean),
        ]
    for way in (row.folded, row.trained):
        seconds = _spread(way[max(way)].seconds)[0] if way else None
        line.append(
            NOTHING if seconds is None else f"{seconds:.3g}" if seconds >= 100 else f"{seconds:.2g}"
        )
    draws = [len(point.errors) for way in (row.folded, row.trained) for point in way.values()]
    return [*line, str(max(draws))]


def _told(point: _Point | None) -> str:
    if point is None:
        return NOTHING
    mean, sd = _spread(point.errors)
    return NOTHING if mean is None else with_sd(mean, sd)


def _figure(rows: Sequence[_Row]) -> Figure:
    """A small plot for each model: error by number of revealed ratings."""
    columns = min(4, len(rows))
    lines = -(-len(rows) // columns)
    figure = Figure(figsize=(2.2 * columns, 1.9 * lines + 0.4), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True)
    for axes in grid.flat[len(rows) :]:
        axes.set_axis_off()
    for row, axes in zip(rows, grid.flat, strict=False):
        start = {0: row.trained[0]} if 0 in row.trained else {}
        ways = (("trained on", row.trained, VERMILION, "--"), ("folded in", row.folded, BLUE, "-"))
        for label, points, color, style in ways:
            drawn = {
                count: statistics.fmean(point.errors.values())
                for count, point in sorted({**start, **points}.items())
            }
            axes.plot(
                list(drawn), list(drawn.values()), color=color, ls=style, lw=1.2, marker="o", ms=3,
                label=label,
            )  # fmt: skip
        title = f"{model_title(row.model)}, {data_title(row.data)}"
        axes.set_title(f"{title}\nnew {row.new}", fontsize=8)
        axes.set_xticks(row.counts)
    for axes in grid[:, 0]:
        axes.set_ylabel("test RMSE")
    for axes in grid[-1]:
        axes.set_xlabel("revealed ratings")
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside upper center", ncols=2)
    return figure
