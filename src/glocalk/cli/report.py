"""`glocalk report`: write `reports/`, check it with --check, or `promote` records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from glocalk.errors import GlocalkError
from glocalk.report.promote import promote
from glocalk.report.render import check, render
from glocalk.report.searches import promote_searches


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "promote":
            if options.searches:
                lines = promote_searches(options.runs, options.out)
            else:
                lines = promote(options.runs, options.records, options.model, options.data)
            print("\n".join(lines))
        elif options.check:
            check(options.records, options.out, options.readme)
            print(f"'{options.out}' and '{options.readme}' are what the records give.")
        else:
            report = render(options.records, options.out, options.readme)
            print(f"Made '{options.out}' and the tables in '{options.readme}': {report.summary}.")
    except GlocalkError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glocalk report", description="Tables and figures from committed records."
    )
    parser.add_argument("--records", type=Path, default=Path("reports/records"))
    parser.add_argument("--out", type=Path, default=Path("reports"))
    parser.add_argument("--readme", type=Path, default=Path("README.md"))
    parser.add_argument("--check", action="store_true", help="write nothing, compare with files")
    promoting = parser.add_subparsers(dest="command").add_parser(
        "promote", help="copy this machine's done records to the committed ones"
    )
    promoting.add_argument("--runs", type=Path, default=Path("runs"))
    # No default of its own, which would override a --records before the command.
    promoting.add_argument("--records", type=Path, default=argparse.SUPPRESS)
    promoting.add_argument("--model", help="config name of a model to promote alone")
    promoting.add_argument("--data", help="config name of a data set to promote alone")
    promoting.add_argument(
        "--searches", action="store_true", help="copy searches for settings, not records of runs"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
