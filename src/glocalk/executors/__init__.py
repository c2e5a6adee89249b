"""Where runs are made: in processes of this machine, on a SLURM cluster, on a Ray cluster.

- `jobs.py`: jobs that may wait for others, handed to an executor.
- `base.py`: what all executors are, a `concurrent.futures.Executor` whose futures hold outcomes.
- `process.py`: one run in a process of its own, and its outcome; `child.py` is that
  process, and `forked.py` forks it from one that has imported the libraries.
- `local.py`, `submitit.py`, `ray.py`: the executors.
"""
