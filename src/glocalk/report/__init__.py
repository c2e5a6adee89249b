"""From records to tables, figures and the README's table: reads records, and nothing else."""
