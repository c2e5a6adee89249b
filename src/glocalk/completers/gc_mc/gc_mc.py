"""GC-MC: graph convolutional matrix completion, without side information.

van den Berg, Kipf, Welling, KDD Deep Learning Day 2018, arXiv 1706.02263; official code
`riannevdberg/gc-mc` (TensorFlow 1). A graph auto-encoder: users and items exchange messages along
the ratings, with an edge type for each rating level r = 1 … R, and a decoder turns the messages
that a user and an item received into a distribution over the levels. With nodes as one-hot
vectors, embeddings W [nodes, R, width] and N(·) the neighbors by ratings of any level,

    hᵤ = ReLU( ∥_r Σ_{i ∈ N_r(u)} W_{i,r} / c )              stack: width = hidden / R
    hᵤ = ReLU( Σ_r Σ_{i ∈ N_r(u)} Σ_{s ≤ r} W_{i,s} / c )    sum: width = hidden, ordinal sharing
    c = |N(u)|  (left)   or   √(|N(u)| |N(i)|)  (symmetric)
    zᵤ = D hᵤ;   hᵢ and zᵢ likewise, left: c = |N(i)|, with the same D
    p(r | u, i) = softmax_r Σ_b a_{b,r} zᵤᵀ Q_b zᵢ
    r̂ᵤᵢ = Σ_r p(r | u, i) · level_r,    loss = mean over ratings of −log p(rᵤᵢ | u, i)

trained full-batch by Adam. Details of the official code, without which a port is far off
(`tanimutomo/gcmc` stops at .98 on ML-100K):

- Dropout (0.7) is applied twice: to whole nodes, with the same choice for all levels, and to the
  entries of h. Both scale up the rest by 1 / 0.3 and are off in prediction.
- D is shared by users and items and has neither bias nor activation. No other part has a bias
  either, and there is no batch normalization. Only `sum` shares weights between levels.
- c counts the neighbors over all levels, not those of one.
- Initial values: W and a by Glorot, where W's inputs are users and items together and its outputs
  all of `hidden`; Q orthogonal, times 1.1.
- Predictions come from averaged weights w̄ ← d w̄ + (1 − d) w that start at the initial weights.
  TensorFlow lets d grow, d = min(.995, (1 + t) / (10 + t)) after update t: .995 is reached after
  1,790 updates, and an average with .995 throughout would be 37 % initial weights on Douban.
- TensorFlow's Adam adds ε = 1e-8 before it corrects the bias of the second moment. In the usual
  form this is ε / √(1 − .999ᵗ): 3e-7 at first, above the gradients of items with few ratings.

The official code reports the error after the last update.

An epoch is `steps` updates, after which the averaged model is evaluated; the official code calls
each update an epoch. Cost and memory of an update grow with ratings × hidden and nodes × width × R.
"""

from __future__ import annotations

from itertools import repeat

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from glocalk.completers.blocks.bilinear import BilinearCompleter, BilinearMixture, BilinearOutput
from glocalk.completers.blocks.rated import rated
from glocalk.completers.blocks.rating_graph import Accumulation, Normalization, RatingGraph
from glocalk.completers.gc_mc.layers import (
    DenseMaker,
    GCMCNetwork,
    GraphConvolution,
    SharedDense,
)
from glocalk.completers.stepwise import (
    MOST_LEVELS,
    AveragedModule,
    EpochLoader,
    dtype_of,
    refuse_levels,
)
from glocalk.config import BaseConfig
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.optim.averaging import AveragedNetwork
from glocalk.training.context import FitContext

_ORTHOGONAL_SCALE = 1.1  # of the decoder's initial bases, in the official code


class GCMCConfig(BaseConfig):
    """Options of GC-MC; the defaults are those published for ML-100K."""

    hidden_size: int = Field(default=500, ge=1, description="units of the graph convolution")
    embedding_size: int = Field(default=75, ge=1, description="length of z")
    accumulation: Accumulation = Field(
        default="stack", description="how the messages of the rating levels are combined"
    )
    normalization: Normalization = Field(
        default="left", description="c, the divisor of the messages"
    )
    bases: int = Field(default=2, ge=1, description="number of matrices Q of the decoder")
    dropout: float = Field(
        default=0.7, ge=0, lt=1, description="share of nodes, and of hidden units, left out"
    )
    learning_rate: float = Field(default=0.01, gt=0)
    averaging: float = Field(
        default=0.995,
        ge=0,
        lt=1,
        description="highest decay of the averaged weights, which predict",
    )
    epochs: int = Field(default=100, ge=1)
    steps: int = Field(
        default=10,
        ge=1,
        description="full-batch updates per epoch; the official code makes 1000 in all",
    )


class GCMCModule(AveragedModule[GCMCNetwork, BilinearOutput]):
    """Adam on the loss of a network, and the average of its weights.

    Args:
        train: the ratings.
        config: the options.
        generator: source of the initial values.
        dtype: precision of the graph; the Trainer's precision gives that of the network.
        dense: makes the layer from h to z.
    """

    config: GCMCConfig

    def __init__(
        self,
        train: RatingMatrix,
        config: GCMCConfig,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
        dense: DenseMaker = SharedDense,
    ) -> None:
        super().__init__()
        self.config = config
        self.graph = RatingGraph(train, config.accumulation, config.normalization, dtype)
        levels, size = len(self.graph.levels), config.embedding_size
        convolution = GraphConvolution(
            train.shape, levels, config.hidden_size, config.accumulation, generator
        )
        self.network = GCMCNetwork(
            convolution,
            dense(convolution.size, size, generator),
            BilinearMixture(size, config.bases, levels, generator, _ORTHOGONAL_SCALE),
        )
        self.average = AveragedNetwork(self.network, config.averaging, warm_up=True)
        # Of users without training ratings: from the mean of the levels to the mean of the ratings.
        users, _ = rated(train)
        offset = float(train.ratings.mean() - self.graph.levels.mean())
        if self.network.dense.embeds_unrated:
            offset = 0.0
        self._offsets = torch.from_numpy(np.where(users, 0.0, offset))

    def batches(self) -> EpochLoader[RatingGraph]:
        """The batches of an epoch: every step is on all ratings."""
        steps = self.config.steps
        return EpochLoader(lambda: repeat(self.graph, steps), steps)

    def loss(self, batch: RatingGraph) -> Tensor:
        return self.network.loss(batch, self.config.dropout)

    @torch.no_grad()
    def output(self) -> BilinearOutput:
        """What the averaged network predicts from."""
        network = self.average.network
        decoder = network.decoder
        users, items = network.embed(self.graph.to(decoder.bases.device))
        levels = torch.from_numpy(self.graph.levels).to(items)
        return BilinearOutput(
            users @ decoder.bases,
            items,
            decoder.coefficients.detach(),
            levels,
            self._offsets.to(items),
        )


class GCMC(BilinearCompleter):
    """GC-MC: a graph auto-encoder with one edge type for each rating level.

    Predictions are those of the averaged weights.

    Users and items without training ratings receive no messages, so that all levels are equally
    likely. The prediction for an item without training ratings is therefore the mean of the levels,
    in the official code as here. For a user without training ratings, where the official code
    predicts the same, the prediction is the mean of the training ratings.

    Example:
        >>> import glocalk
        >>> ratings = glocalk.Ratings.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0], [5, 3, 4, 1, 2])
        >>> model = glocalk.GCMC(hidden_size=10, embedding_size=4, epochs=2, steps=5)
        >>> model.fit(ratings, seed=0).predict([2, 0], [1, 2]).shape
        (2,)
    """

    Config = GCMCConfig
    official = "last"  # the official code prints the averaged model's error after the last update
    config: GCMCConfig

    @property
    def _form(self) -> tuple[int, int]:
        return self.config.bases, self.config.embedding_size

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        """Train.

        Raises:
            GlocalkError: there are more rating levels than allowed, or no compiled loops for the
                precision.
        """
        config = self.config
        stacked = config.accumulation == "stack"
        refuse_levels(train, "GC-MC", config.hidden_size if stacked else MOST_LEVELS)
        dtype = dtype_of(context, "GC-MC")
        generator = torch.Generator().manual_seed(context.seed)
        dense = self._dense(train, context, dtype)
        module = GCMCModule(train, config, generator, dtype, dense)
        self._train(module, context)

    def _dense(self, train: RatingMatrix, context: FitContext, dtype: torch.dtype) -> DenseMaker:
        """What makes the layer from h to z."""
        del train, context, dtype
        return SharedDense
