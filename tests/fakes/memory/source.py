"""A wanted schema made of domain values."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping

from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import DocTypeSchema, Table


class MemorySource:
    """Implements ports.schema_source.SchemaSource.

    Args:
        doctypes: what is wanted, in order of declaration. Later changes go through ``declare``.
    """

    def __init__(self, doctypes: Iterable[DocTypeSchema] = ()) -> None:
        self._doctypes = tuple(doctypes)

    @classmethod
    def of(cls, *tables: Table) -> MemorySource:
        """A source in which each table is a DocType of its own, named like it."""
        return cls(DocTypeSchema(str(table.name), (table,)) for table in tables)

    def declare(self, *doctypes: DocTypeSchema) -> None:
        """Want exactly these from now on."""
        self._doctypes = doctypes

    def apps(self) -> frozenset[str]:
        """The apps of the DocTypes."""
        return frozenset(doctype.app for doctype in self._doctypes if doctype.app is not None)

    def schemas(self) -> frozenset[str]:
        """The schemas that tables are declared in."""
        tables = (table for doctype in self._doctypes for table in doctype.tables)
        return frozenset(table.name.schema for table in tables if table.name.schema is not None)

    def checksums(self) -> Mapping[str, str]:
        """DocType name to the SHA-256 of its definition; raises InvalidMetadata for two of one name or table."""
        self._check()
        return {doctype.name: _checksum(doctype) for doctype in self._doctypes}

    def absent(self) -> tuple[str, ...]:
        """Nothing: no DocTypes at all are as good as some."""
        return ()

    def unmanaged(self) -> tuple[str, ...]:
        """Nothing: domain values have no listeners."""
        return ()

    def load(self, names: Collection[str] | None = None) -> tuple[DocTypeSchema, ...]:
        """The named DocTypes, all when None; raises InvalidMetadata as ``checksums``."""
        self._check()
        return tuple(doctype for doctype in self._doctypes if names is None or doctype.name in names)

    def _check(self) -> None:
        names: set[str] = set()
        tables: dict[object, str] = {}
        for doctype in self._doctypes:
            if doctype.name in names:
                raise InvalidMetadata(f"Two DocTypes are called {doctype.name}.")
            names.add(doctype.name)
            for table in doctype.tables:
                if table.name in tables:
                    raise InvalidMetadata(f"{tables[table.name]} and {doctype.name} both declare table {table.name}.")
                tables[table.name] = doctype.name


def _checksum(doctype: DocTypeSchema) -> str:
    # The representation holds every field that comparison looks at, and leaves out what is native.
    return hashlib.sha256(repr(doctype).encode()).hexdigest()
