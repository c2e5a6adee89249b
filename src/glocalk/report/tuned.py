"""Every model with hyperparameters from a search of its own, all searches with one budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from glocalk.records.search import PLAIN_SEARCH, Search
from glocalk.report.cells import data_sets_in_order, data_title, in_order, model_title
from glocalk.report.layout import (
    NOTHING,
    csv_text,
    difference,
    duration,
    enumeration,
    markdown_table,
    number,
    rmse,
    whole,
    yes,
)
from glocalk.report.origins import dates_note, origin_of
from glocalk.report.parts import Files, Sources
from glocalk.report.table1 import PROTOCOL_NOTES
from glocalk.report.tables import mean_and_sd, seed_count, tex_table
from glocalk.report.tuned_rows import (
    EXPERIMENT,
    NOT_SEARCHED,
    PROTOCOL,
    SEARCHED,
    TunedRow,
    tuned_rows,
)

_COLUMNS = (
    *("data", "model", "side_information", "trials"),
    *("done", "pruned", "failed", "out_of_time", "search_seconds"),
    *("first_trial_rmse", "best_trial_rmse", "best_trial", "options", "changed"),
    *("validated_mean", "validated_sd", "last_mean", "last_sd", "seeds"),
    *("present_validated_mean", "present_validated_sd", "present_seeds"),
    *("validated_change", "mark"),
)


def tuned_files(sources: Sources) -> Files:
    """`tuned.md`, `tuned.csv` and `tuned.tex`; nothing without searches."""
    rows = tuned_rows(sources)
    if not rows:
        return {}
    header, lines = _overview(rows)
    caption = (
        "Every model after a search for its hyperparameters, all with the same small budget: test "
        f"RMSE under `{PROTOCOL}`."
    )
    notes = _notes(rows, sources.searches)
    listed = "".join(f"- {note}\n" for note in notes)
    return {
        "tuned.csv": csv_text(_COLUMNS, map(_csv_row, rows)),
        "tuned.md": f"{caption}\n\n{markdown_table(header, lines, left=2)}\n{listed}\n"
        f"## Searches\n\n{_details(rows)}",
        "tuned.tex": tex_table(
            EXPERIMENT,
            caption,
            "ll" + "r" * (len(header) - 2),
            [("", len(header))],
            header,
            [lines],
            notes,
        ),
    }


def _overview(rows: Sequence[TunedRow]) -> tuple[list[str], list[list[str]]]:
    """A row for each model, a column for each data set."""
    cells = {(row.search.model, row.search.data): row for row in rows}
    data_sets = data_sets_in_order(data for _, data in cells)
    lines = [
        [
            model_title(model),
            _side(model, rows),
            *(_figure(cells.get((model, data))) for data in data_sets),
        ]
        for model in in_order({model for model, _ in cells})
    ]
    return ["Model", "Side inf.", *map(data_title, data_sets)], lines


def _side(model: str, rows: Sequence[TunedRow]) -> str:
    """`yes` if the model has side information; the data sets if it has so on some alone."""
    known = {
        row.search.data: row.with_side
        for row in rows
        if row.search.model == model and row.tuned.runs
    }
    having = [data_title(data) for data, has in known.items() if has]
    if not having:
        return ""
    return "yes" if len(having) == len(known) else enumeration(having)


def _figure(row: TunedRow | None) -> str:
    if row is None or not row.tuned.runs:
        return NOTHING
    return f"{mean_and_sd(row.tuned, PROTOCOL)} {row.mark}".rstrip()


def _details(rows: Sequence[TunedRow]) -> str:
    header = ["Data", "Model", "Trials", "Time", "Best trial", "First", "Best", "Tuned", "Present"]
    header += ["Difference", "Seeds"]
    lines = []
    for row in rows:
        search = row.search
        best, first = search.best, search.trials[0]
        lines.append(
            [
                data_title(search.data),
                model_title(search.model),
                _trials(search),
                duration(max(1, search.seconds)),
                _best(row),
                rmse(first.valid_rmse if first.state == "done" else None),
                rmse(best.valid_rmse if best else None),
                *(mean_and_sd(point, PROTOCOL) for point in (row.tuned, row.present)),
                difference(row.change),
                seed_count(row.tuned),
            ]
        )
    return markdown_table(header, lines, left=3)


def _best(row: TunedRow) -> str:
    best = row.search.best
    if best is None:
        return "none"
    return f"`{best.tried}`" if row.changed else "the first"


def _trials(search: Search) -> str:
    """`12`, or `9: 6 pruned, 1 out of time`."""
    states = Counter(trial.state for trial in search.trials)
    others = [
        f"{states[state]} {state.replace('_', ' ')}"
        for state in ("pruned", "failed", "out_of_time")
        if states[state]
    ]
    return ": ".join([str(len(search.trials)), *([", ".join(others)] if others else [])])


def _notes(rows: Sequence[TunedRow], every: Sequence[Search]) -> list[str]:
    budgets = {
        f"{it.trials} trials" + (f" that take {it.hours:g} h together" if it.hours else "")
        for it in (row.search.budget for row in rows)
        if it is not None
    }
    searches = [row.search for row in rows]
    unsearched = sum(row.mark == NOT_SEARCHED for row in rows)
    seeds = {str(it.seed if it.valid_seed is None else it.valid_seed) for it in searches}
    exhausted = any(it.is_exhausted for it in searches)
    return [
        f"Budget of every search: {enumeration(sorted(budgets))}, on one core. A training that "
        "reaches the limit is ended at its next epoch, and counts as out of time; one without "
        "epochs is made to its end."
        + (" A search ends earlier when every combination has been tried." if exhausted else ""),
        *_repeats(searches),
        "The first trial has the present hyperparameters, those of the rows of `table1.md`, "
        "`around.md` and `monti.md`, which say what they come from. "
        f"`{SEARCHED}`: no other trial was better; `{NOT_SEARCHED}`: no other trial "
        f"ended in time, so that the model was not searched: {unsearched} of "
        f"{len(searches)}. The runs of both are those of these tables. {NOTHING}: a model without "
        "a row in them on that data set.",
        *_earlier(rows, every),
        "Pruned: ended because its held-out error was above the median of the earlier trials at "
        "the same epoch. Failed: could not be trained, mostly because it diverged.",
        "First, best: RMSE of these trials on the held-out ratings. Tuned, present: test RMSE of "
        "the runs with the hyperparameters of the best and of the first trial. Difference: "
        "tuned minus present, over the seeds that both have; seeds: those of the tuned runs.",
        "Trials are judged by held-out training ratings, never by test ratings. They are drawn by "
        f"seed {enumeration(sorted(seeds))}, which chooses no epoch afterwards.",
        f"`{PROTOCOL}`: {PROTOCOL_NOTES[PROTOCOL]} Mean ± sample standard deviation over seeds; "
        "without it, one seed, or a model that does not depend on it.",
        *dates_note([run for row in rows for run in row.tuned.runs]),
        "Made by `glocalk reproduce experiment=tuned`; `make report` makes the table from the "
        "records. Every trial: `searches.csv`.",
    ]


def _earlier(rows: Sequence[TunedRow], every: Sequence[Search]) -> list[str]:
    """A note on what earlier searches cost, and which ratings judged them."""
    plain = {(it.data, it.model): it for it in every if it.experiment == PLAIN_SEARCH}
    before = [
        (row, plain[place])
        for row in rows
        if (place := (row.search.data, row.search.model)) in plain
        and row.present.runs
        and origin_of(row.present.runs[0], [plain[place]]).trials is not None
    ]
    if not before:
        return []
    shared = [it for row, it in before if row.chooses_epoch and it.valid_seed in (None, it.seed)]
    seeds = enumeration(sorted({str(it.seed) for it in shared}))
    most = max(len(it.trials) for _, it in before)
    note = (
        f"{len(before)} of {len(rows)} rows began with the hyperparameters of an earlier search, "
        f"of up to {most} trials, which are outside this budget."
    )
    if shared:
        note += (
            f" The ratings that also choose the epoch of seed {seeds} judged {len(shared)} of "
            "these."
        )
    return [note]


def _repeats(searches: Sequence[Search]) -> list[str]:
    """A note on searches of an older version, which could try the same options twice."""
    repeated = [it for it in searches if len({trial.point for trial in it.trials}) < len(it.trials)]
    if not repeated:
        return []
    return [
        f"{len(repeated)} of {len(searches)} searches tried a combination more than once, which "
        "gives the same error and finds nothing; those made now do not."
    ]


def _csv_row(row: TunedRow) -> list[str]:
    search = row.search
    states = Counter(trial.state for trial in search.trials)
    best, first = search.best, search.trials[0]
    position = None if best is None else 1 + search.trials.index(best)
    return [
        *(search.data, search.model, yes(row.with_side) if row.tuned.runs else ""),
        str(len(search.trials)),
        *(str(states[state]) for state in ("done", "pruned", "failed", "out_of_time")),
        number(search.seconds, 1),
        number(first.valid_rmse if first.state == "done" else None),
        number(best.valid_rmse if best else None),
        whole(position),
        best.tried if best else "",
        yes(row.changed),
        *(
            number(figure(protocol))
            for protocol in (PROTOCOL, "last")
            for figure in (row.tuned.mean, row.tuned.sd)
        ),
        " ".join(map(str, row.tuned.seeds)),
        *(number(figure(PROTOCOL)) for figure in (row.present.mean, row.present.sd)),
        " ".join(map(str, row.present.seeds)),
        number(row.change),
        row.mark,
    ]
