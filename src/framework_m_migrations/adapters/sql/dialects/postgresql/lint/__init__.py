"""Judges revisions by the SQL that they would send to a PostgreSQL, without one."""
