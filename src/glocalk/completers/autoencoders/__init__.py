"""Auto-encoders over rating rows: GLocal-K, SparseFC, AutoRec, and what they share."""
