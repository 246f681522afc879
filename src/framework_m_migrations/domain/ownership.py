"""What the ledger remembers: which objects are ours, and what state the database was last seen in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from framework_m_migrations.domain.naming import Place, known_as, standard_name
from framework_m_migrations.domain.schema import Catalog, Check, ForeignKey, Index, Table, TableName, Unique
from framework_m_migrations.domain.values import quick


def constraint_identities(constraint: Unique | Check | ForeignKey) -> tuple[str, ...]:
    """How the ledger recognises a constraint: by what it is, and by its name, or by the one that it will go by.

    Databases name constraints that nobody named, and spell expressions their own way, so neither alone would do.
    """
    if isinstance(constraint, Unique):
        shape = f"unique({', '.join(sorted(constraint.columns))})"
    elif isinstance(constraint, Check):
        shape = f"check({hashlib.sha256(constraint.expression.encode()).hexdigest()[:16]})"
    else:
        shape = f"foreign key({', '.join(constraint.columns)}) {constraint.target}"
    name = known_as(constraint)
    return (shape,) if name is None else (shape, name)


class LedgerForm(StrEnum):
    """In what shape the ledger was found."""

    ABSENT = "absent"
    LEGACY = "legacy"
    """Framework M's own two-column ``__schema_versions__``; its checksums mean nothing to this engine."""
    CURRENT = "current"


@quick
@dataclass(frozen=True, slots=True)
class OwnedTable:
    """A table that this engine created or adopted, with the names of what on it is ours.

    ``origin`` is ``created`` or ``adopted``; ``app`` is the app whose DocType it is, None where that is not known. Only
    what is listed here may ever be dropped.
    """

    table: TableName
    doctype: str
    origin: str
    columns: frozenset[str] = frozenset()
    indexes: frozenset[str] = frozenset()
    constraints: frozenset[str] = frozenset()
    app: str | None = None

    @classmethod
    def of(cls, table: Table, doctype: str, origin: str, app: str | None = None) -> OwnedTable:
        """All that ``table`` consists of, as ours."""
        return cls(
            table=table.name,
            doctype=doctype,
            origin=origin,
            columns=frozenset(column.name for column in table.columns),
            indexes=frozenset(index.name for index in table.indexes),
            constraints=frozenset(identity for item in _constraints(table) for identity in constraint_identities(item)),
            app=app,
        )

    def has_index(self, index: Index) -> bool:
        """Whether an index is ours: by its name, or as the one that SQLite keeps an unnamed unique constraint as."""
        if index.name in self.indexes:
            return True
        if not index.unique or index.plain_columns is None:
            return False
        unnamed = Unique(None, index.plain_columns)
        called = index.name in self.constraints or index.name == standard_name(unnamed, Place(self.table, ()))
        return called and not self.constraints.isdisjoint(constraint_identities(unnamed))

    def without_index(self, index: Index) -> OwnedTable:
        """What is ours once an index that ``has_index`` knows is gone."""
        if index.name in self.indexes or index.plain_columns is None:
            return replace(self, indexes=self.indexes - {index.name})
        return replace(
            self, constraints=self.constraints - set(constraint_identities(Unique(None, index.plain_columns)))
        )

    def merge(self, other: OwnedTable) -> OwnedTable:
        """What is ours by either record; DocType and app are the later record's, the origin the earlier one's."""
        return OwnedTable(
            self.table,
            other.doctype,
            self.origin,
            self.columns | other.columns,
            self.indexes | other.indexes,
            self.constraints | other.constraints,
            other.app if other.app is not None else self.app,
        )


Ownership = Mapping[TableName, OwnedTable]


def carried(ownership: Ownership, before: Catalog, after: Catalog) -> Ownership:
    """What is ours of the same tables, once renames have given their constraints other words (``through_renames``)."""
    found = dict(ownership)
    for name, table in after.tables.items():
        owned, was = ownership.get(name), before.tables[name]
        if owned is None or was is table:
            continue
        items = zip(_constraints(was), _constraints(table), strict=True)
        ours = [new for old, new in items if not owned.constraints.isdisjoint(constraint_identities(old))]
        more = {identity for item in ours for identity in constraint_identities(item)}
        found[name] = replace(owned, constraints=owned.constraints | more)
    return found


def _constraints(table: Table) -> tuple[Unique | Check | ForeignKey, ...]:
    return *table.uniques, *table.checks, *table.foreign_keys


class WorkState(StrEnum):
    """What became of a piece of work."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Its process ended before it could say what became of it."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who works: the operating system's user, the CI job, the machine, and this package's version; empty if unknown."""

    os_user: str = ""
    job: str = ""
    host: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A step or revision as the log keeps it.

    Attributes:
        track: ``sync`` or ``run``.
        what: in words.
        risk: ``safe``, ``warning`` or ``breaking``; empty where it was not judged.
        sql: the statements, as far as they are kept.
        began, ended: UTC, in ISO's form; ``ended`` is empty while it runs.
        error: of what failed.
        role: of the database, which the ledger fills in, as it does ``author``.
    """

    track: str
    what: str
    risk: str
    sql: str
    began: str
    ended: str
    outcome: WorkState
    error: str = ""
    role: str = ""
    author: Author = Author()


CATALOG_TOKEN = "catalog_token"
"""Key of the state entry that holds the catalog token of the database as last compared in full."""


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """The ledger as one query reads it.

    ``checksums`` maps DocType names to the checksum for which the database was seen to match; ``state`` holds single
    values such as the catalog token. ``token`` is the catalog's now, where it was asked for and came along.
    """

    form: LedgerForm
    checksums: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
