"""A package of a user's own, with a completer and a data source."""

from mypackage.completer import MyModel
from mypackage.source import MyData

__all__ = ["MyData", "MyModel"]
