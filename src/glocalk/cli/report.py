"""`glocalk report`: make `reports/`, check it, promote or migrate records."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field

from glocalk.cli.arguments import read_arguments, refuse_words, wants_help
from glocalk.cli.help import Help, fields
from glocalk.config import BaseConfig, did_you_mean
from glocalk.errors import GlocalkError
from glocalk.names import inside

_HELP = Help(
    command="report",
    does="make tables and figures from records. Without a command, those of the committed "
    "records; the figures are written to `out`, and the README's table and "
    "docs/costs.md updated.",
    usage=["report [check|promote|local|screenshot|migrate FOLDER] [name=value ...]"],
    examples={
        "report promote model=bias_mf data=ml_100k": "copy this machine's records of a model",
        "report migrate runs": "bring old records in runs/ to the current schema",
    },
    flags={},
)


class ReportConfig(BaseConfig):
    """Folders of the records and reports, and what is promoted."""

    records: Path = Field(default=Path("reports/records"), description="the committed records")
    out: Path = Field(default=Path("reports"), description="folder of the reports")
    readme: Path = Field(default=Path("README.md"), description="file with the compact tables")
    runs: Path = Field(default=Path("runs"), description="the runs of this machine")
    model: str | None = Field(default=None, description="promote the records of this model only")
    data: str | None = Field(default=None, description="promote the records of this data set only")
    browser: Path | None = Field(
        default=None, description="program of the Chromium that draws the page, if not on the PATH"
    )
    searches: bool = Field(
        default=False, description="promote searches for hyperparameters instead of records of runs"
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    if wants_help(arguments):
        commands = {name: says for name, (says, _) in _COMMANDS.items()}
        print(_HELP.text(("Commands", commands.items()), ("Options", fields(ReportConfig))))
        return 0
    try:
        words, options = read_arguments("report", arguments)
        config = ReportConfig.check(options, "")
        command, *rest = words or [""]
        if command and command not in _COMMANDS:
            known = did_you_mean(command, _COMMANDS)
            raise GlocalkError(f"Unknown command 'report {command}': {known}")
        lines = _COMMANDS[command][1](config, rest) if command else _render(config, rest)
    except GlocalkError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


def completions() -> list[str]:
    """What the shell may complete an argument to."""
    return [*_COMMANDS, *(f"{name}=" for name in ReportConfig.model_fields)]


# What makes figures is imported where it is used: it takes a second.


def _need_folder(name: str, folder: Path) -> None:
    """Refuse a folder that is not there: the report of no records would replace that of all."""
    if not folder.is_dir():
        raise GlocalkError(f"There is no folder '{folder}': name one with {name}=FOLDER.")


def _render(config: ReportConfig, words: Sequence[str]) -> list[str]:
    from glocalk.report.render import render

    refuse_words(words)
    _need_folder("records", config.records)
    report = render(config.records, config.out, config.readme)
    return [f"Made '{config.out}' and the tables in '{config.readme}': {report.summary}."]


def _check(config: ReportConfig, words: Sequence[str]) -> list[str]:
    from glocalk.report.render import check

    refuse_words(words)
    _need_folder("records", config.records)
    check(config.records, config.out, config.readme)
    return [f"'{config.out}' and '{config.readme}' match the records."]


def _promote(config: ReportConfig, words: Sequence[str]) -> list[str]:
    from glocalk.report.promote import promote
    from glocalk.report.searches import promote_searches

    refuse_words(words)
    if config.searches:
        return promote_searches(config.runs, config.out)
    return promote(config.runs, config.records, config.model, config.data)


def _local(config: ReportConfig, words: Sequence[str]) -> list[str]:
    from glocalk.report.local import write_local_table

    refuse_words(words)
    _need_folder("runs", config.runs)
    out = inside(config.runs, "report")
    write_local_table(config.runs, config.records, out, {})
    return [(out / "table1.md").read_text(encoding="utf-8").rstrip()]


def _migrate(config: ReportConfig, words: Sequence[str]) -> list[str]:
    from glocalk.records.migrate import migrate_folder

    refuse_words(words[1:])
    folder = Path(words[0]) if words else config.runs
    return migrate_folder(folder) or [f"'{folder}' holds no record of an older schema."]


def _screenshot(config: ReportConfig, words: Sequence[str]) -> list[str]:
    from glocalk.report.page.screenshot import take

    refuse_words(words)
    return [f"Made '{take(config.out, config.browser)}', the first screen of the page."]


_COMMANDS: dict[str, tuple[str, Callable[[ReportConfig, Sequence[str]], list[str]]]] = {
    "check": ("write nothing; exit with 1 if a report does not match the records", _check),
    "promote": ("copy this machine's done records to the committed ones", _promote),
    "local": ("print this machine's table, which is written to runs/report/", _local),
    "screenshot": ("draw the page's first screen, OUT/page.png, with a Chromium", _screenshot),
    "migrate": ("bring the records below FOLDER to the current schema, in place", _migrate),
}
