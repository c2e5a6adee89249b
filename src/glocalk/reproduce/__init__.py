"""The main job: the plan of an experiment, cheapest runs first, with its files after each.

- `config.py`: what to reproduce; `blocks.py`: what a plan consists of.
- `runs.py`: the runs whose data is there.
- `searches.py`: the searches that come before them, if the experiment has any.
- `plan.py`: their order, and how long they are expected to take; `waiting.py`: which ones wait for
  others.
- `job.py`: make the runs; `files.py`: write the tables and figures.
"""
