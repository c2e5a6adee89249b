"""Matrix factorizations: biased MF, SVD++, Soft-Impute and Bayesian MF, one file each.

`factors.py` holds the biases and factors that most of them predict from, `loops.py` the compiled
loops of biased MF and SVD++.
"""
