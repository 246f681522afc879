"""A small shop: customers, products, orders. Its revisions are in migrations/versions."""
