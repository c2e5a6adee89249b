"""LLORMA: local low-rank models around anchors."""
