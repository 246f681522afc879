"""A list of tasks: Litestar and advanced-alchemy."""
