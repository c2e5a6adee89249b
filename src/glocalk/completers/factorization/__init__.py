"""Matrix factorizations: biased MF, SVD++, Soft-Impute, Bayesian MF, and what they share."""
