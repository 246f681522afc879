"""Looks at the schemas of many tenants in a constant number of statements."""

# ruff: noqa: S608 - names are quoted, values are parameters or quoted literals

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.failures import translate
from framework_m_migrations.adapters.sql.dialects.postgresql.likeness import LIKENESS
from framework_m_migrations.adapters.sql.dialects.postgresql.queries import TEXTS, text
from framework_m_migrations.adapters.sql.dialects.postgresql.token import MARK, PARTS, RELATIONS
from framework_m_migrations.adapters.sql.errors import from_driver, translated
from framework_m_migrations.adapters.sql.ledger import snapshot_of
from framework_m_migrations.adapters.sql.ledger_tables import (
    ENGINE_TABLES,
    OBJECTS_TABLE,
    STATE_TABLE,
    VERSIONS_TABLE,
)
from framework_m_migrations.domain.errors import DatabaseError, MigrationError
from framework_m_migrations.domain.ownership import LedgerForm, LedgerSnapshot
from framework_m_migrations.ports.tenants import TenantLook

BATCH = 500
"""Schemas in one statement. Each holds two tables and their keys locked (ACCESS SHARE) until it ends: 2,000 objects of
the 6,400 that a stock server has room for in all its sessions together."""
CREATE_KEY = 0x464D5473
"""Of the advisory lock under which schemas are made, for the transaction: CREATE SCHEMA IF NOT EXISTS is no match for
two of its kind."""

_LEDGER = (("'v', doctype_name, checksum", VERSIONS_TABLE), ("'s', key, value", STATE_TABLE))
_OWNED = (("md5(string_agg(o::text, ',' ORDER BY o::text COLLATE \"C\"))", OBJECTS_TABLE),)

_FOUND = text(
    """
SELECT n.nspname::text, n.nspname = current_schema(),
       count(c.oid) FILTER (WHERE c.relname = :versions) > 0, count(c.oid) FILTER (WHERE c.relname = :state) > 0,
       count(c.oid) FILTER (WHERE c.relkind <> 'r') = 0
FROM pg_catalog.pg_namespace n
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = ANY(:engine)
     AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
WHERE n.nspname = ANY(:names) GROUP BY n.nspname
""",
    versions=sa.Text(),
    state=sa.Text(),
    engine=TEXTS,
    names=TEXTS,
)
_WITH_LEDGER = text(
    """
SELECT n.nspname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = :state AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname IS DISTINCT FROM current_schema()
ORDER BY 1
""",
    state=sa.Text(),
)


def _grouped(table: str, rest: str) -> str:
    """A part of the token for each schema; see token.py."""
    schema = "c.nsp" if "JOIN c ON" in rest else "s.oid"
    return (
        f"SELECT {schema} AS nsp, count(*) || '.' || COALESCE(sum(x.xmin::text::bigint), 0) AS v"
        f" FROM pg_catalog.{table} x {rest} GROUP BY 1"
    )


_EACH = (
    "SELECT nsp, count(*) || '.' || COALESCE(sum(mark), 0) AS v FROM c GROUP BY 1",
    f"""SELECT c.nsp, count(*) || '.' || COALESCE(sum({MARK.format("k")}), 0) AS v FROM pg_catalog.pg_index x
    JOIN c ON c.oid = x.indrelid JOIN pg_catalog.pg_class k ON k.oid = x.indexrelid GROUP BY 1""",
    *(_grouped(table, rest) for table, rest in PARTS),
)
_VALUES = ", ".join(f"COALESCE(p{number}.v, '0.0')" for number in range(len(_EACH)))
_JOINS = " ".join(f"LEFT JOIN ({sql}) p{number} ON p{number}.nsp = s.oid" for number, sql in enumerate(_EACH))
_TOKENS = text(
    f"""
WITH s AS MATERIALIZED (SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY(:names)),
c AS MATERIALIZED (SELECT k.oid, k.relkind, k.relnamespace AS nsp, {RELATIONS})
SELECT s.nspname::text, pg_catalog.concat_ws('-', s.nspname, {_VALUES})
FROM s {_JOINS}
""",
    names=TEXTS,
    ignored=TEXTS,
)


class PostgresqlTenants:
    """Implements ports.tenants.Tenants.

    Args:
        connection: the session's.
        ignored: tables that do not count in a token: the engine's own.
    """

    def __init__(self, connection: sa.Connection, *, ignored: frozenset[str]) -> None:
        self._connection = connection
        self._ignored = ignored

    def look(self, schemas: Collection[str]) -> Mapping[str, TenantLook]:
        """See the port: three statements for every BATCH schemas."""
        names = list(dict.fromkeys(schemas))
        found: dict[str, TenantLook] = {}
        for start in range(0, len(names), BATCH):
            found.update(self._batch(names[start : start + BATCH]))
        return found

    def alike(self, schemas: Collection[str]) -> Mapping[str, str]:
        """See the port: two statements for every BATCH schemas."""
        names = list(dict.fromkeys(schemas))
        found: dict[str, str] = {}
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            with translated(translate):
                rows = self._connection.execute(LIKENESS, {"names": batch, "ignored": sorted(self._ignored)}).all()
            read = {name: text for name, text in rows if text is not None}
            owned = self._read(list(read), _OWNED)
            found.update({name: f"{read[name]} {owned[name]}" for name in owned})
        return found

    def with_ledger(self) -> tuple[str, ...]:
        """See the port."""
        with translated(translate):
            return tuple(self._connection.execute(_WITH_LEDGER, {"state": STATE_TABLE}).scalars())

    def create(self, schema: str) -> None:
        """See the port."""
        quoted = self._connection.dialect.identifier_preparer.quote_identifier(schema)
        with translated(translate):
            self._connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": CREATE_KEY})
            self._connection.execute(_verbatim(f"CREATE SCHEMA IF NOT EXISTS {quoted}"))

    def _batch(self, names: Sequence[str]) -> dict[str, TenantLook]:
        parameters = {
            "names": list(names), "versions": VERSIONS_TABLE, "state": STATE_TABLE, "engine": sorted(ENGINE_TABLES)
        }  # fmt: skip
        with translated(translate):
            rows = self._connection.execute(_FOUND, parameters).all()
        default = {name: is_default for name, is_default, *_ in rows}
        # Where a name of ours is no table's, whoever works on this schema looks again, and says so.
        whole = [name for name, _, versions, state, tables in rows if versions and state and tables]
        snapshots = self._snapshots(whole)
        tokens = self._tokens(list(snapshots))
        return {
            name: TenantLook(name in default, default.get(name, False), snapshots.get(name), tokens.get(name))
            for name in names
        }

    def _snapshots(self, names: Sequence[str]) -> dict[str, LedgerSnapshot]:
        found: dict[str, LedgerSnapshot] = {}
        for name, rows in self._read(names, _LEDGER).items():
            try:
                found[name] = snapshot_of(rows, LedgerForm.CURRENT)
            except MigrationError:
                # It is damaged. Whoever works on this schema reads it again, and says so.
                continue
        return found

    def _read(self, names: Sequence[str], parts: Sequence[tuple[str, str]]) -> dict[str, list[tuple[Any, ...]]]:
        """Rows of the ledgers; when they cannot be read in one statement, each half is tried: one spoils no other."""
        if not names:
            return {}
        quote = self._connection.dialect.identifier_preparer.quote_identifier
        selects = [
            f"SELECT {number}, {columns} FROM {quote(name)}.{quote(table)} o"
            for number, name in enumerate(names)
            for columns, table in parts
        ]
        rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in names}
        try:
            # The savepoint keeps the transaction usable when one of the ledgers cannot be read.
            with self._connection.begin_nested():
                for number, *row in self._connection.execute(_verbatim(" UNION ALL ".join(selects))):
                    rows[names[number]].append(tuple(row))
        except sa.exc.DBAPIError as error:
            failure = from_driver(error, translate, "the ledgers of all tenants")
            if not isinstance(failure, DatabaseError) or self._connection.invalidated:
                raise failure from error
            if len(names) == 1:
                return {}
            middle = len(names) // 2
            return self._read(names[:middle], parts) | self._read(names[middle:], parts)
        return rows

    def _tokens(self, names: list[str]) -> dict[str, str]:
        if not names:
            return {}
        with translated(translate):
            rows = self._connection.execute(_TOKENS, {"names": names, "ignored": sorted(self._ignored)})
            return {str(name): str(token) for name, token in rows}


def _verbatim(sql: str) -> sa.TextClause:
    """A statement with names in it that may hold colons, which SQLAlchemy would take for parameters."""
    return sa.text(sql.replace(":", "\\:"))
