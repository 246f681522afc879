"""A browser's worker: use cases on a plain connection, with the stored file system loaded before and flushed after."""

from framework_m_migrations.adapters.pyodide.runner import PyodideRunner
from framework_m_migrations.adapters.pyodide.stores import (
    IdbfsPersistence,
    NoPersistence,
    OpfsPersistence,
    persistence_of,
)

__all__ = ["IdbfsPersistence", "NoPersistence", "OpfsPersistence", "PyodideRunner", "persistence_of"]
