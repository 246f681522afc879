"""Contacts and notes. Its revisions are in alembic/versions."""
