"""The engine's memory.

Three plain tables beside those that it looks after, the log, their names, and what stands in their way.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from itertools import batched, count
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import CLOSED, SqlDialect
from framework_m_migrations.adapters.sql.engines import redact, secrets_of
from framework_m_migrations.adapters.sql.errors import from_driver, translated
from framework_m_migrations.adapters.sql.executor import send_text
from framework_m_migrations.adapters.sql.gathering import flush
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.adapters.system import author
from framework_m_migrations.domain.errors import DatabaseError, LedgerCorrupt, LedgerNameTaken, MissingPrivilege
from framework_m_migrations.domain.ownership import (
    Author,
    LedgerForm,
    LedgerSnapshot,
    LogEntry,
    OwnedTable,
    Ownership,
    WorkState,
)
from framework_m_migrations.domain.schema import ColumnType, TableName

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
LOG_TABLE = "__schema_log__"
"""What was done, by whom and when, on both tracks."""
ENGINE_TABLES = LEDGER_TABLES | {BACKFILLS_TABLE, LEASE_TABLE, UNFINISHED_TABLE, LOG_TABLE}
"""Names that belong to the engine in the session's schema."""

LOG_LENGTH = 10_000
"""Entries that the log keeps."""
LOG_TEXT = 4_000
"""Characters of statements, words and errors that an entry keeps."""
CUT = " [cut]"

_AUTHOR = ("os_user", "job", "host", "version")

KEY_LENGTH = 255
"""Characters that Framework M's doctype_name holds."""
LONG_NAME_PREFIX = "long-name:"
"""State keys that hold the DocType names which do not fit: the prefix, then the key they are stored under."""


class LedgerTables:
    """The three tables in one schema, and what the first look at them asks; None is the connection's default."""

    def __init__(self, schema: str | None, sql_dialect: SqlDialect) -> None:
        metadata = sa.MetaData(schema=schema)
        options: dict[str, Any] = {**sql_dialect.own_tables}
        limit = sql_dialect.key_length
        key = sa.Text() if limit is None else sa.String(limit)
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
            sa.Column("table_schema", sa.String(limit or KEY_LENGTH), primary_key=True),
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

        words = ("track", "what", "risk", "statements", "role", *_AUTHOR, "began", "ended", "outcome", "error")
        self.log = sa.Table(
            LOG_TABLE,
            metadata,
            sa.Column("entry", sa.String(64), primary_key=True),
            *(sa.Column(name, sa.Text(), nullable=False) for name in words),
            **options,
        )
        self.holders = sql_dialect.relations(ENGINE_TABLES, schema)
        closed = sql_dialect.unwritable(LOG_TABLE, schema)
        self.names = self.holders if closed is None or self.holders is None else sa.union_all(self.holders, closed)
        parts: list[sa.Select[Any]] = [
            sa.select(sa.literal_column("'v'"), self.versions.c.doctype_name, self.versions.c.checksum),
            sa.select(sa.literal_column("'s'"), self.state.c.key, self.state.c.value),
        ]
        if self.holders is not None:
            # What is no table is told at once, for it may answer as a table would.
            others = self.holders.subquery()
            name, kind = others.c
            parts.append(sa.select(sa.literal_column("'n'"), name, kind).where(kind != TABLE))
        # One statement object, so that an engine that looks again finds it compiled.
        self.snapshot = sa.union_all(*parts)

    @property
    def all(self) -> tuple[sa.Table, sa.Table, sa.Table]:
        """In the order in which they are made: with the last one there, the ledger is whole."""
        return self.versions, self.objects, self.state


_SCHEMAS_KEPT = 64
_MADE: dict[tuple[str | None, type], LedgerTables] = {}


def ledger_tables(schema: str | None, sql_dialect: SqlDialect) -> LedgerTables:
    """The tables in ``schema``, made once for each dialect, and never changed."""
    key = schema, type(sql_dialect)
    if key not in _MADE:
        if len(_MADE) > _SCHEMAS_KEPT:
            _MADE.clear()
        _MADE[key] = LedgerTables(schema, sql_dialect)
    return _MADE[key]


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


# What stands under the names that the engine keeps for its own tables, and the refusal where it is no table.
#
# A view, a sequence or a type of such a name may answer a SELECT as the ledger would, and takes the place of
# the table that is to be made. The engine never removes what it did not make, so that every command says so,
# and changes nothing.


TABLE = "table"
"""The kind of what may stand there."""


def reflected(connection: sa.Connection, schema: str | None) -> list[tuple[str, str]]:
    """What SQLAlchemy's reflection finds in a schema, tables and views, in the form of SqlDialect.relations."""
    inspector = sa.inspect(connection)
    tables = [(name, TABLE) for name in inspector.get_table_names(schema=schema)]
    return [*tables, *((name, "view") for name in inspector.get_view_names(schema=schema))]


def refuse_other_version_table(
    connection: sa.Connection, sql_dialect: SqlDialect, name: str, schema: str | None
) -> None:
    """Go on where what stands under the name of Alembic's table is a table, or nothing.

    Alembic reads a view as it would its table, and fails when it writes, in the middle of the first revision.

    Args:
        connection: to look through.
        sql_dialect: of the connection.
        name: of the version table.
        schema: its schema, None for the connection's default.

    Raises:
        LedgerNameTaken: a view, a sequence, a type or something else has the name.
    """
    query = sql_dialect.relations([name], schema, visible=True)
    found: Iterable[Sequence[Any]]
    if query is None:
        found = [row for row in reflected(connection, schema) if row[0] == name]
    else:
        found = connection.execute(query).all()
    only_tables(
        found,
        next_step="Rename the object, or drop it if it is not needed; or name another table with --version-table.",
    )


def only_tables(found: Iterable[Sequence[Any]], *, next_step: str | None = None) -> frozenset[str]:
    """The names that are taken, where each is a table's.

    Args:
        found: rows of SqlDialect.relations.
        next_step: of the error, where the usual one does not fit.

    Raises:
        LedgerNameTaken: a name of the engine's is something else's.
    """
    kinds: dict[str, str] = {str(row[0]): str(row[1]) for row in found}
    others = {name: kind for name, kind in sorted(kinds.items()) if kind != TABLE}
    if not others:
        return frozenset(kinds)
    shown = ", ".join(f"{name} ({kind})" for name, kind in others.items())
    raise LedgerNameTaken(
        f"What stands under a name of the engine's own is no table: {shown}. Nothing was changed.",
        next_step=next_step,
        details={"taken": others},
    )


# The engine's memory, as plain tables beside those it looks after.


_TEXT = re.compile(r"char|text|string|clob", re.IGNORECASE)
_BATCH = 30_000
"""Names in one IN list: SQLite takes 32,766 parameters, PostgreSQL's protocol 32,767."""
_LONGEST = 1 << 18
"""Characters of rows in one statement that writes."""


class SqlLedger:
    """Checksums, ownership and state in the session's schema. Implements ports.ledger.Ledger.

    Args:
        connection: everything runs in whatever transaction the caller has set up on it.
        sql_dialect: translates what the driver raises.
        schema: the session's schema, None for the connection's default.
        token: gives the query for the catalog's token, where it can be part of another.
        author: tells who works, for the log.
    """

    def __init__(
        self,
        connection: sa.Connection,
        sql_dialect: SqlDialect,
        *,
        schema: str | None = None,
        token: Callable[[], sa.TextualSelect | None] = lambda: None,
        author: Callable[[], Author] = author,
    ) -> None:
        self._author = author
        self._run, self._numbers = secrets.token_hex(4), count(1)
        self._logs = self._closed = False
        self._found: tuple[sa.Transaction | None, frozenset[str]] | None = None
        self._token = token
        self._connection = connection
        self._sql_dialect = sql_dialect
        self._translate = sql_dialect.translate
        self._schema = schema
        self._tables = ledger_tables(schema, sql_dialect)
        self._known = False
        self._made_in: sa.Transaction | None = None
        self._owned: dict[TableName, OwnedTable] | None = None
        """What is ours, from ``prepare`` on: no other session writes it while the migration lock is held."""

    def snapshot(self, *, token: bool = False) -> LedgerSnapshot:
        """Checksums and state; one statement when the ledger exists.

        Args:
            token: see the port.

        Raises:
            LedgerCorrupt: a table of the ledger lacks columns or holds what does not belong there.
            LedgerNameTaken: one of the engine's names is no table's.
        """
        asked = self._token() if token else None
        query: Any = self._tables.snapshot
        if asked is not None:
            found: Any = asked.subquery()
            parts: list[Any] = [sa.literal_column("'t'"), found.c.token, sa.literal_column("''")]
            query = sa.union_all(query, sa.select(*parts))
        rows = self._read(query, STATE_TABLE)
        if rows is not None:
            only_tables(row[1:] for row in rows if row[0] == "n")
            told = [value for kind, value, _ in map(tuple, rows) if kind == "t"]
            known = snapshot_of([row for row in rows if row[0] != "t"], LedgerForm.CURRENT)
            return replace(known, token=told[0]) if told else known
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
        self._found, self._owned = (self._transaction(), found), None
        if OBJECTS_TABLE in found:
            self._owned = dict(self.objects())
        for table in self._tables.all:
            if table.name not in found:
                self._send(self._text.statement(sa.schema.CreateTable(table)))
        if OBJECTS_TABLE not in found:
            self._owned = {}
        if not found >= LEDGER_TABLES:
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
        known = self._owned if self._owned is not None else dict(self.objects({item.table for item in owned}))
        for item in owned:
            before = known.get(item.table)
            known[item.table] = item if before is None else before.merge(item)
        self._put_objects(known[table] for table in {item.table: None for item in owned})

    def replace(self, owned: Sequence[OwnedTable]) -> None:
        """Set what is ours of these tables to exactly this."""
        self._owned = None
        self._put_objects({item.table: item for item in owned}.values())

    def disown(self, tables: Collection[TableName]) -> None:
        """Forget tables."""
        self._owned = None
        self._delete(self._tables.objects, [(name.schema or "", name.name) for name in tables])

    def set_state(self, values: Mapping[str, str | None]) -> None:
        """Set single values; None removes one."""
        self._delete(self._tables.state, [(key,) for key, value in values.items() if value is None])
        self._put(self._tables.state, {(key,): {"value": value} for key, value in values.items() if value is not None})

    def open_log(self) -> str | None:
        """See the port.

        Raises:
            LedgerCorrupt: the table of the log has another form.
            LedgerNameTaken: one of the engine's names is no table's.
        """
        known, self._found = self._found, None
        found = known[1] if known is not None and known[0] is self._transaction() else self._existing()
        can, log = self._sql_dialect.capabilities(self._connection.dialect), self._tables.log
        commits = not can.transactional_ddl
        self._logs = False
        if self._closed:
            return f"The role may not write the table {LOG_TABLE}: grant SELECT, INSERT, UPDATE and DELETE on it."
        try:
            if LOG_TABLE not in found:
                if commits and self._connection.in_nested_transaction():
                    return "The connection that was handed over is in a transaction, which DDL would commit."
                # Where the ledger itself was made just now, this can be done too.
                new = self._made_in is not None and self._made_in is self._transaction()
                alone = new or commits or not can.savepoints
                with nullcontext() if alone else self._connection.begin_nested():
                    self._send(self._text.statement(sa.schema.CreateTable(log)))
                    if not new:
                        flush(self._connection)
            else:
                name, kept, cut = self._name(log), self._text.quote("entry"), LOG_LENGTH - 1
                outcome, running, over = (self._text.quote("outcome"), *map(self._text.literal, _OVER))
                self._send(f"UPDATE {name} SET {outcome} = {over} WHERE {outcome} = {running}")  # noqa: S608 - quoted
                newest = sa.select(log.c.entry).order_by(log.c.entry.desc())
                oldest = self._text.statement(newest.limit(1).offset(cut))
                self._send(f"DELETE FROM {name} WHERE {kept} < (SELECT {kept} FROM ({oldest}) AS o)")  # noqa: S608
        except MissingPrivilege as error:
            return error.what
        self._logs = True
        return None

    def log(self, entry: LogEntry, replaces: str | None = None) -> str:
        """See the port."""
        key = replaces or f"{re.sub(r'\D', '', entry.began)[:20]}-{self._run}-{next(self._numbers):05d}"
        if not self._logs:
            return key
        log, hidden = self._tables.log, secrets_of(self._connection.engine.url)
        if replaces is not None:
            self._delete(log, [(key,)])
        author = self._author()
        values = {
            **{name: _kept(getattr(author, name), hidden) for name in _AUTHOR},
            **{name: _kept(getattr(entry, name), hidden) for name in ("what", "error")},
            **{name: str(getattr(entry, name)) for name in ("track", "risk", "began", "ended", "outcome")},
            "entry": key,
            "statements": _kept(entry.sql, hidden),
        }
        columns = ", ".join(map(self._text.quote, (*values, "role")))
        written = ", ".join((*map(self._text.literal, values.values()), self._sql_dialect.login))
        self._send(f"INSERT INTO {self._name(log)} ({columns}) VALUES ({written})")  # noqa: S608 - quoted
        return key

    def logged(self, limit: int) -> tuple[LogEntry, ...]:
        """See the port.

        Raises:
            LedgerCorrupt: an entry cannot be read.
        """
        if LOG_TABLE not in self._existing():
            return ()
        last = sa.select(self._tables.log).order_by(self._tables.log.c.entry.desc()).limit(limit)
        with translated(self._translate):
            rows = self._connection.execute(last).all()
        try:
            return tuple(
                LogEntry(
                    *(row.track, row.what, row.risk, row.statements, row.began, row.ended, WorkState(row.outcome)),
                    *(row.error, row.role, Author(*(getattr(row, name) for name in _AUTHOR))),
                )
                for row in rows
            )
        except ValueError as error:
            raise LedgerCorrupt(f"An entry of {LOG_TABLE} cannot be read: {error}.") from error

    def clear(self) -> None:
        """Forget everything but the log; the tables stay."""
        self._owned = None
        with translated(self._translate):
            for table in self._tables.all:
                self._connection.execute(sa.delete(table))

    def rebuild(self) -> None:
        """Throw the three tables away, whatever form they have, and make them anew, empty; a log that is none too.

        Raises:
            LedgerNameTaken: one of the engine's names is no table's; nothing was thrown away.
        """
        names = self._names()
        self._owned = None
        broken = LOG_TABLE in names and any(self._misshapen(frozenset({LOG_TABLE})))
        with translated(self._translate):
            for table in (*self._tables.all, *([self._tables.log] if broken else [])):
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
        """Write rows in the place of those of the same key; an older ledger may have no primary key."""
        self._delete(table, list(rows))
        keys = [column.name for column in table.primary_key.columns]
        columns = ", ".join(map(self._text.quote, (*keys, *next(iter(rows.values()), ()))))
        values = [f"({', '.join(map(self._text.literal, (*key, *row.values())))})" for key, row in rows.items()]
        together = self._connection.dialect.supports_multivalues_insert
        for some in _portions(values) if together else ([value] for value in values):
            self._send(f"INSERT INTO {self._name(table)} ({columns}) VALUES {', '.join(some)}")  # noqa: S608 - quoted

    def _delete(self, table: sa.Table, keys: Sequence[tuple[str, ...]]) -> None:
        *leading, last = [self._text.quote(column.name) for column in table.primary_key.columns]
        for prefix, names in _by_prefix(keys).items():
            same = [f"{name} = {self._text.literal(value)}" for name, value in zip(leading, prefix, strict=True)]
            for some in _portions(list(map(self._text.literal, names))):
                chosen = " AND ".join([*same, f"{last} IN ({', '.join(some)})"])
                self._send(f"DELETE FROM {self._name(table)} WHERE {chosen}")  # noqa: S608 - quoted

    def _name(self, table: sa.Table) -> str:
        return self._text.table(TableName(table.name, table.schema))

    @cached_property
    def _text(self) -> SqlText:
        return SqlText(
            self._connection.dialect,
            self._sql_dialect.spelling(self._connection.dialect).identifier,
            schema=self._schema,
        )

    def _send(self, sql: str) -> None:
        send_text(self._connection, self._sql_dialect, sql)

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
        """Which of the three tables and the log exist.

        Raises:
            LedgerCorrupt: one of them lacks a column, or has one of another type.
            LedgerNameTaken: one of the engine's names is no table's.
        """
        found = (LEDGER_TABLES | {LOG_TABLE}) & self._names()
        for error in self._misshapen(found):
            raise error
        return found

    def _misshapen(self, found: frozenset[str]) -> Iterator[LedgerCorrupt]:
        if not found:
            return
        with translated(self._translate):
            reader = self._sql_dialect.inspector(self._connection, schema=self._schema, ignored=frozenset())
            known = reader.read([TableName(name) for name in sorted(found)]).tables
        for table in (*self._tables.all, self._tables.log):
            if table.name not in found:
                continue
            columns = {one.name: one.type for one in known[TableName(table.name)].columns}
            missing = [column.name for column in table.columns if column.name not in columns]
            if missing:
                yield LedgerCorrupt(
                    f"The table {table.name} lacks the column {', '.join(missing)}.",
                    details={"table": table.name, "missing": missing},
                )
                continue
            unfit = [column.name for column in table.columns if not self._holds(columns[column.name], column.type)]
            if unfit:
                yield LedgerCorrupt(
                    f"The table {table.name} has a type that does not hold the ledger's texts: {', '.join(unfit)}.",
                    details={"table": table.name, "unfit": unfit},
                )

    def _holds(self, found: ColumnType, wanted: Any) -> bool:
        """Whether a column takes every text that belongs into it."""
        if not self._sql_dialect.capabilities(self._connection.dialect).typed_values:
            return True
        return _TEXT.search(found.base or found.spelling) is not None and (
            found.length is None or found.length >= (wanted.length or sys.maxsize)
        )

    def _names(self) -> frozenset[str]:
        """Which of the engine's names are taken, all of them by tables; raises LedgerNameTaken."""
        query = self._tables.names
        with translated(self._translate):
            if query is None:
                known = reflected(self._connection, self._schema)
                return only_tables(row for row in known if row[0] in ENGINE_TABLES)
            found = self._connection.execute(query).all()
        self._closed = any(row[1] == CLOSED for row in found)
        return only_tables(row for row in found if row[1] != CLOSED)


def _kept(text: str, hidden: Iterable[str]) -> str:
    """A text as the log keeps it: without passwords, of a limited length, and such that it can be sent."""
    text = redact(text, hidden).encode("utf-8", "replace").decode().replace("\0", "?")
    return text if len(text) <= LOG_TEXT else f"{text[: LOG_TEXT - len(CUT)]}{CUT}"


_OVER = (WorkState.RUNNING, WorkState.INTERRUPTED)


def _among(table: sa.Table, keys: Iterable[tuple[str, ...]]) -> Iterator[sa.ColumnElement[bool]]:
    """Conditions for the rows with these keys, of which each has a limited length and uses the primary key's index."""
    *leading, last = table.primary_key.columns
    for prefix, names in _by_prefix(keys).items():
        same = [column == value for column, value in zip(leading, prefix, strict=True)]
        for batch in batched(names, _BATCH):
            yield sa.and_(*same, last.in_(batch))


def _by_prefix(keys: Iterable[tuple[str, ...]]) -> Mapping[tuple[str, ...], list[str]]:
    """The last parts of keys, by what stands before them."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for key in keys:
        groups.setdefault(key[:-1], []).append(key[-1])
    return groups


def _portions(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts, so many together as one statement should hold."""
    some: list[str] = []
    length = 0
    for text in texts:
        some.append(text)
        length += len(text)
        if length > _LONGEST:
            yield some
            some, length = [], 0
    if some:
        yield some


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
