"""Why a training of GLocal-K stands still: the loss around the place where it does.

The training is that of `glocalk train`, up to the first epoch of fine-tuning that decreases the
loss by less than a millionth. From the parameters x found there, with gradient g, the loss is
evaluated

- along −g, along its part that belongs to the item kernels, and along the rest;
- as a function of the tap of the global kernel that is nearest to 0, all else fixed;
- after one more epoch, of all parameters and with the item kernels held.
"""

from __future__ import annotations

import copy
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from glocalk.completers.autoencoders.glocal_k import FineTuning, GLocalK, GLocalKNetwork
from glocalk.completers.autoencoders.layers import encode
from glocalk.completers.registry import build_completer
from glocalk.data.sources import build_source
from glocalk.errors import GlocalkError
from glocalk.operators.base import RatingOperator
from glocalk.records.benchmark import Line, Stall
from glocalk.run.config import RunConfig
from glocalk.training.context import FitContext
from glocalk.training.data import FullBatch

_STEPS = [float(step) for step in np.logspace(-8, 0, 17)]
_SIDES = [float(value) for value in np.logspace(-6, 0, 13)]
_NEAR = 1e-4  # from 0, where both slopes along the tap are taken
_PRECISIONS = {"single": torch.float32, "double": torch.float64}


class _Ending(FineTuning):
    """Ends after the first epoch that makes no progress."""

    def training_step(self, batch: RatingOperator, batch_idx: int) -> None:
        super().training_step(batch, batch_idx)
        self.trainer.should_stop = not self.progressed


class _Standing(GLocalK):
    """GLocal-K up to the first epoch of fine-tuning that makes no progress."""

    ending: _Ending | None = None
    data: FullBatch | None = None

    def _finetuning(
        self, network: GLocalKNetwork, data: FullBatch, context: FitContext
    ) -> tuple[FineTuning, FullBatch]:
        del context
        self.ending, self.data = _Ending(network, self.config.finetune.iterations), data
        return self.ending, data


def measure_stall(config: RunConfig) -> Stall:
    """Train until the loss stands still, and measure it there.

    Raises:
        GlocalkError: every epoch of fine-tuning makes progress.
    """
    built = build_completer(config.model)
    train = build_source(config.data).split(config.data_dir).train
    completer = _Standing(built.config)
    context = FitContext(seed=config.seed, trainer=config.trainer.options)
    completer.fit(train, context=context)
    if completer.ending is None or completer.data is None or completer.ending.progressed:
        raise GlocalkError(
            f"{config.data_name} {config.model_name} seed {config.seed} does not stand still: "
            "every epoch of fine-tuning decreases the loss. Choose another seed."
        )
    return stall_at(completer.ending.network, completer.data, config.data_name, config.seed)


def stall_at(network: GLocalKNetwork, data: FullBatch, data_name: str, seed: int) -> Stall:
    """The loss around the parameters of `network`."""
    lines = [
        line
        for precision, dtype in _PRECISIONS.items()
        for line in _lines(copy.deepcopy(network).to(dtype), data, precision)
    ]
    double = copy.deepcopy(network).double()
    kernels = _kernels(double, data)
    flat = kernels[0].flatten()
    tap = int(flat.abs().argmin())
    values = sorted([-value for value in _SIDES] + [0.0, flat[tap].item()] + _SIDES)
    at_tap = [_at_tap(double, data, kernels, tap, value)[0] for value in values]
    _, slope_below, live_below = _at_tap(double, data, kernels, tap, -_NEAR)
    _, slope_above, live_above = _at_tap(double, data, kernels, tap, _NEAR)
    loss = FineTuning(network, 1).loss(data.operator(network)).item()
    cells = data.train.num_users * data.train.num_items
    return Stall(
        data=data_name,
        seed=seed,
        loss=loss,
        taps=flat.tolist(),
        lines=lines,
        tap=tap,
        tap_values=values,
        tap_changes=[value - at_tap[values.index(flat[tap].item())] for value in at_tap],
        slope_below=slope_below,
        slope_above=slope_above,
        cells_above=round((live_above - live_below) * cells),
        change_of_all=_after_epoch(network, data, network_part="all") - loss,
        change_of_rest=_after_epoch(network, data, network_part="rest") - loss,
    )


def _lines(network: GLocalKNetwork, data: FullBatch, precision: str) -> list[Line]:
    """The loss along −g, and along the two parts of it."""
    stage, ratings = FineTuning(network, 1), data.operator(network)
    before = stage.loss(ratings)
    before.backward()  # type: ignore[no-untyped-call]
    gradients = {name: cast(Tensor, p.grad).clone() for name, p in network.named_parameters()}
    start = {name: p.detach().clone() for name, p in network.named_parameters()}
    parts = {
        "all": list(gradients),
        "item_kernels": [name for name in gradients if name.startswith("item_kernels")],
        "rest": [name for name in gradients if not name.startswith("item_kernels")],
    }
    lines = []
    for part, names in parts.items():
        changes = []
        for step in _STEPS:
            with torch.no_grad():
                for name, parameter in network.named_parameters():
                    along = gradients[name] if name in names else torch.zeros(())
                    parameter.copy_(start[name] - step * along)
                changes.append(stage.loss(ratings).item() - before.item())
        slope = -sum(gradients[name].double().square().sum().item() for name in names)
        lines.append(
            Line(part=part, precision=precision, slope=slope, steps=_STEPS, changes=changes)
        )
    return lines


@torch.no_grad()
def _kernels(network: GLocalKNetwork, data: FullBatch) -> list[Tensor]:
    layers, _ = network.effective()
    return network.global_kernels(data.operator(network), layers)


def _at_tap(
    network: GLocalKNetwork, data: FullBatch, kernels: list[Tensor], tap: int, value: float
) -> tuple[float, float, float]:
    """Loss without penalty, its slope along the tap, and the live share, at a value of the tap."""
    ratings = data.operator(network)
    first = kernels[0].clone()
    first.view(-1)[tap] = value
    first.requires_grad_()
    moved = [first, *kernels[1:]]
    layers, _ = network.effective()
    hidden = encode(ratings.convolved_product(moved, layers[0].weight), layers)
    error = ratings.half_squared_error(hidden, *layers[-1])
    (gradient,) = torch.autograd.grad(error, first)
    live, _ = ratings.live_shares([kernel.detach() for kernel in moved])
    return error.item(), gradient.view(-1)[tap].item(), live


def _after_epoch(network: GLocalKNetwork, data: FullBatch, network_part: str) -> float:
    """The loss after one more epoch of a part of a copy of the network."""
    moved = copy.deepcopy(network)
    stage = FineTuning(moved, network.config.finetune.iterations)
    ratings = data.operator(moved)
    part: nn.Module = moved.autoencoder if network_part == "rest" else moved
    optimizer = stage.make_optimizer(part)

    def closure() -> Tensor:
        moved.zero_grad()
        loss = stage.loss(ratings)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    with torch.no_grad():
        return stage.loss(ratings).item()
