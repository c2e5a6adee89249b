"""GRAEM: kernelized matrix factorization on graphs without contested edges."""
