"""SparseFC: an auto-encoder over items' rating rows, sparsified by kernels.

Muller, Martel, Indiveri, "Kernelized Synaptic Weight Matrices", ICML 2018; official code
`lorenzMuller/kernelNet_MovieLens`. Each layer's weights are multiplied by the local kernel of
its units' vectors u [inputs, dimension] and v [outputs, dimension]:

    x ← sigmoid(x (W ⊙ Ŵ) + b),   Ŵ = max(0, 1 − ‖uᵢ − vⱼ‖²);   the output layer without sigmoid

    loss = ½ Σ_observed (r − p)² + Σ_layers (λ₂ ½ΣW² + λ_s ½ΣŴ²)

GLocal-K took it over as its pre-training, unchanged down to the initial values: see
`KernelStage`. The official code calls SciPy's L-BFGS-B for 50 iterations, 20 times, afresh each
time, and reports the error after the last.
"""

from __future__ import annotations

import numpy as np
import torch

from glocalk.completers.autoencoders.base import AutoEncoderCompleter, Output, StageConfig
from glocalk.completers.autoencoders.kernel_stage import KernelConfig, KernelNetwork, KernelStage
from glocalk.data.ratings import RatingMatrix
from glocalk.training.context import FitContext
from glocalk.training.data import FullBatch


class SparseFCConfig(KernelConfig):
    """Options of SparseFC, with the paper's symbols."""

    train: StageConfig


class SparseFCTraining(KernelStage):
    """The only stage."""

    stage = "train"


class SparseFC(AutoEncoderCompleter):
    """The auto-encoder with local kernels.

    To a user without training ratings it predicts the mean of the training ratings: nothing but
    the penalty has touched that user's output weights, and their bias is a draw around 0.
    """

    Config = SparseFCConfig
    official = "last"  # the official code writes down the error after its last call
    config: SparseFCConfig

    @property
    def schedule(self) -> dict[str, int]:
        return {SparseFCTraining.stage: self.config.train.epochs}

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        generator = torch.Generator().manual_seed(context.seed)
        network = KernelNetwork(train.num_users, self.config, generator)
        self._data = FullBatch(train, self.config.formulation)
        stage = SparseFCTraining(network, self.config.train.iterations)
        self._run(stage, self.config.train, context)

    def _trained_output(self) -> Output:
        train = self._require(self._data).train
        output = super()._trained_output()
        rated = torch.from_numpy(np.bincount(train.users, minlength=train.num_users) > 0)
        return output.with_default(float(train.ratings.mean()), rated.to(output.bias.device))
