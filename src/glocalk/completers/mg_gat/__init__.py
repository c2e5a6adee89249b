"""MG-GAT: multi-graph graph attention network."""
