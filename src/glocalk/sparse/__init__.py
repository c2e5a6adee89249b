"""Compiled kernels (numba) for sparse matrices, on NumPy arrays. No autograd, no models.

- `compiled.py`: how loops are compiled, and what they share.
- `csr.py`: matrices in compressed rows, and their products.
- `convolution.py`: convolution of a sparse matrix, and its gradients.
- `transpose.py`: parallel transposition.
"""
