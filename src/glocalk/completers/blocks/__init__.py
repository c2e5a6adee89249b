"""Building blocks of models in several rooms; no model lies here, and no block knows a room.

Ratings: `rated.py` (who has any), `rating_arrays.py` (as compiled loops take them),
`rating_graph.py` (a bipartite graph with a type of edge for each level), `singular.py` (the largest
singular values). Networks: `glorot.py` (initial values), `dropout.py`, `bilinear.py` (a decoder
that scores the levels, with the base class of completers that predict by it). Gibbs samplers:
`sampling/` (draws, conditional distributions, means over samples).
"""
