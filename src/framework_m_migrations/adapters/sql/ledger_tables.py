"""The ledger's tables, and how names and ownership are kept in them."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.ledger_names import TABLE, holders
from framework_m_migrations.domain.errors import LedgerCorrupt
from framework_m_migrations.domain.ownership import OwnedTable
from framework_m_migrations.domain.schema import TableName

VERSIONS_TABLE = "__schema_versions__"
"""Framework M's own table; its two columns are exactly what the host reads and writes."""
OBJECTS_TABLE = "__schema_objects__"
STATE_TABLE = "__schema_state__"
LEDGER_TABLES = frozenset({VERSIONS_TABLE, OBJECTS_TABLE, STATE_TABLE})
"""The ledger's own."""
BACKFILLS_TABLE = "__schema_backfills__"
"""Where the backfills of revisions keep their cursors."""
LEASE_TABLE = "__schema_lease__"
"""Where the migration lock is kept behind a proxy that pools transactions."""
UNFINISHED_TABLE = "__schema_unfinished__"
"""Where a revision notes what it sent, on a database that commits with DDL."""
ENGINE_TABLES = LEDGER_TABLES | {BACKFILLS_TABLE, LEASE_TABLE, UNFINISHED_TABLE}
"""Names that belong to the engine in the session's schema."""

KEY_LENGTH = 255
"""Characters that Framework M's doctype_name holds."""
LONG_NAME_PREFIX = "long-name:"
"""State keys that hold the DocType names which do not fit: the prefix, then the key they are stored under."""


TABLE_OPTIONS: dict[str, dict[str, str]] = {
    # Names are equal when their characters are, whatever the database's own collation says.
    "mariadb": {
        "mariadb_engine": "InnoDB",
        "mariadb_charset": "utf8mb4",
        "mariadb_collate": "utf8mb4_nopad_bin",
    }
}
"""What the tables are made with, by dialect."""


class LedgerTables:
    """The three tables in one schema, and what the first look at them asks; None is the connection's default."""

    def __init__(self, schema: str | None, dialect: str = "") -> None:
        metadata = sa.MetaData(schema=schema)
        options: dict[str, Any] = {**TABLE_OPTIONS.get(dialect, {})}
        # A key over a text without a limit is refused there.
        key = sa.String(KEY_LENGTH) if dialect == "mariadb" else sa.Text()
        self.versions = sa.Table(
            VERSIONS_TABLE,
            metadata,
            sa.Column("doctype_name", sa.String(KEY_LENGTH), primary_key=True),
            sa.Column("checksum", sa.String(64), nullable=False),
            **options,
        )
        self.objects = sa.Table(
            OBJECTS_TABLE,
            metadata,
            sa.Column("table_schema", sa.String(KEY_LENGTH), primary_key=True),
            sa.Column("table_name", key, primary_key=True),
            sa.Column("doctype_name", sa.Text(), nullable=False),
            sa.Column("origin", sa.String(16), nullable=False),
            sa.Column("members", sa.Text(), nullable=False),
            **options,
        )
        self.state = sa.Table(
            STATE_TABLE,
            metadata,
            sa.Column("key", sa.String(400), primary_key=True),
            sa.Column("value", sa.Text(), nullable=False),
            **options,
        )

        self.holders = holders(ENGINE_TABLES, schema, dialect)
        parts: list[sa.Select[Any]] = [
            sa.select(sa.literal_column("'v'"), self.versions.c.doctype_name, self.versions.c.checksum),
            sa.select(sa.literal_column("'s'"), self.state.c.key, self.state.c.value),
        ]
        if self.holders is not None:
            # What is no table is told at once, for it may answer as a table would.
            others = self.holders.subquery()
            parts.append(
                sa.select(sa.literal_column("'n'"), others.c.name, others.c.kind).where(others.c.kind != TABLE)
            )
        # One statement object, so that an engine that looks again finds it compiled.
        self.snapshot = sa.union_all(*parts)

    @property
    def all(self) -> tuple[sa.Table, sa.Table, sa.Table]:
        """In the order in which they are made: with the last one there, the ledger is whole."""
        return self.versions, self.objects, self.state


@functools.lru_cache(maxsize=64)
def ledger_tables(schema: str | None, dialect: str) -> LedgerTables:
    """The tables in ``schema``, made once for each dialect: nobody changes them."""
    return LedgerTables(schema, dialect)


def key_of(doctype: str) -> str:
    """The name a DocType is stored under: itself, or, where it is too long, its beginning and its SHA-256."""
    if len(doctype) <= KEY_LENGTH:
        return doctype
    digest = hashlib.sha256(doctype.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{doctype[: KEY_LENGTH - len(digest) - 1]}~{digest}"


def pack(owned: OwnedTable) -> dict[str, Any]:
    """One row of the objects table."""
    members = {
        "columns": sorted(owned.columns),
        "indexes": sorted(owned.indexes),
        "constraints": sorted(owned.constraints),
        "app": owned.app,
    }
    return {
        "table_schema": owned.table.schema or "",
        "table_name": owned.table.name,
        "doctype_name": owned.doctype,
        "origin": owned.origin,
        "members": json.dumps(members, ensure_ascii=True, separators=(",", ":")),
    }


def unpack(row: Any) -> OwnedTable:
    """What a row of the objects table says.

    Raises:
        LedgerCorrupt: its members are not what ``pack`` writes.
    """
    try:
        for value in (row.table_schema, row.table_name, row.doctype_name, row.origin):
            if not isinstance(value, str):
                raise TypeError("a text was expected")  # noqa: TRY301 - told like all else that is wrong with a row
        members = json.loads(row.members)
        columns, indexes, constraints = [
            frozenset(_strings(members[kind])) for kind in ("columns", "indexes", "constraints")
        ]
        app = _text(members.get("app"))
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise LedgerCorrupt(
            f"The row of table {row.table_name} in {OBJECTS_TABLE} cannot be read: {error}.",
            details={"table": str(row.table_name)},
        ) from error
    name = TableName(row.table_name, row.table_schema or None)
    return OwnedTable(name, row.doctype_name, row.origin, columns, indexes, constraints, app)


def _strings(values: Any) -> list[str]:
    if not isinstance(values, list) or not {str}.issuperset(map(type, values)):
        raise TypeError("a list of names was expected")
    return values


def _text(value: Any) -> str | None:
    if not isinstance(value, str | None):
        raise TypeError("a text was expected")
    return value
