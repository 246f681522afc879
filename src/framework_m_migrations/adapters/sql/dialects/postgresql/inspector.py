"""The inspector of PostgreSQL: its catalog, rows, sizes and tenants."""

# ruff: noqa: S608 - names are quoted, values are parameters or quoted literals

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.defined_compare import DefinedObjects, Pair
from framework_m_migrations.adapters.sql.dialects.base_inspector import BaseInspector
from framework_m_migrations.adapters.sql.dialects.postgresql import privileges as rights
from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import IN_SCHEMAS, MAIN, TEXTS, CatalogReader, text
from framework_m_migrations.adapters.sql.dialects.postgresql.columns import way
from framework_m_migrations.adapters.sql.dialects.postgresql.conflicts import dependents, obstacles
from framework_m_migrations.adapters.sql.dialects.postgresql.errors import sqlstate, translate
from framework_m_migrations.adapters.sql.dialects.postgresql.likeness import LIKENESS
from framework_m_migrations.adapters.sql.dialects.postgresql.normalise import normalise, objects
from framework_m_migrations.adapters.sql.dialects.postgresql.privileges import missing_privileges
from framework_m_migrations.adapters.sql.dialects.postgresql.text import execute, qualified, quote, written
from framework_m_migrations.adapters.sql.dialects.postgresql.transactions import (
    is_inside_autocommit_block,
    taken_back,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.types import try_type_change, type_change
from framework_m_migrations.adapters.sql.dialects.postgresql.views import PostgresViews, attached
from framework_m_migrations.adapters.sql.errors import from_driver, translated
from framework_m_migrations.adapters.sql.ledger import (
    ENGINE_TABLES,
    OBJECTS_TABLE,
    STATE_TABLE,
    VERSIONS_TABLE,
    snapshot_of,
)
from framework_m_migrations.adapters.sql.questions import PROBE_TIMEOUT, Asking, RowQuestions
from framework_m_migrations.adapters.sql.scopes import is_autocommit
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.changes import Change
from framework_m_migrations.domain.errors import DatabaseError, MigrationError, ValuesWouldBeLost
from framework_m_migrations.domain.ownership import LedgerForm, LedgerSnapshot
from framework_m_migrations.domain.privileges import Needs
from framework_m_migrations.domain.risk.conflicts import Obstacle
from framework_m_migrations.domain.risk.facts import Facts, Question, Size, TypeChange
from framework_m_migrations.domain.schema import Catalog, Column, SchemaObject, Table, TableName
from framework_m_migrations.ports.tenants import TenantLook

_WORDED = RowQuestions(
    quoted=written,
    length=lambda column: f"length({column}::text)",
    constant=lambda value, type_: f"CAST({value} AS {type_})",
)


def ask(
    connection: sa.Connection, questions: Collection[Question], *, schema: str | None, timeout: float = PROBE_TIMEOUT
) -> Facts:
    """The answers; questions that the server refuses, or that take too long, are left out.

    Args:
        connection: whose own transaction, if there is one, is left as it was.
        questions: see Question.
        schema: the session's schema.
        timeout: seconds for one statement.
    """

    def together(asked: Sequence[Question]) -> Sequence[int | None]:
        sql = "SELECT " + ", ".join(f"({_WORDED.statement(question, schema)})::bigint" for question in asked)
        with taken_back(connection, timeout=None if is_inside_autocommit_block(connection) else timeout):
            return execute(connection, sql).one()

    return Asking(connection, together, _timed_out, timeout).ask(questions)


def _timed_out(error: sa.exc.DBAPIError) -> bool:
    from framework_m_migrations.adapters.sql.dialects.postgresql.errors import sqlstate

    return sqlstate(error) in {"57014", "55P03"}


# Rows whose values a change would lose, counted before anything is changed.


def refuse_losses(operation: o.AlterType | o.SetGenerated, connection: sa.Connection, schema: str | None) -> None:
    """Go on where every value has a counterpart; one query, and none where no value can be without one.

    The table is locked before it is read, as the change itself would lock it, so that no other session writes such a
    value in between. In an autocommit block that is not possible.

    Args:
        operation: what is about to be done.
        connection: of the revision.
        schema: the session's.

    Raises:
        ValuesWouldBeLost: rows hold values that would be lost.
    """
    lost = _lost(operation, connection, schema)
    if lost is None:
        return
    condition, next_step = lost
    table, name = qualified(operation.table, schema), operation.before.name
    if not is_autocommit(connection):
        execute(connection, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    query = f"SELECT count(*) FROM {table} WHERE {condition}"
    rows = int(execute(connection, query).scalar_one())
    if rows == 0:
        return
    raise ValuesWouldBeLost(
        f"{_what(operation)} would lose values: {rows} row{'s' if rows != 1 else ''} of {operation.table} hold"
        f"{'' if rows != 1 else 's'} a value that it cannot keep.",
        next_step=f"Correct these rows, or {next_step} (`SELECT {written(name)} FROM {table} WHERE {condition}`).",
        details={"table": str(operation.table), "column": name, "rows": rows},
    )


def _lost(
    operation: o.AlterType | o.SetGenerated, connection: sa.Connection, schema: str | None
) -> tuple[str, str] | None:
    name = written(operation.before.name)
    if isinstance(operation, o.AlterType):
        taken = way(operation, connection, schema)
        loses = None if taken.chosen else taken.conversion.loses()
        if loses is None:
            return None
        return f"{name} IS NOT NULL AND {loses}", "give the conversion that you want as postgresql_using"
    old, new = operation.before.generated, operation.column.generated
    if new is None or new.kind != "computed" or (old is not None and old.kind == "computed"):
        return None
    return f"{name} IS DISTINCT FROM ({new.expression})", "drop the column and add the computed one"


def _what(operation: o.AlterType | o.SetGenerated) -> str:
    place = f"{operation.table}.{operation.before.name}"
    if isinstance(operation, o.AlterType):
        return f"The change of {place} from {operation.before.type} to {operation.column.type}"
    return f"The computed expression of {place}"


# How large tables are, by the server's own account.


TIMEOUT = 5.0
"""Seconds that it may take: a table that somebody keeps locked against everybody is not worth waiting for."""

# Rows as the server's own planner takes them: as many on each page as the last ANALYZE or VACUUM found. Where none has
# been there, those that the counters have seen. That they saw none means nothing, unless the file is empty.
_SIZES = text(
    """
WITH RECURSIVE tree AS (
    SELECT w.number, c.oid, c.relkind
    FROM ROWS FROM (pg_catalog.unnest(:schemas), pg_catalog.unnest(:tables)) WITH ORDINALITY AS w (schema, tab, number)
    JOIN pg_catalog.pg_namespace AS n
      ON n.nspname = COALESCE(NULLIF(w.schema, ''), NULLIF(:main, ''), pg_catalog.current_schema()::text)
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.tab::name
    UNION ALL
    SELECT t.number, c.oid, c.relkind
    FROM tree AS t JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.oid AND t.relkind = 'p'
    JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
)
SELECT t.number, pg_catalog.sum(COALESCE(
           CASE WHEN pg_catalog.pg_relation_size(t.oid) = 0 THEN 0
                WHEN c.reltuples > 0 AND c.relpages > 0 THEN pg_catalog.round((c.reltuples::float8 / c.relpages
                    * (pg_catalog.pg_relation_size(t.oid) / current_setting('block_size')::int))::numeric)
           END,
           NULLIF(pg_catalog.pg_stat_get_live_tuples(t.oid), 0)
       ))::bigint, pg_catalog.sum(pg_catalog.pg_total_relation_size(t.oid))::bigint
FROM tree AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.oid
WHERE t.relkind = 'r'
GROUP BY t.number
""",
    main=sa.Text(),
    schemas=TEXTS,
    tables=TEXTS,
)


def sizes(connection: sa.Connection, tables: Collection[TableName], *, schema: str | None) -> Mapping[TableName, Size]:
    """The sizes of the tables that exist; none where somebody keeps one of them locked against everybody.

    Args:
        connection: whose own transaction, if there is one, is left as it was.
        tables: to look at.
        schema: of those that name none; None for the connection's own.
    """
    names = list(tables)
    if not names:
        return {}
    given = {
        "main": schema or "",
        "schemas": [name.schema or "" for name in names],
        "tables": [name.name for name in names],
    }
    try:
        with taken_back(connection, timeout=None if is_inside_autocommit_block(connection) else TIMEOUT):
            rows = connection.execute(_SIZES, given).all()
    except sa.exc.DBAPIError as error:
        if sqlstate(error) not in {"57014", "55P03"}:
            raise
        return {}
    return {names[number - 1]: Size(count, taken) for number, count, taken in rows}


# One short text that changes with every DDL statement.


# Rows of pg_class are told by name and options, not by xmin: TRUNCATE, GRANT and VACUUM FULL rewrite them, and
# ANALYZE changes them in place. In all others a changed row is a new row with the xmin of who changed it.
PARTS = (
    ("pg_attribute", "JOIN c ON c.oid = x.attrelid AND c.relkind IN ('r', 'p', 'f', 'c') WHERE x.attnum > 0"),
    ("pg_index", "JOIN c ON c.oid = x.indrelid"),
    ("pg_constraint", "JOIN c ON c.oid = x.conrelid"),
    ("pg_attrdef", "JOIN c ON c.oid = x.adrelid"),
    ("pg_description", "JOIN c ON c.oid = x.objoid AND x.classoid = 'pg_catalog.pg_class'::regclass"),
    ("pg_sequence", "JOIN c ON c.oid = x.seqrelid"),
    ("pg_rewrite", "JOIN c ON c.oid = x.ev_class"),
    ("pg_trigger", "JOIN c ON c.oid = x.tgrelid WHERE NOT x.tgisinternal"),
    ("pg_proc", "JOIN s ON s.oid = x.pronamespace"),
    ("pg_type", "JOIN s ON s.oid = x.typnamespace WHERE x.typtype IN ('e', 'd')"),
    ("pg_enum", "JOIN pg_catalog.pg_type y ON y.oid = x.enumtypid JOIN s ON s.oid = y.typnamespace"),
)


def _part(table: str, rest: str) -> str:
    return f"(SELECT count(*) || '.' || COALESCE(sum(x.xmin::text::bigint), 0) FROM pg_catalog.{table} x {rest})"


# The name and the options of a relation, as one number.
MARK = """pg_catalog.hashnameextended({0}.relname, {0}.oid::bigint)::numeric
         + CASE WHEN {0}.reloptions IS NULL THEN 0 ELSE pg_catalog.hashtext({0}.reloptions::text) END"""
RELATIONS = f"""{MARK.format("k")} + pg_catalog.ascii(k.relkind::text) + k.relispartition::int AS mark
  FROM pg_catalog.pg_class k JOIN s ON s.oid = k.relnamespace
  WHERE k.relkind NOT IN ('i', 'I') AND k.relpersistence <> 't' AND NOT k.relname = ANY(:ignored)"""
"""The relations of the schemas in ``s``, as the end of a query. tenants.py makes the same tokens for many schemas."""
_TOKEN = text(
    f"""
WITH s AS MATERIALIZED (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE {IN_SCHEMAS}),
c AS MATERIALIZED (
  SELECT k.oid, k.relkind, {RELATIONS}
)
SELECT pg_catalog.concat_ws('-', {MAIN}, (SELECT count(*) || '.' || COALESCE(sum(mark), 0) FROM c),
  (SELECT count(*) || '.' || COALESCE(sum({MARK.format("k")}), 0)
   FROM pg_catalog.pg_index x JOIN c ON c.oid = x.indrelid JOIN pg_catalog.pg_class k ON k.oid = x.indexrelid),
  {", ".join(_part(table, rest) for table, rest in PARTS)}) AS token
""",
    main=sa.Text(),
    others=TEXTS,
    ignored=TEXTS,
)


def token_query(*, schema: str | None, also: Collection[str], ignored: Collection[str]) -> sa.TextualSelect:
    """The query for the token of the session's schema and those looked at beside it, one row of one text.

    Tables named in ``ignored`` do not count.
    """
    asked = _TOKEN.bindparams(main=schema, others=sorted(also), ignored=sorted(ignored))
    return asked.columns(sa.column("token", sa.Text()))


# Looks at the schemas of many tenants in a constant number of statements.


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
    """A part of the token for each schema; see inspector.py."""
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
            # A transaction of the caller's stays usable when one of the ledgers cannot be read.
            with taken_back(self._connection):
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


# The inspector of PostgreSQL.


class PostgresqlInspector(BaseInspector):
    """Implements ports.inspector.Inspector over pg_catalog.

    Args:
        connection: to the database; a transaction of the caller's is left as it was.
        schema: the session's schema, None for the connection's own (``current_schema()``).
        ignored: tables of that schema that never show up: the engine's own.
        also: further schemas that are looked at by ``catalog_token`` and by ``read()`` of everything.
        probe_timeout: seconds that a statement about rows may take.
    """

    def __init__(
        self,
        connection: sa.Connection,
        *,
        schema: str | None = None,
        ignored: frozenset[str] = frozenset(),
        also: frozenset[str] = frozenset(),
        probe_timeout: float = PROBE_TIMEOUT,
    ) -> None:
        super().__init__(connection, schema=schema, ignored=ignored, also=also)
        self._probe_timeout = probe_timeout
        self._reader = CatalogReader(connection, schema, ignored, also)

    def catalog_token(self) -> str | None:
        """See the port. Writes to rows, TRUNCATE, GRANT, ANALYZE and VACUUM leave it as it is."""
        return str(self._connection.execute(self.token_query).scalar_one())

    @property
    def token_query(self) -> sa.TextualSelect:
        """The question of ``catalog_token``, for who asks more than that."""
        return token_query(schema=self._schema, also=self._also, ignored=self._ignored)

    def read(self, tables: Collection[TableName] | None = None) -> Catalog:
        """See the port: five statements."""
        return self._reader.read(tables)

    def normalise(self, pairs: Sequence[tuple[Table, Table]]) -> list[Table]:
        """See the port: temporary tables, in a transaction that is rolled back."""
        return normalise(self._reader, pairs)

    def type_change(self, table: TableName, before: Column, after: Column) -> TypeChange:
        """See the port: by rule, else by a trial on an empty temporary table, whatever ``table`` is."""
        del table
        known = type_change(before.type, after.type)
        if known is not None:
            return known
        return try_type_change(self._connection, before.type, after.type, schema=self._schema)

    def ask(self, questions: Collection[Question]) -> Facts:
        """See the port. A question that takes longer than the time limit is left out."""
        return ask(self._connection, questions, schema=self._schema, timeout=self._probe_timeout)

    def obstacles(self, changes: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """See the port: indexes share the names of a schema with tables, views and sequences; one statement."""
        return obstacles(self._connection, changes, schema=self._schema)

    def dependents(self, drops: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """See the port: as pg_depend has it, in one statement. Of functions whose body is a text it knows nothing."""
        return dependents(self._connection, drops, schema=self._schema)

    @property
    def _defined(self) -> DefinedObjects:
        views = PostgresViews(self._connection, schema=self._schema)
        trial, path = (partial(taken_back, self._connection), "pg_temp"), self._path if self._schema else None
        return DefinedObjects(self._connection, views, trial=trial, path=path)

    def _path(self) -> tuple[str, str]:
        before = self._connection.exec_driver_sql("SHOW search_path").scalar_one() or "''"
        own = quote(str(self._schema))
        return f"SET LOCAL search_path TO {own}, {before}", f"SET LOCAL search_path TO {before}"

    def _plain(self, wanted: Sequence[SchemaObject]) -> Sequence[Pair]:
        """One statement a kind, and a trial of the domains that look different."""
        return objects(self._connection, wanted, schema=self._schema)

    def _attached(self, pairs: Sequence[tuple[Table, Table]]) -> Iterator[tuple[TableName, str]]:
        """Triggers, rules, policies, options and what else there is, in one statement."""
        return attached(self._connection, pairs, schema=self._schema)

    def sizes(self, tables: Collection[TableName]) -> Mapping[TableName, Size]:
        """See the port: the server's counters and the lengths of files."""
        return sizes(self._connection, tables, schema=self._schema)

    def missing_privileges(self, needed: Needs | None = None) -> tuple[str, ...]:
        """See the port."""
        if needed is None:
            return missing_privileges(self._connection, schema=self._schema, also=self._also)
        if needed.unknown:
            return rights.missing_for_revisions(
                self._connection, schema=self._schema, also=self._also, version_tables=self._ignored - ENGINE_TABLES
            )
        return rights.missing_for(self._connection, needed, schema=self._schema)
