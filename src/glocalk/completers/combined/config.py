"""The options of a combination: its members, as options of theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import Field

from glocalk.completers.base import Completer, class_name
from glocalk.completers.registry import build_completer
from glocalk.config import BaseConfig, did_you_mean
from glocalk.errors import GlocalkError
from glocalk.names import Name, snake_case

SETTINGS_FROM = "_settings_from_"
"""Where a member's hyperparameters come from: a label of its run, and no option."""

_ABOUT = ("_target_", SETTINGS_FROM)


def _plain(member: Completer) -> dict[str, Any]:
    """A member as its class and all options."""
    return {"_target_": class_name(type(member)), **member.config.model_dump(mode="json")}


def _default_members() -> dict[str, dict[str, Any]]:
    """Members that train in seconds on 100,000 ratings, of three kinds."""
    targets = {"bias": "glocalk.Bias", "item_knn": "glocalk.ItemKNN", "bias_mf": "glocalk.BiasMF"}
    built = {name: build_completer({"_target_": target}) for name, target in targets.items()}
    return {name: _plain(member) for name, member in built.items()}


class CombinedConfig(BaseConfig):
    """Options of every combination.

    `check` takes members in several forms, and makes one of them: by name, the class as `_target_`
    and every option.

    - a list of completers, as in `[glocalk.Bias(), glocalk.GLocalK(hidden_size=300)]`, whose names
      are those of their classes;
    - completers by name;
    - `_target_` and options by name, or a list of them. A name that is among the defaults may lack
      its class.
    """

    members: dict[Name, dict[str, Any]] = Field(
        default_factory=_default_members,
        min_length=1,
        description="completers that are combined, by name; one that conf/model has may be named "
        "alone, as in members=[bias,item_knn]",
    )

    @classmethod
    def check(cls, options: Mapping[str, Any], where: str) -> Self:
        """The config, as `BaseConfig.check`; a member's errors name the member's option."""
        if "members" not in options:
            return super().check(options, where)
        prefix = f"{where}.members" if where else "members"
        members = {
            name: _plain(_built(name, member, f"{prefix}.{name}"))
            for name, member in _named(options["members"], prefix).items()
        }
        return super().check({**options, "members": members}, where)

    def built(self) -> dict[str, Completer]:
        """The members by name, unfitted."""
        return {name: build_completer(options) for name, options in self.members.items()}

    def identifying_options(self) -> dict[str, Any]:
        """As of every config, with names and options of the members, and no class path."""
        options = super().identifying_options()
        members = self.built().items()
        options["members"] = {name: one.config.identifying_options() for name, one in members}
        return options


def _named(members: Any, where: str) -> dict[str, Any]:
    """The members by name; those of a list are named after their classes."""
    if isinstance(members, Mapping):
        return dict(members)
    if isinstance(members, str | Completer) or not isinstance(members, Iterable):
        of_names = where.startswith("model.")  # on the command line
        example = "[bias,item_knn]" if of_names else "[glocalk.Bias(), glocalk.ItemKNN()]"
        raise GlocalkError(
            f"Option '{where}' is a list of completers, as in {example}, not {members!r}."
        )
    named: dict[str, Any] = {}
    counts: Counter[str] = Counter()
    for member in members:
        name = _name_of(member, where)
        counts[name] += 1
        named[name if counts[name] == 1 else f"{name}_{counts[name]}"] = member
    return named


def _name_of(member: Any, where: str) -> str:
    if isinstance(member, Completer):
        cls = type(member).__name__
    elif isinstance(member, Mapping) and isinstance(member.get("_target_"), str):
        cls = member["_target_"].rpartition(".")[2]
    else:
        raise GlocalkError(
            f"Option '{where}' is a list of completers, and {member!r} is none: make one, as in "
            "glocalk.Bias() or glocalk.make_completer('bias', data='ml_100k')."
        )
    return snake_case(cls)


def _built(name: str, member: Any, where: str) -> Completer:
    """The member, unfitted.

    Raises:
        GlocalkError: an unknown class or option, an invalid value, or a combination.
    """
    if not isinstance(member, Mapping | Completer):
        raise GlocalkError(f"Option '{where}' is a completer or its options, not {member!r}.")
    if isinstance(member, Mapping):
        options = {str(key): value for key, value in member.items() if key != SETTINGS_FROM}
        about = [key for key in options if key.startswith("_") and key not in _ABOUT]
        if about:
            raise GlocalkError(
                f"Unknown option '{where}.{about[0]}': {did_you_mean(about[0], _ABOUT)}"
            )
        if "_target_" not in options and name in (default := _default_members()):
            options["_target_"] = default[name]["_target_"]
    built = member if isinstance(member, Completer) else build_completer(options, where)
    if isinstance(built.config, CombinedConfig):
        raise GlocalkError(
            f"Option '{where}' names a combination: name its members instead, each once."
        )
    return built
