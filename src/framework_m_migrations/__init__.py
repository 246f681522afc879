"""Schema migration for Framework M and SQLAlchemy: declarative sync and ordered revisions over one database."""
