"""Warehouses and what is in them. Its revisions are in migrations, with no folder below."""
