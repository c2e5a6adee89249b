"""The help texts of commands: what a command does, its options with a line each, two examples."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glocalk.config import BaseConfig

_MOST_COLUMNS = 100
_NAME_COLUMN = 32  # a longer name=value gets a separate line

HYDRA_FLAGS = {
    "-m, --multirun": "run every combination of lists, as in model=bias,bias_mf seed=0,1,2",
    "-c, --cfg job": "print the composed config and stop",
    "-cd, --config-dir FOLDER": "a folder with more configs: FOLDER/model/my_model.yaml",
    "-cn, --config-name NAME": "another main config",
    "-sc, --shell-completion": "install=bash prints what to evaluate in a shell",
    "--hydra-help": "flags and options of Hydra itself",
}


@dataclass(frozen=True)
class Help:
    """The parts of a command's help text other than its options.

    Attributes:
        command: name of the command.
        does: one sentence, and further notes.
        usage: command lines, placeholders in capitals.
        examples: what each does, by command line.
        flags: what each does, by name.
    """

    command: str
    does: str
    usage: Sequence[str]
    examples: Mapping[str, str]
    flags: Mapping[str, str]

    def text(self, *sections: tuple[str, Iterable[tuple[str, str]]]) -> str:
        """The text.

        Args:
            sections: sections of options: a title, and (name=value, description) of each option.
        """
        flags = {**self.flags, "-h, --help": "this text"}
        blocks = [
            _wrapped(f"glocalk {self.command}: {self.does}", "", ""),
            "\n".join(["Usage", *(f"  glocalk {line}" for line in self.usage)]),
            *(_section(title, rows) for title, rows in sections),
            _section("Flags", flags.items()),
            "\n".join(
                [
                    "Examples",
                    *(
                        f"  glocalk {line}\n{_wrapped(says, '      ', '      ')}"
                        for line, says in self.examples.items()
                    ),
                ]
            ),
        ]
        return "\n\n".join(blocks)


def fields(config_class: type[BaseConfig]) -> Iterator[tuple[str, str]]:
    """(name=default, description) of each option of a config class."""
    for name, field in config_class.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        shown = "" if default is None else written(default)
        yield f"{name}={shown}", field.description or ""


def _section(title: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = [title]
    for name, description in rows:
        left = f"  {name}"
        if len(left) >= _NAME_COLUMN and description:
            lines += [left, _wrapped(description, " " * _NAME_COLUMN, " " * _NAME_COLUMN)]
        elif description:
            start = f"{left:<{_NAME_COLUMN}}"
            lines.append(_wrapped(description, start, " " * _NAME_COLUMN))
        else:
            lines.append(left)
    return "\n".join(lines)


def _wrapped(text: str, first: str, other: str) -> str:
    width = min(_MOST_COLUMNS, max(60, shutil.get_terminal_size((_MOST_COLUMNS, 24)).columns))
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=other,
        break_long_words=False,
        break_on_hyphens=False,
    )


def written(value: Any) -> str:
    """A value as it is written on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{written(inner)}" for name, inner in value.items()) + "}"
    return str(value)
