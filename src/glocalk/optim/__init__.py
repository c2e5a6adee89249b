"""Optimizers.

- `averaging.py`: averages of weights during a training.
- `lbfgs.py`: full-batch L-BFGS, as in SciPy's L-BFGS-B or as in torch.
- `line_search.py`: the line search of Moré and Thuente.
"""
