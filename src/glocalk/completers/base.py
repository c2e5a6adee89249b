"""The contract of every completer: fit on ratings, predict for pairs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
import torch
from torch import Tensor

import glocalk.threads  # noqa: F401 (a forked process must use one thread)
from glocalk.completers import PUBLIC
from glocalk.completers.budget import BudgetConfig
from glocalk.completers.configured import Configured
from glocalk.data.labels import Kind
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.data.side.encode import FeatureConfig
from glocalk.data.side.information import Need, SideInformation
from glocalk.errors import GlocalkError, one_line
from glocalk.inference.model_file import ModelFile
from glocalk.inference.predictor import Predictor
from glocalk.inference.trained_on import TrainedOn
from glocalk.training.context import FitContext

if TYPE_CHECKING:  # the module imports Lightning, which many completers do without
    from glocalk.training.shared import SharedStage

_WHOLE = (torch.int32, torch.int64)
_FLOATS = (torch.float32, torch.float64)
_LARGEST = 1e100  # products of three stay finite

OfficialRule = Literal["best_test", "validated", "last", "settled"]
"""A protocol, or `settled`: see `glocalk.run.protocols.settled_epoch`."""

State: TypeAlias = Mapping[str, Tensor]
"""What a fitted completer predicts from: tensors by name; reading them executes nothing."""


class Completer(Configured, Predictor):
    """Predicts missing ratings from the observed ones.

    Users call `fit`, `predict`, `top`, `fold_in` and `save`, which take the ids of the data. A new
    completer is a subclass with a `Config` and the methods `fit_matrix`, `predict_pairs`, `state`,
    `restore` and `num_parameters`, which take indices, and `fold_in_matrix` where `folds_in` is not
    empty. A `conf/model/*.yaml` makes it an option `model=` for tests, tables and sweeps.

    Args:
        config: the options as an instance of `Config`, instead of keywords.
        **options: the options of `Config`; those left out have their defaults.

    Raises:
        GlocalkError: an unknown option or an invalid value.
    """

    model_version: int = 1
    """Raised if a change may alter the numbers, so that old records are not mixed with new ones."""

    official: ClassVar[OfficialRule] = "last"
    """The rule by which the model's own code picks the figure it reports."""

    has_epochs: ClassVar[bool] = True
    """Whether the training has epochs; without them, all protocols give the same result."""

    deterministic: ClassVar[bool] = False
    """Whether the result does not depend on the seed."""

    uses_trainer: bool = False
    """Whether it trains with a `lightning.Trainer`, on the device that `trainer=` asks for; the
    others compute on the CPU."""

    @property
    def schedule(self) -> dict[str, int]:
        """Number of epochs of each stage, in order; empty without epochs."""
        return {}

    @property
    def shared_stage(self) -> SharedStage | None:
        """The first stage, if trainings that differ only afterwards can take over its epochs."""
        return None

    @property
    def budget(self) -> float:
        """Share of the official updates that `schedule` makes; 1 is all of them."""
        return self.config.share if isinstance(self.config, BudgetConfig) else 1.0

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it needs beside the ratings; nothing by default."""
        return ()

    @property
    def attributes(self) -> tuple[tuple[Kind, str], ...]:
        """Kind and name of each attribute that its options name.

        They are those of the options `user_features` and `item_features`, where it has them.
        """
        kinds: tuple[Kind, ...] = ("user", "item")
        return tuple(
            (kind, feature.attribute)
            for kind in kinds
            for feature in getattr(self.config, f"{kind}_features", None) or ()
            if isinstance(feature, FeatureConfig)
        )

    def fit(
        self,
        train: RatingMatrix,
        *,
        seed: int = 0,
        side: SideInformation | None = None,
        context: FitContext | None = None,
    ) -> Self:
        """Train on `train`.

        Args:
            train: the training ratings. With ids (`Ratings`, the parts of a `Split`), `predict`
                and `top` take these ids; without, they take indices.
            seed: seed of every random choice.
            side: what is known of users and items beside the ratings, as in `split.side`; a
                completer that needs none ignores it.
            context: observer, checkpoints and Trainer options, in place of `seed` and `side`; a
                plain training needs none.

        Returns:
            The completer itself.

        Raises:
            GlocalkError: the ratings are unfit for the model, side information that it needs is
                missing, or the training diverges.
        """
        if not isinstance(train, RatingMatrix):
            raise GlocalkError(
                f"A completer is fitted on ratings, not on {type(train).__name__}: make them with "
                "glocalk.Ratings.from_frame or from_arrays, or take split.train."
            )
        if context is None:
            context = FitContext(seed=seed, side=side or SideInformation())
        _check_seed(context.seed)
        context.side.check(self.needs, train.shape, type(self).__name__)
        self._forget()
        try:
            self.fit_matrix(train, context)
        except BaseException:
            self._forget()  # a failed fit must not leave a mixed state
            raise
        self.trained_on = TrainedOn.of(train)
        return self

    def unfitted(self) -> Self:
        """A completer with the same options that is not fitted."""
        unfitted = type(self)(self.config)
        unfitted.clip = self.clip
        return unfitted

    def _forget(self) -> None:
        """Become unfitted: lose what a fit or a restored file has set."""
        self.__dict__ = self.unfitted().__dict__

    def save(self, path: str | Path) -> None:
        """Write the fitted completer to a file that `glocalk.load` reads.

        Raises:
            NotFittedError: it is not fitted.
            GlocalkError: the file cannot be written, or a class outside glocalk has a state that
            could not be read again.
        """
        trained_on = self._require(self.trained_on)
        state = _checked_state(self)
        _check_restore(self, state, (len(trained_on.ids.users), len(trained_on.ids.items)))
        ModelFile.of(
            trained_on,
            state,
            class_name=class_name(type(self)),
            options=self.config.model_dump(),
            model_version=self.model_version,
            clip=self.clip,
        ).write(Path(path))

    @abstractmethod
    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        """Train on the indices and ratings of `train`.

        Args:
            train: the training ratings.
            context: seed, observer and where checkpoints go. A completer with epochs tells the
                observer of each; `run_stage` does it for a LightningModule.
        """

    @abstractmethod
    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        """Predicted rating of each pair (users[k], items[k]), not clipped to the scale.

        Defined for every user and item of the training matrix's shape. Those without training
        ratings have a prediction too, no worse than the mean of the training ratings; the class
        says which.

        Args:
            users: [pairs] user indices.
            items: [pairs] item indices.

        Returns:
            [pairs] predictions.
        """

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        """Predicted rating of each of `users` for each of `items`, as `predict_pairs` gives it.

        Args:
            users: [u] user indices.
            items: [i] item indices.

        Returns:
            [u, i] predictions, not clipped.
        """
        pairs = np.repeat(users, len(items)), np.tile(items, len(users))
        predicted = np.asarray(self.predict_pairs(*pairs))
        # Another number of predictions is refused where they are asked for.
        is_whole = predicted.shape == pairs[0].shape
        return predicted.reshape(len(users), len(items)) if is_whole else predicted

    @abstractmethod
    def state(self) -> State:
        """Everything that `predict_pairs` and `num_parameters` need of the fit, for `restore`.

        Raises:
            NotFittedError: the completer is not fitted.
        """

    @abstractmethod
    def restore(self, state: State, shape: tuple[int, int]) -> None:
        """Become the fitted completer of the same `Config` that returned `state`.

        Args:
            state: what its `state` returned, on the CPU.
            shape: (users, items) of its training matrix.

        Raises:
            GlocalkError: the state does not fit, see `take`.
        """

    @property
    @abstractmethod
    def num_parameters(self) -> int:
        """Number of trained parameters."""


def _check_seed(seed: Any) -> None:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise GlocalkError(f"The seed must be a whole number from 0 to 2⁶³ − 1, not {seed!r}.")


def _checked_state(completer: Completer) -> State:
    """The state of a completer, if it is one; a class outside glocalk may return anything."""
    state = completer.state()
    named = isinstance(state, Mapping) and all(isinstance(name, str) for name in state)
    if not (named and all(isinstance(part, Tensor) for part in state.values())):
        raise GlocalkError(
            f"{type(completer).__name__}.state() does not return tensors by name, so the model "
            "cannot be saved: turn each part into a torch.Tensor, or keep no model of its runs "
            "(save_model=false)."
        )
    for name, part in state.items():
        if part.dtype not in (*_WHOLE, *_FLOATS) or part.layout is not torch.strided:
            kind = "sparse" if part.layout is not torch.strided else str(part.dtype)[6:]
            raise GlocalkError(
                f"{type(completer).__name__}.state() has '{name}' as {kind}, which a model file "
                "does not hold: make it a dense tensor of float32, float64, int32 or int64, or "
                "keep no model of its runs (save_model=false)."
            )
    return state


def _check_restore(completer: Completer, state: State, shape: tuple[int, int]) -> None:
    """Refuse to save what a class outside glocalk could not read again."""
    cls = type(completer)
    if cls.__module__.startswith("glocalk."):
        return
    try:
        completer.unfitted().restore(state, shape)
    except Exception as error:
        raise GlocalkError(
            f"{cls.__name__}.restore() does not take what its state() returned "
            f"({one_line(error).rstrip('.')}), so the model could not be loaded: let state() "
            "return all that restore() reads, or keep no model of its runs (save_model=false)."
        ) from error


def class_name(cls: type[Completer]) -> str:
    """The importable name of a class: `glocalk.GLocalK`, `package.Class`."""
    if PUBLIC.get(cls.__name__) == cls.__module__:
        return f"glocalk.{cls.__name__}"
    return f"{cls.__module__}.{cls.__qualname__}"


class PartOfState(Mapping[str, Tensor]):
    """The tensors of a state whose names begin with `prefix`, under the rest of their names.

    Args:
        state: the state.
        prefix: what the names begin with; errors of `take` name the whole.
    """

    def __init__(self, state: State, prefix: str) -> None:
        self.prefix = prefix
        self._parts = {
            name.removeprefix(prefix): part
            for name, part in state.items()
            if name.startswith(prefix)
        }

    def __getitem__(self, name: str) -> Tensor:
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


def take(state: State, name: str, shape: tuple[int, ...], *, whole: bool = False) -> Tensor:
    """One tensor of a state that comes from outside.

    Args:
        state: the state.
        name: its name there.
        shape: its shape.
        whole: whether it holds whole numbers, and not floats.

    Raises:
        GlocalkError: it is missing, of another type or shape, not finite, or too large.
    """
    shown = f"{state.prefix}{name}" if isinstance(state, PartOfState) else name
    if name not in state:
        raise GlocalkError(f"The saved state has no '{shown}'.")
    tensor = state[name]
    if tensor.dtype not in (_WHOLE if whole else _FLOATS):
        raise GlocalkError(
            f"The saved '{shown}' holds {str(tensor.dtype).removeprefix('torch.')}, not "
            f"{'whole numbers' if whole else 'float32 or float64'}."
        )
    if tensor.shape != shape:
        raise GlocalkError(f"The saved '{shown}' has shape {tuple(tensor.shape)}, not {shape}.")
    if not (tensor.abs() <= _LARGEST).all():  # NaN is not
        raise GlocalkError(f"The saved '{shown}' is not finite, or too large to compute with.")
    return tensor


def refuse_mixed(parts: Iterable[Tensor]) -> None:
    """Refuse tensors of a state that cannot be multiplied with one another.

    Raises:
        GlocalkError: some are in single precision and others in double precision.
    """
    if len({part.dtype for part in parts}) > 1:
        raise GlocalkError("The saved state mixes float32 and float64.")
