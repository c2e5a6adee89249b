"""Trains committed records again and compares their errors.

- `config.py`: what to verify; `sample.py`: which records.
- `again.py`: from a record to the run that makes it again.
- `bands.py`: how far errors may differ; `compared.py`: whether they do, in words.
- `job.py`: make the runs and write the results.
"""
