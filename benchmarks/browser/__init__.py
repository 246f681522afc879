"""What the engine costs in a browser's tab, beside plain SQLAlchemy with Alembic in the same run."""
