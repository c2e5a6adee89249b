"""Auto-encoders over rating rows: GLocal-K, SparseFC and AutoRec, and what they share.

- `glocal_k.py`, `sparse_fc.py`, `autorec.py`: the models.
- `ablations.py`: GLocal-K with one thing about its global kernel changed.
- `trace.py`: what GLocal-K tells of its global kernel.
- `base.py`: prediction, saving and restoring, shared by the three.
- `stage.py`: training by full-batch L-BFGS, shared by the three.
- `kernel_stage.py`: the network with local kernels and its training: all of SparseFC, and
  GLocal-K's first stage.
- `layers.py`: its layers; `effective.py`: their weights under the local kernel, compiled.
- `kernels.py`: local and global kernel as pure functions.
"""
