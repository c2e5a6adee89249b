"""`results.csv`: one row per run and protocol."""

from __future__ import annotations

from collections.abc import Iterable

from glocalk.records.run import PROTOCOLS, Record
from glocalk.report.layout import csv_text, number, whole
from glocalk.report.published import results_of

COLUMNS = (
    *("experiment", "data", "split", "train_share", "model", "variant", "settings_from", "seed"),
    *("protocol", "rmse", "mae", "ndcg", "rmse_epoch", "mae_epoch", "ndcg_epoch"),
    *("seconds", "peak_rss_mb", "parameters", "threads", "device"),
    *("config_hash", "model_version", "commit"),
)


def results_csv(records: Iterable[Record]) -> str:
    """The done records, sorted by what was run."""
    ordered = sorted(
        records,
        key=lambda r: (r.experiment, r.data, r.split, r.train_share, r.model, r.variant, r.seed),
    )
    return csv_text(COLUMNS, (row for record in ordered for row in _rows(record)))


def _rows(record: Record) -> Iterable[list[str]]:
    results = results_of(record)
    for protocol in PROTOCOLS:
        if protocol not in results:
            continue
        result = results[protocol]
        yield [
            record.experiment,
            record.data,
            record.split,
            f"{record.train_share:g}",
            record.model,
            record.variant,
            record.settings_from,
            str(record.seed),
            protocol,
            number(result.rmse),
            number(result.mae),
            number(result.ndcg),
            whole(result.rmse_epoch),
            whole(result.mae_epoch),
            whole(result.ndcg_epoch),
            number(record.seconds["total"], 1),
            number(record.peak_rss_mb, 1),
            whole(record.parameters),
            str(record.threads),
            record.device,
            record.config_hash,
            str(record.model_version),
            record.commit or "",
        ]
