"""From records to tables, figures and the README's tables: reads records, and nothing else."""
