"""F-EAE: an auto-encoder of layers that are equivariant to permutations of users and of items."""
