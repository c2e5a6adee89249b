"""The rating matrix as a differentiable operator, in interchangeable formulations.

- `base.py`: `RatingOperator`, the interface, and predictions without the prediction matrix.
- `formulation.py`: `make_operator`, which chooses a formulation.
- `dense.py`: full matrices, on any device.
- `sparse.py`: compiled loops over the observed ratings, on the CPU.
- `torch_sparse.py`: torch's sparse matrices, on any device.
- `convolution.py`: the convolution with global kernels on full matrices.
"""
