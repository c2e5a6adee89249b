"""Classes built from keyword options that their `Config` checks: `GLocalK(hidden_size=500)`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

from glocalk.config import NO_CONFIG, BaseConfig, has_config
from glocalk.errors import GlocalkError


class Configured:
    """Takes its options as keywords, or as an instance of `Config`.

    Args:
        config: the options as an instance of `Config`, instead of keywords.
        **options: the options of `Config`; those left out have their defaults.

    Raises:
        GlocalkError: an unknown option or an invalid value.
    """

    Config: ClassVar[type[BaseConfig]]
    """The options, their bounds and their defaults."""

    def __init__(self, config: BaseConfig | None = None, /, **options: Any) -> None:
        if not has_config(type(self)):
            raise GlocalkError(f"{type(self).__name__} {NO_CONFIG}")
        if config is not None and not isinstance(config, self.Config):
            raise GlocalkError(
                f"{type(self).__name__} takes its options as keywords, not {config!r}: see "
                f"help(glocalk.{type(self).__name__})."
            )
        self.config: Any = config if config is not None else self.Config.check(options, "")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Show the options of `Config` as the signature of the class."""
        super().__init_subclass__(**kwargs)
        if "Config" in cls.__dict__ and has_config(cls):
            cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
                [
                    inspect.Parameter(
                        name,
                        inspect.Parameter.KEYWORD_ONLY,
                        default=inspect.Parameter.empty
                        if field.is_required()
                        else field.get_default(call_default_factory=True),
                        annotation=field.annotation,
                    )
                    for name, field in cls.Config.model_fields.items()
                ]
            )

    def __repr__(self) -> str:
        """The class with the options that differ from its defaults."""
        options = ", ".join(f"{name}={value!r}" for name, value in self._shown().items())
        return f"{type(self).__name__}({options})"

    def _shown(self) -> dict[str, Any]:
        """The options that differ from the defaults of the class."""
        return _changed(self.config.model_dump(), self.Config.defaults())


def _changed(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options that differ from the defaults, nested ones likewise."""
    changed = {}
    for name, value in options.items():
        default = defaults.get(name)
        if name in defaults and value == default:
            continue
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            changed[name] = _changed(value, default)
        else:
            changed[name] = value
    return changed
