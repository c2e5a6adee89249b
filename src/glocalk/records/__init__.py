"""The records of runs, searches and benchmarks: schema, reading, writing, migration."""
