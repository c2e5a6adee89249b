"""IMC-GAE: a graph auto-encoder on identities and roles of nodes."""
