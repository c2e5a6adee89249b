"""Arguments of the commands that compose no config: `name=value`, in Hydra's style."""

from __future__ import annotations

from collections.abc import Sequence

from glocalk.errors import GlocalkError
from glocalk.files import at_home


def read_arguments(command: str, given: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The words and the options of a command line.

    Args:
        command: the command they were given to, for errors.
        given: the arguments; a word has no `=`.

    Raises:
        GlocalkError: a flag, an argument without name or value, or a name given twice.
    """
    words: list[str] = []
    options: dict[str, str] = {}
    for argument in given:
        name, equals, value = argument.partition("=")
        if argument.startswith("-"):
            raise GlocalkError(
                f"Unknown flag '{argument}': options are written name=value, see "
                f"glocalk {command} --help."
            )
        if equals and not (name and value):
            raise GlocalkError(f"'{argument}' is not name=value.")
        if not equals:
            words.append(argument)
        elif name in options:
            raise GlocalkError(f"Option '{name}' is given twice.")
        else:
            options[name] = at_home(value)
    return words, options


def refuse_words(words: Sequence[str]) -> None:
    """Refuse arguments that are not name=value.

    Raises:
        GlocalkError: there is one.
    """
    if words:
        raise GlocalkError(f"'{words[0]}' is not name=value.")


def wants_help(given: Sequence[str]) -> bool:
    """Whether the arguments ask for the help text."""
    return not {"-h", "--help"}.isdisjoint(given)
