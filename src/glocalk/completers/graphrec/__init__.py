"""GraphRec: co-embeddings of graph features."""
