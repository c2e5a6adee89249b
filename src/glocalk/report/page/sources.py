"""The notes under the tables, and the other files of the report."""

from __future__ import annotations

import re
from itertools import groupby

from markupsafe import Markup

from glocalk.report.cells import DATA_SETS, model_title
from glocalk.report.layout import NOTHING
from glocalk.report.page.grid import Column, Entry, grid, words
from glocalk.report.page.markup import fill
from glocalk.report.page.section import Material, Section
from glocalk.report.table1 import table1_notes

_ABOUT = {
    "results": "every run under every protocol",
    "table1": "Table 1",
    "intervals": "95 % intervals of the figures of Table 1",
    "table2": "Table 2",
    "fig2": "Fig. 2",
    "fig3": "Fig. 3",
    "folds": "GLocal-K and SparseFC on other splits",
    "seeds": "GLocal-K over many seeds",
    "claims": "the paper's claims, each with its evidence",
    "gap": "the gap of selecting on test",
    "epochs": "the epoch that each protocol picks",
    "smoothing": "what smoothing the validation curve would change",
    "kernels": "what the global kernel does",
    "around": "models around the paper",
    "side": "what side information is worth",
    "cold": "new users and items",
    "fold": "new users and items without training",
    "cross": "cross-validation",
    "monti": "Flixster and YahooMusic",
    "variants": "runs with other options, each beside the run that it varies",
    "searches": "every trial of every search for hyperparameters",
    "curves": "learning curves of GLocal-K",
    "costs": "time and memory of a training",
    "bench": "speed and memory of implementations",
}


def notes_section(material: Material) -> Section:
    """The notes of Table 1: seeds, budgets, hyperparameters, published figures."""
    body = fill(
        "notes.html",
        notes=table1_notes(material.cells),
        origins=_origins(material),
    )
    return Section("notes", "Notes on protocols and runs", "Notes", body)


def _origins(material: Material) -> Markup:
    """What the hyperparameters of each model were chosen by on each data set."""
    made: dict[str, dict[str, Entry]] = {}
    for row in material.rows("table1.csv"):
        trials = f" ({row['trials']} trials)" if row["trials"] else ""
        made.setdefault(row["model"], {})[row["data"]] = Entry(f"{row['hyperparameters']}{trials}")
    columns = [Column("Model", kind=""), *(Column(title, kind="") for title in DATA_SETS.values())]
    lines = [
        [words(model_title(model)), *(cells.get(data, Entry(NOTHING)) for data in DATA_SETS)]
        for model, cells in made.items()
    ]
    return grid("origins-table", "What hyperparameters were chosen by", columns, lines)


def files_section(material: Material) -> Section:
    """Links to the page of records and to the other files of the report, by what they show."""
    files = [
        (_ABOUT.get(stem, stem), list(group))
        for stem, group in groupby(material.files, key=lambda file: _stem(file.name))
    ]
    body = fill("files.html", count=len(material.records), files=files)
    return Section("records", "Records and files", "Records", body)


def _stem(name: str) -> str:
    """What files with different suffixes or data sets have in common: `curves`, `bench`."""
    return re.split("[._]", name, maxsplit=1)[0]
