"""The engine's memory, as plain tables beside those it looks after."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import batched
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.errors import from_driver, translated
from framework_m_migrations.adapters.sql.ledger_names import only_tables, reflected
from framework_m_migrations.adapters.sql.ledger_tables import (
    ENGINE_TABLES,
    LONG_NAME_PREFIX,
    OBJECTS_TABLE,
    STATE_TABLE,
    VERSIONS_TABLE,
    key_of,
    ledger_tables,
    pack,
    unpack,
)
from framework_m_migrations.adapters.sql.ledger_tables import (
    LEDGER_TABLES as LEDGER_TABLES,
)
from framework_m_migrations.domain.errors import DatabaseError, LedgerCorrupt
from framework_m_migrations.domain.ownership import LedgerForm, LedgerSnapshot, OwnedTable, Ownership
from framework_m_migrations.domain.schema import TableName

_BATCH = 200
"""Names in one IN list."""


class SqlLedger:
    """Checksums, ownership and state in the session's schema. Implements ports.ledger.Ledger.

    Args:
        connection: everything runs in whatever transaction the caller has set up on it.
        sql_dialect: translates what the driver raises.
        schema: the session's schema, None for the connection's default.
    """

    def __init__(self, connection: sa.Connection, sql_dialect: SqlDialect, *, schema: str | None = None) -> None:
        self._connection = connection
        self._translate = sql_dialect.translate
        self._schema = schema
        self._tables = ledger_tables(schema, sql_dialect.name)
        self._known = False
        self._made_in: sa.Transaction | None = None

    def snapshot(self) -> LedgerSnapshot:
        """Checksums and state; one statement when the ledger exists.

        Raises:
            LedgerCorrupt: a table of the ledger lacks columns or holds what does not belong there.
            LedgerNameTaken: one of the engine's names is no table's.
        """
        rows = self._read(self._tables.snapshot, STATE_TABLE)
        if rows is not None:
            only_tables(row[1:] for row in rows if row[0] == "n")
            return snapshot_of(rows, LedgerForm.CURRENT)
        if VERSIONS_TABLE not in self._existing():
            return LedgerSnapshot(LedgerForm.ABSENT)
        versions = self._tables.versions
        with translated(self._translate):
            legacy = self._connection.execute(
                sa.select(sa.literal_column("'v'"), versions.c.doctype_name, versions.c.checksum)
            ).all()
        return snapshot_of(legacy, LedgerForm.LEGACY)

    def prepare(self) -> None:
        """Create what is missing of the three tables; a table of Framework M's is kept with its rows.

        Raises:
            LedgerCorrupt: a table of that name has another form.
            LedgerNameTaken: one of the engine's names is no table's.
        """
        found = self._existing()
        with translated(self._translate):
            for table in self._tables.all:
                if table.name not in found:
                    self._connection.execute(sa.schema.CreateTable(table))
        if found != LEDGER_TABLES:
            self._made_in = self._transaction()

    def objects(self, tables: Collection[TableName] | None = None) -> Ownership:
        """What is ours; nothing where there is no ledger yet.

        Raises:
            LedgerCorrupt: a row cannot be read, or the table has another form.
        """
        table = self._tables.objects
        statements = [sa.select(table)]
        if tables is not None:
            wanted = [(name.schema or "", name.name) for name in dict.fromkeys(tables)]
            statements = [sa.select(table).where(condition) for condition in _among(table, wanted)]
        found: dict[TableName, OwnedTable] = {}
        for statement in statements:
            rows = self._read(statement, OBJECTS_TABLE)
            if rows is None:
                return {}
            found |= {owned.table: owned for owned in map(unpack, rows)}
        names = found if tables is None else set(tables)
        return {name: owned for name, owned in found.items() if name in names}

    def store(self, checksums: Mapping[str, str]) -> None:
        """Set the checksums of DocTypes."""
        if not checksums:
            return
        long = {LONG_NAME_PREFIX + key_of(name): name for name in checksums if key_of(name) != name}
        self._put(self._tables.versions, {(key_of(name),): {"checksum": value} for name, value in checksums.items()})
        self._put(self._tables.state, {(key,): {"value": name} for key, name in long.items()})

    def forget(self, doctypes: Collection[str]) -> None:
        """Remove the checksums of DocTypes; unknown names are passed over."""
        keys = [key_of(name) for name in doctypes]
        self._delete(self._tables.versions, [(key,) for key in keys])
        long = [(LONG_NAME_PREFIX + key,) for key, name in zip(keys, doctypes, strict=True) if key != name]
        self._delete(self._tables.state, long)

    def record(self, owned: Sequence[OwnedTable]) -> None:
        """Add to what is ours; of one table, later entries are merged into earlier ones."""
        if not owned:
            return
        merged = dict(self.objects({item.table for item in owned}))
        for item in owned:
            before = merged.get(item.table)
            merged[item.table] = item if before is None else before.merge(item)
        self._put_objects(merged.values())

    def replace(self, owned: Sequence[OwnedTable]) -> None:
        """Set what is ours of these tables to exactly this."""
        self._put_objects({item.table: item for item in owned}.values())

    def disown(self, tables: Collection[TableName]) -> None:
        """Forget tables."""
        self._delete(self._tables.objects, [(name.schema or "", name.name) for name in tables])

    def set_state(self, values: Mapping[str, str | None]) -> None:
        """Set single values; None removes one."""
        self._delete(self._tables.state, [(key,) for key, value in values.items() if value is None])
        self._put(self._tables.state, {(key,): {"value": value} for key, value in values.items() if value is not None})

    def clear(self) -> None:
        """Forget everything; the tables stay."""
        with translated(self._translate):
            for table in self._tables.all:
                self._connection.execute(sa.delete(table))

    def rebuild(self) -> None:
        """Throw the three tables away, whatever form they have, and make them anew, empty.

        Raises:
            LedgerNameTaken: one of the engine's names is no table's; nothing was thrown away.
        """
        self._names()
        with translated(self._translate):
            for table in self._tables.all:
                self._connection.execute(sa.schema.DropTable(table, if_exists=True))
                self._connection.execute(sa.schema.CreateTable(table))
        self._made_in = self._transaction()

    def _put_objects(self, owned: Iterable[OwnedTable]) -> None:
        rows = [pack(item) for item in owned]
        keys = ("table_schema", "table_name")
        self._put(
            self._tables.objects,
            {tuple(row[key] for key in keys): {k: v for k, v in row.items() if k not in keys} for row in rows},
        )

    def _put(self, table: sa.Table, rows: Mapping[tuple[str, ...], Mapping[str, str]]) -> None:
        """Update the rows that exist by their key and insert the others, each in one batch."""
        if not rows:
            return
        keys = list(table.primary_key.columns)
        with translated(self._translate):
            existing = {
                tuple(row)
                for condition in _among(table, rows)
                for row in self._connection.execute(sa.select(*keys).where(condition))
            }
            changed = [_parameters(keys, key) | dict(rows[key]) for key in rows if key in existing]
            names = [column.name for column in keys]
            added = [dict(zip(names, key, strict=True)) | dict(rows[key]) for key in rows if key not in existing]
            if changed:
                fields: dict[str, Any] = {name: sa.bindparam(name) for name in next(iter(rows.values()))}
                self._connection.execute(_by_key(sa.update(table), keys).values(fields), changed)
            if added:
                self._connection.execute(sa.insert(table), added)

    def _delete(self, table: sa.Table, keys: Sequence[tuple[str, ...]]) -> None:
        if keys:
            columns = list(table.primary_key.columns)
            with translated(self._translate):
                self._connection.execute(
                    _by_key(sa.delete(table), columns), [_parameters(columns, key) for key in keys]
                )

    def _read(self, statement: Any, needed: str, *, again: bool = False) -> Sequence[sa.Row[Any]] | None:
        """Read; None where the table ``needed`` does not exist. The transaction stays usable either way.

        A statement that fails would abort a transaction that is not ours to roll back, so that within one the catalog
        is asked first, once; outside, the statement itself is the question.
        """
        before = self._transaction()
        ours = before is None
        # What was made in a transaction may go with it, so it is known within that one only.
        known = self._known or (before is not None and before is self._made_in)
        if not ours and not known and needed not in self._existing():
            return None
        try:
            rows = self._connection.execute(statement).all()
        except sa.exc.DBAPIError as error:
            self._known = False
            failure = from_driver(error, self._translate)
            if error.connection_invalidated or type(failure) is not DatabaseError:
                raise failure from error
            if ours:
                self._connection.rollback()
                if needed not in self._existing():
                    return None
                if not again:
                    # Another migrator may have made the ledger between the two looks.
                    return self._read(statement, needed, again=True)
            # It is there, the connection is well, and still it cannot be read: it is not the table that we made.
            raise LedgerCorrupt(f"The table {needed} cannot be read as the ledger's: {error.orig}.") from error
        self._known = self._known or self._made_in is None or self._made_in is not before
        return rows

    def _transaction(self) -> sa.Transaction | None:
        return self._connection.get_nested_transaction() or self._connection.get_transaction()

    def _existing(self) -> frozenset[str]:
        """Which of the three tables exist.

        Raises:
            LedgerCorrupt: one of them lacks a column, or has one of another type.
            LedgerNameTaken: one of the engine's names is no table's.
        """
        found = LEDGER_TABLES & self._names()
        with translated(self._translate):
            inspector = sa.inspect(self._connection)
            for table in self._tables.all:
                if table.name not in found:
                    continue
                columns = {one["name"]: one["type"] for one in inspector.get_columns(table.name, schema=self._schema)}
                missing = [column.name for column in table.columns if column.name not in columns]
                if missing:
                    raise LedgerCorrupt(
                        f"The table {table.name} lacks the column {', '.join(missing)}.",
                        details={"table": table.name, "missing": missing},
                    )
                unfit = [column.name for column in table.columns if not self._holds(columns[column.name], column.type)]
                if unfit:
                    raise LedgerCorrupt(
                        f"The table {table.name} has a type that does not hold the ledger's texts: {', '.join(unfit)}.",
                        details={"table": table.name, "unfit": unfit},
                    )
        return found

    def _holds(self, found: Any, wanted: Any) -> bool:
        """Whether a column takes every text that belongs into it. SQLite keeps to no type and to no length."""
        if self._connection.dialect.name == "sqlite":
            return True
        return isinstance(found, sa.String) and (found.length or sys.maxsize) >= (wanted.length or sys.maxsize)

    def _names(self) -> frozenset[str]:
        """Which of the engine's names are taken, all of them by tables; raises LedgerNameTaken."""
        query = self._tables.holders
        with translated(self._translate):
            if query is None:
                known = reflected(self._connection, self._schema)
                return only_tables(row for row in known if row[0] in ENGINE_TABLES)
            found = self._connection.execute(query).all()
        return only_tables(found)


def _by_key(statement: Any, keys: Sequence[sa.Column[Any]]) -> Any:
    return statement.where(*(column == sa.bindparam(f"key_{column.name}") for column in keys))


def _among(table: sa.Table, keys: Iterable[tuple[str, ...]]) -> Iterator[sa.ColumnElement[bool]]:
    """Conditions for the rows with these keys, of which each has a limited length and uses the primary key's index."""
    *leading, last = table.primary_key.columns
    groups: dict[tuple[str, ...], list[str]] = {}
    for key in keys:
        groups.setdefault(key[:-1], []).append(key[-1])
    for prefix, names in groups.items():
        same = [column == value for column, value in zip(leading, prefix, strict=True)]
        for batch in batched(names, _BATCH):
            yield sa.and_(*same, last.in_(batch))


def _parameters(keys: Sequence[sa.Column[Any]], values: tuple[str, ...]) -> dict[str, str]:
    return {f"key_{column.name}": value for column, value in zip(keys, values, strict=True)}


def snapshot_of(rows: Sequence[Sequence[Any]], form: LedgerForm) -> LedgerSnapshot:
    """The ledger from its rows: ``v`` or ``s`` for checksums or state, key, value.

    Raises:
        LedgerCorrupt: one of them holds what is no text.
    """
    checksums: dict[str, str] = {}
    state: dict[str, str] = {}
    for row in rows:
        kind, key, value = tuple(row)
        if not isinstance(key, str) or not isinstance(value, str):
            table = VERSIONS_TABLE if kind == "v" else STATE_TABLE
            raise LedgerCorrupt(f"The table {table} holds a value that is no text, under {key!r}.")
        (checksums if kind == "v" else state)[key] = value
    for key in [key for key in state if key.startswith(LONG_NAME_PREFIX)]:
        name, stored = state.pop(key), key.removeprefix(LONG_NAME_PREFIX)
        if stored in checksums:
            checksums[name] = checksums.pop(stored)
    return LedgerSnapshot(form, checksums, state)
