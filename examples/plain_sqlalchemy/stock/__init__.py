"""A warehouse: SQLAlchemy and nothing else."""
