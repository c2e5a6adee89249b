"""The API reference: all of `glocalk.__all__`, from docstrings."""

from __future__ import annotations

import inspect

import glocalk
from glocalk.completers import PUBLIC
from glocalk.report.layout import markdown_table
from website.catalog import Model, models
from website.docstrings import summary

# Of classes that are not in `glocalk.__all__`, but that its functions return.
RETURNED = (
    "glocalk.scoring.score.Score",
    "glocalk.distributions.LevelDistribution",
    "glocalk.distributions.NormalDistribution",
)


def api_pages() -> dict[str, str]:
    """The text of each page by its path below the folder of the reference."""
    names = sorted(glocalk.__all__, key=str.lower)
    objects = {name: getattr(glocalk, name) for name in names}
    completers = [name for name in names if name in PUBLIC]
    others = [name for name in names if name not in completers]
    errors = [name for name in others if _is_error(objects[name])]
    classes = [name for name in others if inspect.isclass(objects[name]) and name not in errors]
    functions = [name for name in others if not inspect.isclass(objects[name])]
    return {
        "index.md": _index(),
        "functions.md": _page("Functions", [_function(name) for name in functions]),
        "data.md": _page(
            "Ratings, splits and completers",
            [_class(f"glocalk.{name}", members=True) for name in classes],
        ),
        "completers.md": _completers(completers),
        "results.md": _page(
            "Scores and distributions", [_class(path, members=True) for path in RETURNED]
        ),
        "errors.md": _page("Errors", [_class(f"glocalk.{name}", members=False) for name in errors]),
    }


def _is_error(of: object) -> bool:
    return inspect.isclass(of) and issubclass(of, Exception)


def _index() -> str:
    return """# API reference

Everything public is in the module `glocalk`. [Python API](../docs/python.md) introduces it.

```{toctree}
:maxdepth: 2

functions
data
completers
results
errors
```
"""


def _completers(names: list[str]) -> str:
    by_class: dict[str, list[Model]] = {}
    for model in models():
        by_class.setdefault(model.python_name, []).append(model)
    rows = [
        (
            f"{{py:class}}`~glocalk.{name}`",
            summary(getattr(glocalk, name)),
            ", ".join(
                f"[{model.title}](../models/{model.name}.md)"
                for model in by_class.get(f"glocalk.{name}", [])
            ),
        )
        for name in names
    ]
    table = markdown_table(("Class", "What it does", "Page with options and figures"), rows, left=3)
    text = (
        "Each is built from keyword options, and is fitted and asked as "
        "{py:class}`~glocalk.Completer` describes. Their pages list the options.\n\n"
        f"{table}"
    )
    return _page("Models", [text, *(_class(f"glocalk.{name}", members=False) for name in names)])


def _page(title: str, parts: list[str]) -> str:
    return f"# {title}\n\n" + "\n\n".join(parts) + "\n"


def _function(name: str) -> str:
    return _rst(f".. autofunction:: glocalk.{name}")


def _class(path: str, *, members: bool) -> str:
    options = "\n   :members:\n   :inherited-members: Exception" if members else ""
    return _rst(f".. autoclass:: {path}{options}")


def _rst(text: str) -> str:
    """A block of reStructuredText, which autodoc writes and so must be called from."""
    return f"```{{eval-rst}}\n{text}\n```"
