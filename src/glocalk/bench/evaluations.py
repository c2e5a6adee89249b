"""The time of one loss and gradient by the dense formulations and by the sparse one."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from glocalk.bench.literal import literal_loss
from glocalk.bench.process import in_own_process
from glocalk.completers.autoencoders.glocal_k import (
    FineTuning,
    GLocalK,
    GLocalKNetwork,
    PreTraining,
)
from glocalk.completers.registry import build_completer
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.sources import build_source
from glocalk.operators.base import RatingOperator
from glocalk.operators.dense import DenseRatings
from glocalk.operators.formulation import Formulation
from glocalk.records.benchmark import Evaluation
from glocalk.run import provenance
from glocalk.run.config import RunConfig
from glocalk.training.data import FullBatch

FORMULATIONS = ("dense_literal", "dense_matmul", "sparse")
_FORMULATIONS: tuple[Formulation, ...] = ("dense", "sparse")
Module: TypeAlias = PreTraining | FineTuning
STAGES: dict[str, type[Module]] = {"pretrain": PreTraining, "finetune": FineTuning}
Loss: TypeAlias = Callable[[], Tensor]


def measure_evaluations(config: RunConfig, repeats: int) -> list[Evaluation]:
    """Measure both stages on a data set by every formulation, two epochs into each stage.

    Times are taken in this process, where the formulations take turns. Peak memory is taken in a
    process for each.

    Args:
        config: config of a run of GLocal-K.
        repeats: number of evaluations by each formulation.
    """
    train = build_source(config.data).split(config.data_dir).train
    network = _network(config, train)
    operators: dict[str, RatingOperator] = {
        name: FullBatch(train, name).operator(network) for name in _FORMULATIONS
    }
    trained: dict[str, GLocalKNetwork] = {}
    losses: dict[str, dict[str, Loss]] = {}
    errors: dict[str, dict[str, float]] = {}
    live: dict[str, float | None] = {"pretrain": None}
    for stage, kind in STAGES.items():
        module = kind(network, iterations=5)
        _train_two_epochs(module, operators["sparse"])
        if stage == "finetune":
            live[stage] = _live_share(module, operators["sparse"])
        here = trained[stage] = copy.deepcopy(network)
        losses[stage] = {name: _loss(here, stage, name, operators) for name in FORMULATIONS}
        double = copy.deepcopy(network).double()
        dense: dict[str, RatingOperator] = {"dense": FullBatch(train, "dense").operator(double)}
        exact = _gradients(double, _loss(double, stage, "dense_literal", dense))
        errors[stage] = {
            name: _relative_error(_gradients(here, loss), exact)
            for name, loss in losses[stage].items()
        }
    seconds = {stage: _take_turns(trained[stage], losses[stage], repeats) for stage in STAGES}
    return [
        Evaluation(
            data=config.data_name,
            stage=stage,
            formulation=name,
            seconds=seconds[stage][name],
            peak_mb=in_own_process(evaluation_peak_mb, config, stage, name),
            max_rel_grad_error=errors[stage][name],
            live_share=live[stage],
        )
        for stage in STAGES
        for name in FORMULATIONS
    ]


def _take_turns(
    network: GLocalKNetwork, losses: dict[str, Loss], repeats: int
) -> dict[str, list[float]]:
    """Measure the seconds of each repeat, by formulation."""
    seconds: dict[str, list[float]] = {name: [] for name in losses}
    for _ in range(repeats):
        for name, loss in losses.items():
            start = time.perf_counter()
            _gradients(network, loss)
            seconds[name].append(time.perf_counter() - start)
    return seconds


def evaluation_peak_mb(config: RunConfig, stage: str, formulation: str) -> float:
    """Make one evaluation from random weights, and return the peak memory of this process."""
    train = build_source(config.data).split(config.data_dir).train
    network = _network(config, train)
    name: Formulation = "sparse" if formulation == "sparse" else "dense"
    operators: dict[str, RatingOperator] = {name: FullBatch(train, name).operator(network)}
    _gradients(network, _loss(network, stage, formulation, operators))
    return provenance.peak_memory_mb()


def _network(config: RunConfig, train: RatingMatrix) -> GLocalKNetwork:
    completer = build_completer(config.model)
    assert isinstance(completer, GLocalK)
    generator = torch.Generator().manual_seed(config.seed)
    return GLocalKNetwork(train.shape, completer.config, generator)


def _loss(
    network: GLocalKNetwork, stage: str, formulation: str, operators: dict[str, RatingOperator]
) -> Loss:
    if formulation == "dense_literal":
        dense = operators["dense"]
        assert isinstance(dense, DenseRatings)
        return lambda: literal_loss(network, stage, dense.matrix, dense.observed)
    operator = operators["sparse" if formulation == "sparse" else "dense"]
    module = STAGES[stage](network, iterations=5)
    return lambda: module.loss(operator)


def _gradients(network: GLocalKNetwork, loss: Loss) -> list[Tensor]:
    """Gradients with respect to every parameter, zeros where the loss does not use one."""
    network.zero_grad()
    torch.autograd.backward(loss())
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in network.parameters()]


def _relative_error(gradients: list[Tensor], exact: list[Tensor]) -> float:
    """Largest error of a component over the largest component, for the worst parameter."""
    return max(
        ((ours.double() - other).abs().max() / other.abs().max()).item()
        for ours, other in zip(gradients, exact, strict=True)
        if other.abs().max() > 0
    )


def _train_two_epochs(module: Module, operator: RatingOperator) -> None:
    optimizer = module.configure_optimizers()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = module.loss(operator)
        torch.autograd.backward(loss)
        return loss

    for _ in range(2):
        optimizer.step(closure)  # type: ignore[arg-type]


@torch.no_grad()
def _live_share(module: Module, operator: RatingOperator) -> float:
    layers, _ = module.network.effective()
    live, _ = operator.live_shares(module.network.global_kernels(operator, layers))
    return live
