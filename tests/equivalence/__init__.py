"""create_all, sync, and revisions come to the same schema: see ways.py."""
