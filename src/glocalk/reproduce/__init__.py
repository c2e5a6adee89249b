"""The main job: a plan of runs, made cheapest first, with a table after each.

- `config.py`: what to reproduce.
- `plan.py`: the runs in order, and how long they are expected to take.
- `job.py`: find the data, make the runs, write the table.
"""
