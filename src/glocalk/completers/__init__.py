"""Completers: one folder, a room, for each family of models; `base.py` has the contract.

`blocks/` is no room: it has the building blocks that several rooms use. The files are base classes,
the registry, and `baselines.py`, the models that others may take their baseline from.

`PUBLIC` names the classes that are part of the Python API as `glocalk.<name>`, and the module that
each lies in. Nothing is imported before it is used.
"""

PUBLIC = {
    "AutoRec": "glocalk.completers.autoencoders.autorec",
    "BayesianFM": "glocalk.completers.bayesian_fm.bayesian_fm",
    "BayesianMF": "glocalk.completers.factorization.bayesian_mf",
    "Bias": "glocalk.completers.baselines",
    "BiasMF": "glocalk.completers.factorization.bias_mf",
    "CFNADE": "glocalk.completers.cf_nade.cf_nade",
    "Ensemble": "glocalk.completers.combined.ensemble",
    "FEAE": "glocalk.completers.f_eae.f_eae",
    "GCMC": "glocalk.completers.gc_mc.gc_mc",
    "GCMCExtra": "glocalk.completers.gc_mc.extra",
    "GLocalK": "glocalk.completers.autoencoders.glocal_k",
    "GRAEM": "glocalk.completers.graph_factors.graem",
    "GRALS": "glocalk.completers.graph_factors.grals",
    "GlobalMean": "glocalk.completers.baselines",
    "GraphRec": "glocalk.completers.graphrec.graphrec",
    "GraphRecExtra": "glocalk.completers.graphrec.extra",
    "IGMC": "glocalk.completers.igmc.igmc",
    "IMCGAE": "glocalk.completers.imc_gae.imc_gae",
    "ItemKNN": "glocalk.completers.neighbors.knn",
    "LLORMA": "glocalk.completers.llorma.llorma",
    "MGGAT": "glocalk.completers.mg_gat.mg_gat",
    "SRGCNN": "glocalk.completers.srgcnn.srgcnn",
    "SVDPlusPlus": "glocalk.completers.factorization.svd_pp",
    "SoftImpute": "glocalk.completers.factorization.soft_impute",
    "SparseFC": "glocalk.completers.autoencoders.sparse_fc",
    "Stack": "glocalk.completers.combined.stack",
    "UserKNN": "glocalk.completers.neighbors.knn",
}
