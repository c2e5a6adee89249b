"""A score as text for a terminal, and as the files `evaluation.md`, `.csv` and `.json`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from glocalk.files import write_atomically
from glocalk.report.layout import (
    csv_text,
    difference,
    difference_interval,
    markdown,
    markdown_table,
    number,
    p_value,
    rmse,
    yes,
)
from glocalk.report.statistics.bootstrap import RESAMPLES
from glocalk.report.tables import with_sd
from glocalk.scoring.compared import OTHERWISE, PREFERRED
from glocalk.scoring.score import COLUMNS, Score

_HEADER = ("RMSE", "Interval", "Difference", "Its interval", "p", "Seeds", "Protocol")
_SIDE, _TITLE = "Side inf.", "Row"
_GROUP_HEADER = ("Kind", "Group", "Ratings", "RMSE", "MAE", "Mean error")
_MARK = "→"
_LEFT = (7, 8, 9)  # columns of text, after the mark

_LEGEND = (
    "Difference: the RMSE of {name} minus that of the row, negative where {name} is better. "
    "Intervals are those of 95 %, by a bootstrap over the users with test ratings; p is that of a "
    "paired test with the user as unit, adjusted for all rows by Holm's method. Side inf.: whether "
    "the model uses more than ratings."
)


def summary(score: Score) -> str:
    """The errors on one line."""
    low, high = (rmse(end) for end in score.interval)
    gain = "" if score.ndcg is None else f", NDCG {rmse(score.ndcg)}"
    lowest, highest = score.scale
    clipped = "no predictions were clipped, as asked"
    if score.clipped is not None:
        were = "prediction was" if score.clipped == 1 else "predictions were"
        clipped = f"{score.clipped:,} {were} clipped to {lowest:g} … {highest:g}"
    return (
        f"{score.name} on {score.data} ({score.split}): RMSE {rmse(score.rmse)} [{low}, {high}], "
        f"MAE {rmse(score.mae)}{gain}, over {score.ratings:,} test ratings of {score.users:,} "
        f"users; {clipped}."
    )


def terminal_text(score: Score) -> str:
    """Errors, comparisons and notes for a terminal."""
    parts = [summary(score)]
    if score.rows:
        lines = [("", *_HEADER, _SIDE, _TITLE), *_lines(score)]
        parts += ["", *_columns(lines), "", _LEGEND.format(name=score.name)]
    if score.groups is not None:
        parts += ["", *_columns([_GROUP_HEADER, *_group_lines(score.groups)], left=(0, 1)), ""]
        parts.append(_eauc(score))
    if score.ranking is not None:
        parts += ["", _ranking(score.ranking)]
    return "\n".join([*parts, *_notes(score)])


def write_score(score: Score, folder: Path) -> list[Path]:
    """Write `evaluation.md`, `evaluation.csv` and `evaluation.json`, each atomically.

    Raises:
        GlocalkError: the folder cannot be written to.
    """
    low, high = score.interval
    own: dict[Any, Any] = {"title": score.name, "rmse": score.rmse, "low": low, "high": high}
    own |= {"mae": score.mae, "ndcg": score.ndcg}
    lines = [own, *score.comparisons.to_dict(orient="records")]
    rows = [[_cell(line.get(column)) for column in COLUMNS] for line in lines]
    texts = {
        "evaluation.md": _markdown(score),
        "evaluation.csv": csv_text(COLUMNS, rows),
        "evaluation.json": json.dumps(_content(score), indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        write_atomically(folder / name, text)
    return [folder / name for name in texts]


def _lines(score: Score) -> list[tuple[str, ...]]:
    """A line of texts for each row, the predictions' own marked in the first column."""
    rows: list[tuple[float, tuple[str, ...]]] = [
        (
            row.rmse,
            (
                "",
                with_sd(row.rmse, row.sd),
                f"[{', '.join(rmse(end) for end in row.interval)}]",
                difference(row.difference.estimate),
                difference_interval(*row.difference.interval),
                p_value(row.p_adjusted),
                str(row.seeds),
                row.protocol,
                "yes" if row.side_information else "",
                row.title,
            ),
        )
        for row in score.rows
    ]
    own = f"[{', '.join(rmse(end) for end in score.interval)}]"
    rows.append((score.rmse, (_MARK, rmse(score.rmse), own, *[""] * 6, score.name)))
    return [line for _, line in sorted(rows, key=lambda row: row[0])]


def _group_lines(groups: pd.DataFrame) -> list[tuple[str, ...]]:
    """A line of texts for each group of ratings."""
    return [
        (
            str(kind),
            str(group),
            f"{ratings:,}",
            rmse(error),
            rmse(absolute),
            difference(bias),
        )
        for kind, group, ratings, error, absolute, bias in groups.itertuples(index=False)
    ]


def _eauc(score: Score) -> str:
    return (
        f"EAUC {number(score.eauc)}: area under the absolute error as a function of how far a "
        "rating is from the means of its user and item. New: without training ratings."
    )


def _ranking(ranking: Mapping[str, float]) -> str:
    """One sentence with every ranking metric."""
    names = {"map": "MAP", "mrr": "MRR", "ndcg": "NDCG", "hit_rate": "hit rate"}
    k, users = int(ranking["k"]), int(ranking["users"])
    values = [
        f"{names.get(name, name)} {rmse(value)}"
        for name, value in ranking.items()
        if name not in ("k", "users", "relevant")
    ]
    return (
        f"Ranking at {k} of the items that a user rated in the test set, ratings from "
        f"{ranking['relevant']:g} being relevant: {', '.join(values)}, means over {users:,} users."
    )


def _columns(lines: Sequence[Sequence[str]], left: Collection[int] = _LEFT) -> list[str]:
    """The lines with their cells one below the other."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _markdown(score: Score) -> str:
    parts = [f"# Evaluation of {markdown(score.name)}", markdown(summary(score))]
    if score.rows:
        lines = [
            [f"**{markdown(title)}**" if mark else markdown(title), side, *cells]
            for mark, *cells, side, title in _lines(score)
        ]
        parts.append(markdown_table([_TITLE, _SIDE, *_HEADER], lines, left=2).rstrip())
        parts.append(markdown(_LEGEND.format(name=score.name)))
    if score.groups is not None:
        lines = [[*map(markdown, line)] for line in _group_lines(score.groups)]
        parts += [markdown_table(_GROUP_HEADER, lines, left=2).rstrip(), markdown(_eauc(score))]
    if score.ranking is not None:
        parts.append(markdown(_ranking(score.ranking)))
    parts += [f"- {markdown(note)}" for note in _notes(score)]
    checksum = f"Split `{score.data_checksum}`; {RESAMPLES:,} resamples."
    return "\n\n".join([*parts, checksum]) + "\n"


def _notes(score: Score) -> Iterable[str]:
    without = sum(row.protocol == OTHERWISE for row in score.rows)
    if without:
        were = "row has" if without == 1 else "rows have"
        yield (
            f"{without} {were} no result under `{PREFERRED}`: their last epoch is compared, "
            f"`{OTHERWISE}`."
        )
    yield from score.notes


def _content(score: Score) -> dict[str, Any]:
    table = score.comparisons.astype(object)
    return {
        "name": score.name,
        "data": score.data,
        "split": score.split,
        "data_checksum": score.data_checksum,
        "scale": list(score.scale),
        "ratings": score.ratings,
        "users": score.users,
        "clipped": score.clipped,
        "rmse": score.rmse,
        "mae": score.mae,
        "ndcg": score.ndcg,
        "interval": list(score.interval),
        "comparisons": table.where(table.notna(), None).to_dict(orient="records"),
        "groups": None if score.groups is None else score.groups.to_dict(orient="records"),
        "eauc": score.eauc,
        "ranking": score.ranking,
        "notes": list(_notes(score)),
        "glocalk": version("glocalk"),
    }


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return yes(value)
    return number(value) if isinstance(value, float) else str(value)
