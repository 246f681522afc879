"""What the ledger remembers: which objects are ours, and what state the database was last seen in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from framework_m_migrations.domain.schema import Table, TableName


class LedgerForm(StrEnum):
    """In what shape the ledger was found."""

    ABSENT = "absent"
    LEGACY = "legacy"
    """Framework M's own two-column ``__schema_versions__``; its checksums mean nothing to this engine."""
    CURRENT = "current"


@dataclass(frozen=True, slots=True)
class OwnedTable:
    """A table that this engine created or adopted, with the names of what on it is ours.

    ``origin`` is ``created`` or ``adopted``. Only what is listed here may ever be dropped.
    """

    table: TableName
    doctype: str
    origin: str
    columns: frozenset[str] = frozenset()
    indexes: frozenset[str] = frozenset()
    constraints: frozenset[str] = frozenset()

    @classmethod
    def of(cls, table: Table, doctype: str, origin: str) -> OwnedTable:
        """All that ``table`` consists of, as ours."""
        named = (*table.uniques, *table.checks, *table.foreign_keys)
        return cls(
            table=table.name,
            doctype=doctype,
            origin=origin,
            columns=frozenset(column.name for column in table.columns),
            indexes=frozenset(index.name for index in table.indexes),
            constraints=frozenset(item.name for item in named if item.name is not None),
        )

    def merge(self, other: OwnedTable) -> OwnedTable:
        """What is ours by either record; the name of the DocType is the later one's, the origin the earlier one's."""
        return OwnedTable(
            self.table,
            other.doctype,
            self.origin,
            self.columns | other.columns,
            self.indexes | other.indexes,
            self.constraints | other.constraints,
        )


Ownership = Mapping[TableName, OwnedTable]

CATALOG_TOKEN = "catalog_token"
"""Key of the state entry that holds the catalog token of the database as last compared in full."""


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """The ledger as one query reads it.

    ``checksums`` maps DocType names to the checksum for which the database was seen to match; ``state`` holds single
    values such as the catalog token.
    """

    form: LedgerForm
    checksums: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)
