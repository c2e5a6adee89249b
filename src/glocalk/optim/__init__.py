"""Optimizers.

- `adam.py`: TensorFlow's ε of Adam.
- `averaging.py`: exponential averages of weights, which start from the initial weights.
- `lbfgs.py`: full-batch L-BFGS, as in SciPy's L-BFGS-B or as in torch.
- `line_search.py`: the line search of Moré and Thuente.
"""
