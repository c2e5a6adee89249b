"""sRGCNN; `srgcnn.py` has the equations and the completer."""
