"""All that works on a plain synchronous SQLAlchemy Connection. Async drivers reach it through ``run_sync``."""
