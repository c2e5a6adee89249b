"""A page for each model, and the list of all: made from docstrings, configs and `reports/`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from glocalk.report.layout import NOTHING, duration, enumeration, markdown, markdown_table, rmse
from website.catalog import DATA_TITLES, ROOT, Model, models
from website.docstrings import as_markdown, example
from website.figures import Figures, all_figures, figures_of
from website.options import options_table

SHOWN = ("ml_100k", "ml_1m", "douban")
PROTOCOL = "validated"
_ELSEWHERE = re.compile(
    r"The module(?:'s docstring)? has the equations(?:; `\w+` has the options)?\.\n"
)


def model_pages() -> dict[str, str]:
    """The text of each page by its path below the folder of the models."""
    listed = models()
    pages = {f"{model.name}.md": model_page(model) for model in listed}
    return {"index.md": index_page(listed), **pages}


def index_page(listed: Sequence[Model]) -> str:
    """The models with their figures, the best on ML-100K first."""
    found = all_figures()

    def error(model: Model) -> tuple[float, str]:
        made = found.get((model.name, SHOWN[0]))
        return (made.means.get(PROTOCOL, 9.0) if made else 9.0), model.name

    rows = [
        (
            f"[{markdown(model.title)}]({model.name}.md)",
            f"`{model.name}`",
            *(mean_and_sd(found.get((model.name, data)), PROTOCOL) for data in SHOWN),
        )
        for model in sorted(listed, key=error)
    ]
    header = ("Model", "`model=`", *(DATA_TITLES[data] for data in SHOWN))
    names = "\n".join(f"{model.title} <{model.name}>" for model in listed)
    return f"""# Models and their figures

Test RMSE under the [protocol](../docs/protocols.md) `validated`: held-out training ratings choose
the epoch, the test set chooses nothing. Lower is better; ± is the sample standard deviation over
seeds.
Each page has the equation, the options, the published figures and the hyperparameters of its model.
[models.md](../docs/models.md) sorts the models by what they need.

{markdown_table(header, rows, left=2)}
{NOTHING}: no committed run under this protocol.

```{{toctree}}
:hidden:

{names}
```
"""


def model_page(model: Model) -> str:
    """The page of one model."""
    return "\n".join(part for part in _sections(model) if part)


def _sections(model: Model) -> Iterator[str]:
    yield f"# {markdown(model.title)}\n"
    first, rest = _about(model)
    yield first if _has_equations(model) else f"{first}\n{rest}"
    yield _figures(model)
    yield _use(model)
    yield _module(model)
    yield _options(model)
    yield _hyperparameters(model)
    yield _search(model)


def _about(model: Model) -> tuple[str, str]:
    """The summary of the completer's docstring, and what follows it but for the example."""
    text = as_markdown(model.completer.__doc__ or "", without="Example")
    first, _, rest = _ELSEWHERE.sub("", text).partition("\n\n")  # both are sections of the page
    return f"{first.rstrip()}\n", rest.strip() and f"{rest.strip()}\n"


def _module_of(model: Model) -> ModuleType:
    return sys.modules[model.completer.__module__]


def _has_equations(model: Model) -> bool:
    """Whether the module says more than one line: then what the completer adds comes after it."""
    return len((_module_of(model).__doc__ or "").strip().splitlines()) > 1


def _figures(model: Model) -> str:
    made = figures_of(model.name)
    if not made:
        return "## Figures\n\nNo run of this model is committed.\n"
    rows = [
        (
            DATA_TITLES[each.data] + " ¹" * (model.budget(each.data) < 1),
            each.published or NOTHING,
            *(mean_and_sd(each, name) for name in ("validated", "best_test", "last")),
            str(each.seeds or NOTHING),
            NOTHING if each.seconds is None else duration(each.seconds),
        )
        for each in made
    ]
    header = ("Data set", "Published", "`validated`", "`best_test`", "`last`", "Seeds", "Training")
    tables = sorted({each.table for each in made})
    links = " and ".join(f"[{Path(name).stem}](../reports/{name})" for name in tables)
    sources: dict[str, list[str]] = {}
    for each in made:
        sources.setdefault(each.source, []).append(DATA_TITLES[each.data])
    notes = [
        f"{enumeration(where)}: {markdown(source)}" for source, where in sources.items() if source
    ]
    short = sorted({model.budget(each.data) for each in made} - {1.0})
    budgets = " and ".join(f"{100 * share:g} %" for share in short)
    return (
        "## Figures\n\n"
        "Test RMSE, mean ± sample standard deviation over seeds. "
        "[protocols.md](../docs/protocols.md) says how each protocol chooses the epoch: "
        "`validated` by held-out training ratings, `best_test` by the test set, as published "
        "figures often do.\n\n"
        f"{markdown_table(header, rows, left=1)}\n"
        + f"From {links}."
        + f" Published: {'; '.join(notes)}." * bool(notes)
        + f"\n\n¹ Trained under a budget, {budgets} of the official updates." * bool(short)
        + "\n"
    )


def mean_and_sd(figures: Figures | None, protocol: str) -> str:
    """`.8908 ± .0011`, as the tables in `reports/` write it."""
    mean = figures.means.get(protocol) if figures else None
    if figures is None or mean is None:
        return NOTHING
    deviation = figures.deviations.get(protocol)
    return rmse(mean) + (f" ± {rmse(deviation)}" if deviation is not None else "")


def _use(model: Model) -> str:
    data = next((name for name in DATA_TITLES if name in model.settings), SHOWN[0])
    own = ", ".join(f"{name}={value!r}" for name, value in model.changed.items())
    plain = model.python_name.startswith("glocalk.") and model.python_name.count(".") == 1
    by_class = f"model = {model.python_name}({own})  # options are keywords\n" if plain else ""
    side = ", side=split.side" * bool(model.completer(model.config).needs)
    return f"""## How to use it

```sh
glocalk train model={model.name} data={data}
glocalk train model={model.name} --help
```

```python
import glocalk

{by_class}split = glocalk.load_split("{data}")
model = glocalk.make_completer("{model.name}", data="{data}")  # its options for this data set
model.fit(split.train{side}, seed=0)
print(glocalk.evaluate(model, split))
```

{example(model.completer.__doc__ or "")}"""


def _module(model: Model) -> str:
    """The docstring of the module: where it has equations, the source and the differences."""
    module = _module_of(model)
    path = Path(module.__file__ or "").resolve().relative_to(ROOT)
    link = f"[{path}](../{path})\n"
    if not _has_equations(model):
        return f"## Source code\n\n{link}"
    text = as_markdown(module.__doc__ or "")
    title = "Equations, source and differences"
    return f"## {title}\n\n{text}\n{_about(model)[1]}\n{link}"


def _options(model: Model) -> str:
    return (
        "## Options\n\n"
        f"Defaults are those of `model={model.name}`. On the command line an option is "
        "`model.NAME=VALUE`; in Python nested options are dicts.\n\n"
        f"{options_table(model.config)}"
    )


def _hyperparameters(model: Model) -> str:
    if not model.settings:
        return ""
    files = "\n".join(
        f"### {DATA_TITLES[data]}\n\n{_file(path)}" for data, path in model.settings.items()
    )
    return (
        "## Hyperparameters of each data set\n\n"
        "Used where the data set is chosen; each file says where they come from and what a "
        f"training costs.\n\n{files}"
    )


def _search(model: Model) -> str:
    if model.search is None:
        return ""
    files = [_file(model.search)]
    files += [
        f"On {DATA_TITLES[data]}:\n\n{_file(path)}" for data, path in model.searches_on.items()
    ]
    return f"## Search space\n\nWhat `glocalk tune model={model.name}` tries.\n\n" + "\n".join(
        files
    )


def _file(path: Path) -> str:
    name = path.relative_to(ROOT)
    text = path.read_text(encoding="utf-8").removeprefix("# @package _global_\n").rstrip()
    return f"[{name}](../{name})\n\n```yaml\n{text}\n```\n"
