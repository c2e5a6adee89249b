"""SparseFC: an auto-encoder over items' rating rows, sparsified by kernels.

Muller, Martel, Indiveri, "Kernelized Synaptic Weight Matrices", ICML 2018; official code
`lorenzMuller/kernelNet_MovieLens`. Each layer's weights are multiplied by the local kernel of
its units' vectors u [inputs, dimension] and v [outputs, dimension]:

    x ← sigmoid(x (W ⊙ Ŵ) + b),   Ŵ = max(0, 1 − ‖uᵢ − vⱼ‖²);   the output layer without sigmoid

    loss = ½ Σ_observed (r − p)² + Σ_layers (λ₂ ½ΣW² + λ_s ½ΣŴ²)

GLocal-K adopted it as its pre-training, with the same initial values: see `KernelStage`. The
official code calls SciPy's L-BFGS-B 20 times, for 50 iterations each and without memory of the
previous call, and reports the error after the last.
"""

from __future__ import annotations

import torch

from glocalk.completers.autoencoders.base import AutoEncoderCompleter
from glocalk.completers.autoencoders.kernel_stage import KernelConfig, KernelNetwork, KernelStage
from glocalk.completers.autoencoders.stage import StageConfig
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.training.context import FitContext


class SparseFCConfig(KernelConfig):
    """Options of SparseFC, in the paper's notation; the defaults are for MovieLens 100K."""

    train: StageConfig = StageConfig(epochs=90, iterations=5)


class SparseFCTraining(KernelStage):
    """The only stage."""

    stage = "train"


class SparseFC(AutoEncoderCompleter):
    """SparseFC: an auto-encoder over items' rating rows whose weights are multiplied by kernels.

    The module's docstring has the equations; `SparseFCConfig` has the options.

    An item without training ratings is a row of zeros like any other row. For a user without
    training ratings, the prediction is the mean of the training ratings.

    Example:
        >>> import glocalk
        >>> ratings = glocalk.Ratings.from_arrays(
        ...     ["ann", "ann", "bob", "bob", "eve"], ["x", "y", "x", "z", "y"], [5, 3, 4, 2, 1]
        ... )
        >>> model = glocalk.SparseFC(hidden_size=10, train={"epochs": 2})
        >>> model.fit(ratings, seed=0).predict(["ann"], ["z"]).shape
        (1,)
    """

    Config = SparseFCConfig
    official = "last"  # the official code reports the error after its last call
    config: SparseFCConfig

    @property
    def schedule(self) -> dict[str, int]:
        return {SparseFCTraining.stage: self.config.train.epochs}

    @property
    def _hidden_layers(self) -> int:
        return self.config.hidden_layers

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        generator = torch.Generator().manual_seed(context.seed)
        network = KernelNetwork(train.num_users, self.config, generator)
        stage = SparseFCTraining(network, self.config.train.iterations)
        data = self._batch(train)
        self._run(stage, self.config.train, data, context)
