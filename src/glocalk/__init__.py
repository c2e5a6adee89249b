"""GLocal-K and the baselines of its paper, on its splits, under several evaluation protocols.

    import glocalk

    ratings = glocalk.Ratings.from_frame(df)
    model = glocalk.GLocalK(hidden_size=500).fit(ratings, seed=0)
    model.predict(users, items)
    model.top(users, n=10)
    model.save("model.pt")
    glocalk.load("model.pt")

    split = glocalk.load_split("ml_100k")
    model = glocalk.make_completer("glocal_k", data="ml_100k").fit(split.train)
    glocalk.evaluate(model, split)
    glocalk.score(predictions, split, records="reports/records")
    glocalk.compare([glocalk.Bias(), glocalk.GLocalK()], split, seeds=[0, 1])

This module is the public Python API; everything else may move. `dir(glocalk)` lists it. Names are
imported when they are first used, so that `import glocalk` is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from glocalk.caches import use_writable_caches as _use_writable_caches
from glocalk.completers import PUBLIC as _COMPLETERS

if TYPE_CHECKING:
    __version__: str
    from glocalk.api import compare, evaluate, load_split, make_completer, score
    from glocalk.completers.autoencoders.autorec import AutoRec
    from glocalk.completers.autoencoders.glocal_k import GLocalK
    from glocalk.completers.autoencoders.sparse_fc import SparseFC
    from glocalk.completers.base import Completer
    from glocalk.completers.baselines import Bias, GlobalMean
    from glocalk.completers.bayesian_fm.bayesian_fm import BayesianFM
    from glocalk.completers.cf_nade.cf_nade import CFNADE
    from glocalk.completers.combined.ensemble import Ensemble
    from glocalk.completers.combined.stack import Stack
    from glocalk.completers.f_eae.f_eae import FEAE
    from glocalk.completers.factorization.bayesian_mf import BayesianMF
    from glocalk.completers.factorization.bias_mf import BiasMF
    from glocalk.completers.factorization.soft_impute import SoftImpute
    from glocalk.completers.factorization.svd_pp import SVDPlusPlus
    from glocalk.completers.gc_mc.extra import GCMCExtra
    from glocalk.completers.gc_mc.gc_mc import GCMC
    from glocalk.completers.graph_factors.graem import GRAEM
    from glocalk.completers.graph_factors.grals import GRALS
    from glocalk.completers.graphrec.extra import GraphRecExtra
    from glocalk.completers.graphrec.graphrec import GraphRec
    from glocalk.completers.igmc.igmc import IGMC
    from glocalk.completers.imc_gae.imc_gae import IMCGAE
    from glocalk.completers.llorma.llorma import LLORMA
    from glocalk.completers.mg_gat.mg_gat import MGGAT
    from glocalk.completers.neighbors.knn import ItemKNN, UserKNN
    from glocalk.completers.registry import load
    from glocalk.completers.srgcnn.srgcnn import SRGCNN
    from glocalk.data.ratings import Ratings
    from glocalk.data.side.information import SideInformation
    from glocalk.data.splits import Split
    from glocalk.errors import GlocalkError, MissingDataError, NotFittedError

_use_writable_caches()  # before anything imports numba or matplotlib

_PUBLIC = {
    **_COMPLETERS,
    "Completer": "glocalk.completers.base",
    "GlocalkError": "glocalk.errors",
    "MissingDataError": "glocalk.errors",
    "NotFittedError": "glocalk.errors",
    "Ratings": "glocalk.data.ratings",
    "SideInformation": "glocalk.data.side.information",
    "Split": "glocalk.data.splits",
    "compare": "glocalk.api",
    "evaluate": "glocalk.api",
    "load": "glocalk.completers.registry",
    "load_split": "glocalk.api",
    "make_completer": "glocalk.api",
    "score": "glocalk.api",
}

__all__ = [
    "CFNADE",
    "FEAE",
    "GCMC",
    "GRAEM",
    "GRALS",
    "IGMC",
    "IMCGAE",
    "LLORMA",
    "MGGAT",
    "SRGCNN",
    "AutoRec",
    "BayesianFM",
    "BayesianMF",
    "Bias",
    "BiasMF",
    "Completer",
    "Ensemble",
    "GCMCExtra",
    "GLocalK",
    "GlobalMean",
    "GlocalkError",
    "GraphRec",
    "GraphRecExtra",
    "ItemKNN",
    "MissingDataError",
    "NotFittedError",
    "Ratings",
    "SVDPlusPlus",
    "SideInformation",
    "SoftImpute",
    "SparseFC",
    "Split",
    "Stack",
    "UserKNN",
    "compare",
    "evaluate",
    "load",
    "load_split",
    "make_completer",
    "score",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("glocalk")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'glocalk' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
