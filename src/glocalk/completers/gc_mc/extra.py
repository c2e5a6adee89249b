"""GC-MC + Extra: GC-MC with features of users and items.

van den Berg, Kipf, Welling, KDD Deep Learning Day 2018, arXiv 1706.02263, section 2.5; official
code `riannevdberg/gc-mc` with `--features`. h, dropout, decoder and training are those of
`gc_mc.py`. With F the features of all users, each row divided by its sum,

    f = ReLU(F W) + b
    z = D [h | f]

and likewise for items, with W, b and D of their own. Details of the official code:

- b is added after the ReLU; the paper has it before. D has no bias and no activation.
- D is not shared by users and items, as it is without features.
- Dropout (0.7) is applied to nodes and to the entries of [h | f], not to F.
- Rows of F without features stay 0: their f is b.
- Initial values: D and W by Glorot, where W's inputs are the features of users and of items
  together, because the official code pads both sides with zeros to a common width; b from a normal
  distribution with deviation .5, cut at two deviations. The rows of W at the padding, which have no
  effect, are left out here.

One deviation: users and items without training ratings receive no messages, and h = 0 is an input
that D was not trained for. Here their h is the mean of the others' h, so that their features lead
away from an average user or item. On ML-100K, with 10 % of the users and 10 % of the items held out
whole from the training ratings, the RMSE is 1.03 for such users and 1.09 for such items; with h = 0
it is 1.23 and 1.17, and that of the training mean 1.14 and 1.12.

The official features are: ML-100K, age / 73, gender, occupation (23 columns), and 18 genres;
Douban, the rows of the users' graph, and the identity for items.
"""

from __future__ import annotations

from functools import partial

import torch
from pydantic import Field

from glocalk.completers.blocks.rated import rated
from glocalk.completers.gc_mc.features import (
    FeatureDense,
    FeatureSource,
    feature_matrix,
    needs_of,
)
from glocalk.completers.gc_mc.gc_mc import GCMC, GCMCConfig
from glocalk.completers.gc_mc.layers import DenseMaker
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.side.information import Need
from glocalk.training.context import FitContext


class GCMCExtraConfig(GCMCConfig):
    """Options of GC-MC + Extra; the sizes are those published for ML-100K."""

    user_features: FeatureSource = Field(
        default="graph", description="encoded attributes, graph (its rows), or identity"
    )
    item_features: FeatureSource = Field(default="graph", description="the same of items")
    feature_size: int = Field(default=10, ge=1, description="length of f")


class GCMCExtra(GCMC):
    """GC-MC + Extra: GC-MC with features of users and items.

    Predictions are those of the averaged weights.

    Users and items without training ratings are predicted from their features; without features,
    as an average user or item.

    Example:
        >>> import glocalk, pandas as pd
        >>> ratings = glocalk.Ratings.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0], [5, 3, 4, 1, 2])
        >>> people = pd.DataFrame({"user": [0, 1, 2], "job": ["cook", "nurse", "cook"]})
        >>> side = glocalk.SideInformation.from_frames(ratings.ids, users=people)
        >>> model = glocalk.GCMCExtra(
        ...     user_features=[{"attribute": "job", "encoding": "one_hot"}],
        ...     item_features="identity",
        ...     hidden_size=10, embedding_size=4, epochs=2, steps=5,
        ... )
        >>> model.fit(ratings, side=side, seed=0).predict([2, 0], [1, 2]).shape
        (2,)
    """

    Config = GCMCExtraConfig
    config: GCMCExtraConfig

    @property
    def needs(self) -> tuple[Need, ...]:
        users, items = self.config.user_features, self.config.item_features
        return (*needs_of("user", users), *needs_of("item", items))

    def _dense(self, train: RatingMatrix, context: FitContext, dtype: torch.dtype) -> DenseMaker:
        users, items = self.config.user_features, self.config.item_features
        features = (
            feature_matrix("user", users, train.num_users, context.side),
            feature_matrix("item", items, train.num_items, context.side),
        )
        size, known = self.config.feature_size, rated(train)
        return partial(FeatureDense, features=features, rated=known, size=size, dtype=dtype)
