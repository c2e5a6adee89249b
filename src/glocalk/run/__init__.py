"""From a composed config to a record: build, train under the protocols, write."""
