"""IGMC: a graph network on enclosing subgraphs."""
