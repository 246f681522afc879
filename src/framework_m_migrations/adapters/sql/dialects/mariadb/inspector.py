"""The inspector of MariaDB: its catalog, rows and sizes."""

# ruff: noqa: S608 - names of columns are written here, names of tables are bound

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.defined_compare import DefinedObjects, Pair
from framework_m_migrations.adapters.sql.dialects.base_inspector import BaseInspector, Body
from framework_m_migrations.adapters.sql.dialects.mariadb.catalog import CatalogReader
from framework_m_migrations.adapters.sql.dialects.mariadb.conflicts import bodies, names_of_view, taken_keys
from framework_m_migrations.adapters.sql.dialects.mariadb.errors import code_of
from framework_m_migrations.adapters.sql.dialects.mariadb.normalise import normalise
from framework_m_migrations.adapters.sql.dialects.mariadb.privileges import missing_privileges
from framework_m_migrations.adapters.sql.dialects.mariadb.text import quoted
from framework_m_migrations.adapters.sql.dialects.mariadb.transactions import taken_back
from framework_m_migrations.adapters.sql.dialects.mariadb.types import type_change
from framework_m_migrations.adapters.sql.dialects.mariadb.views import MariadbViews
from framework_m_migrations.adapters.sql.objects import sequence_options
from framework_m_migrations.adapters.sql.questions import PROBE_TIMEOUT, Asking, RowQuestions
from framework_m_migrations.domain.changes import Change, ColumnRemoved, TableRemoved
from framework_m_migrations.domain.describe import surplus_options
from framework_m_migrations.domain.privileges import Needs
from framework_m_migrations.domain.risk.conflicts import Obstacle
from framework_m_migrations.domain.risk.facts import Facts, Question, Size, TypeChange
from framework_m_migrations.domain.schema import Catalog, Column, SchemaObject, Table, TableName

_TIMED_OUT = frozenset({1205, 1969})
# CAST knows few of the types that columns have; a constant compares as well without.
_WORDED = RowQuestions(
    quoted=quoted, length=lambda column: f"CHAR_LENGTH({column})", constant=lambda value, _type: f"({value})"
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
    limits = f"max_statement_time={timeout}, lock_wait_timeout={max(1, round(timeout))}"

    def together(asked: Sequence[Question]) -> Sequence[int | None]:
        columns = ", ".join(f"({_WORDED.statement(question, schema)})" for question in asked)
        with taken_back(connection):
            sql = f"SET STATEMENT {limits} FOR SELECT {columns}"
            return connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).one()

    return Asking(connection, together, lambda error: code_of(error) in _TIMED_OUT, timeout).ask(questions)


# How large tables are, as the storage engine estimates it.


_SIZES = sa.text(
    """
SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_ROWS, t.DATA_LENGTH + t.INDEX_LENGTH,
       t.TABLE_SCHEMA = COALESCE(:main, DATABASE())
FROM information_schema.TABLES t
WHERE (t.TABLE_SCHEMA = COALESCE(:main, DATABASE()) OR t.TABLE_SCHEMA IN :others) AND t.TABLE_NAME IN :tables
  AND t.TABLE_TYPE <> 'VIEW'
"""
).bindparams(sa.bindparam("others", expanding=True), sa.bindparam("tables", expanding=True))


def sizes(connection: sa.Connection, tables: Collection[TableName], *, schema: str | None) -> Mapping[TableName, Size]:
    """The sizes of the tables that exist; one statement.

    Args:
        connection: to read through.
        tables: to look at.
        schema: of those that name none; None for the connection's own.
    """
    if not tables:
        return {}
    given = {
        "main": schema,
        "others": sorted({name.schema for name in tables if name.schema is not None}),
        "tables": sorted({name.name for name in tables}),
    }
    found: dict[TableName, Size] = {}
    for place, name, rows, taken, own in connection.execute(_SIZES, given):
        table = TableName(str(name), None if own else str(place))
        if table in tables:
            found[table] = Size(None if rows is None else int(rows), None if taken is None else int(taken))
    return found


# One short text that changes with every DDL statement: a digest of what information_schema tells.


# Each row becomes a number of 64 bits; their exclusive or needs no order and no memory.
_PARTS = (
    (
        "TABLES",
        "TABLE_SCHEMA",
        ("TABLE_SCHEMA", "TABLE_NAME", "TABLE_TYPE", "ENGINE", "TABLE_COLLATION", "TABLE_COMMENT"),
    ),
    (
        "COLUMNS",
        "TABLE_SCHEMA",
        (
            *("TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME", "ORDINAL_POSITION", "COLUMN_DEFAULT", "IS_NULLABLE"),
            *("COLUMN_TYPE", "COLLATION_NAME", "EXTRA", "GENERATION_EXPRESSION", "COLUMN_COMMENT"),
        ),
    ),
    (
        "STATISTICS",
        "TABLE_SCHEMA",
        (
            *("TABLE_SCHEMA", "TABLE_NAME", "INDEX_NAME", "SEQ_IN_INDEX", "NON_UNIQUE", "COLUMN_NAME", "COLLATION"),
            *("SUB_PART", "INDEX_TYPE"),
        ),
    ),
    (
        "KEY_COLUMN_USAGE",
        "TABLE_SCHEMA",
        (
            *("TABLE_SCHEMA", "TABLE_NAME", "CONSTRAINT_NAME", "COLUMN_NAME", "ORDINAL_POSITION"),
            *("REFERENCED_TABLE_SCHEMA", "REFERENCED_TABLE_NAME", "REFERENCED_COLUMN_NAME"),
        ),
    ),
    (
        "REFERENTIAL_CONSTRAINTS",
        "CONSTRAINT_SCHEMA",
        ("CONSTRAINT_SCHEMA", "TABLE_NAME", "CONSTRAINT_NAME", "UPDATE_RULE", "DELETE_RULE"),
    ),
    (
        "CHECK_CONSTRAINTS",
        "CONSTRAINT_SCHEMA",
        ("CONSTRAINT_SCHEMA", "TABLE_NAME", "CONSTRAINT_NAME", "LEVEL", "CHECK_CLAUSE"),
    ),
)


def catalog_token(
    connection: sa.Connection, *, schema: str | None, also: Collection[str], ignored: Collection[str]
) -> str | None:
    """The token of the session's schema and those looked at beside it; tables named in ``ignored`` do not count."""
    parameters: dict[str, object] = {f"schema_{place}": name for place, name in enumerate(sorted(also))}
    main = "DATABASE()"
    if schema is not None:
        main, parameters["main"] = ":main", schema
    schemas = ", ".join([main, *(f":schema_{place}" for place in range(len(also)))])
    conditions = f"IN ({schemas})"
    left_out = f"NOT (x.{{0}} = {main} AND x.TABLE_NAME IN :ignored)"
    parts = ", ".join(
        _part(table, column, names, conditions, left_out.format(column)) for table, column, names in _PARTS
    )
    statement = sa.text(f"SELECT SHA1(CONCAT_WS('-', {main}, {parts}))")
    statement = statement.bindparams(sa.bindparam("ignored", sorted(ignored) or [""], expanding=True), **parameters)
    value = connection.execute(statement).scalar_one()
    return None if value is None else (value.decode() if isinstance(value, bytes) else str(value))


def _part(table: str, schema: str, columns: Collection[str], conditions: str, left_out: str) -> str:
    row = ", ".join(f"QUOTE(x.{column})" for column in columns)
    number = f"CAST(CONV(LEFT(MD5(CONCAT_WS(',', {row})), 16), 16, 10) AS UNSIGNED)"
    return (
        f"(SELECT CONCAT(COUNT(*), '.', BIT_XOR({number})) FROM information_schema.{table} x"
        f" WHERE x.{schema} {conditions} AND {left_out})"
    )


# The inspector of MariaDB.


_CACHE = 1000
"""Values that a sequence keeps ready where nothing is said."""
_SEQUENCE = sa.text(
    "SELECT 1 FROM information_schema.TABLES WHERE TABLE_TYPE = 'SEQUENCE' AND TABLE_NAME = :name "
    "AND TABLE_SCHEMA = COALESCE(:schema, DATABASE())"
)
_SURPLUS = sa.text(
    """
WITH said AS (
  SELECT EVENT_OBJECT_SCHEMA AS place, EVENT_OBJECT_TABLE AS name, CONCAT('trigger ', TRIGGER_NAME) AS what,
         NULL AS engine, NULL AS collation, NULL AS of_charset
  FROM information_schema.TRIGGERS
  UNION ALL
  SELECT TABLE_SCHEMA, TABLE_NAME, CONCAT('option invisible of column ', COLUMN_NAME), NULL, NULL, NULL
  FROM information_schema.COLUMNS WHERE EXTRA LIKE '%INVISIBLE%'
  UNION ALL
  SELECT TABLE_SCHEMA, TABLE_NAME, CONCAT('option compressed of column ', COLUMN_NAME), NULL, NULL, NULL
  FROM information_schema.COLUMNS WHERE COLUMN_TYPE LIKE '%COMPRESSED%'
  UNION ALL
  SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME, CONCAT('option ignored of index ', INDEX_NAME), NULL, NULL, NULL
  FROM information_schema.STATISTICS WHERE IGNORED = 'YES'
  UNION ALL
  SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME, CONCAT('comment of index ', INDEX_NAME), NULL, NULL, NULL
  FROM information_schema.STATISTICS WHERE INDEX_COMMENT <> ''
  UNION ALL
  SELECT TABLE_SCHEMA, TABLE_NAME, 'system versioning', NULL, NULL, NULL
  FROM information_schema.TABLES WHERE TABLE_TYPE = 'SYSTEM VERSIONED'
  UNION ALL
  SELECT t.TABLE_SCHEMA, t.TABLE_NAME, NULL, @@default_storage_engine, s.DEFAULT_COLLATION_NAME, c.DEFAULT_COLLATE_NAME
  FROM information_schema.TABLES t
  JOIN information_schema.SCHEMATA s ON s.SCHEMA_NAME = t.TABLE_SCHEMA
  LEFT JOIN information_schema.CHARACTER_SETS c
    ON c.CHARACTER_SET_NAME = SUBSTRING_INDEX(t.TABLE_COLLATION, '_', 1)
)
SELECT place, place = COALESCE(:main, DATABASE()), name, what, engine, collation, of_charset FROM said
WHERE (place = COALESCE(:main, DATABASE()) OR place IN :others) AND name IN :tables ORDER BY what
"""
).bindparams(sa.bindparam("others", expanding=True), sa.bindparam("tables", expanding=True))
"""What tables have beside the models; a row without ``what`` tells the options that a new table would get."""


def _usual(wanted: Table, actual: Table, engine: str, collation: str, of_charset: str | None) -> set[tuple[str, str]]:
    """The options that the server gives the table by itself. A collation tells its character set, too."""
    named, has = dict(wanted.options), dict(actual.options)
    found = {("engine", engine), ("collate", collation), ("charset", has.get("charset", "")), ("page_compressed", "0")}
    return found | ({("collate", of_charset)} if "charset" in named and of_charset is not None else set())


def _without_width(type_: str) -> str:
    """A type of whole numbers without the width for display, which the server adds."""
    return re.sub(r"(?i)int\(\d+\)", "int", type_)


def sequence(connection: sa.Connection, wanted: SchemaObject, *, schema: str | None) -> SchemaObject | None:
    """A sequence as it is, None where it is not; of another object, that it is as wanted."""
    if wanted.kind != "sequence":
        return wanted
    given = {"name": wanted.name.name, "schema": wanted.name.schema or schema}
    if connection.execute(_SEQUENCE, given).first() is None:
        return None
    quote = connection.dialect.identifier_preparer.quote_identifier
    place = ".".join(quote(part) for part in (given["schema"], wanted.name.name) if part is not None)
    says = connection.execute(sa.text(f"SELECT * FROM {place}")).mappings().one()
    options = sequence_options(
        "bigint",
        start=says["start_value"],
        increment=says["increment"],
        minimum=says["minimum_value"],
        maximum=None if says["maximum_value"] == 2**63 - 2 else says["maximum_value"],
        cycle=bool(says["cycle_option"]),
        cache=1 if says["cache_size"] == _CACHE else says["cache_size"],
    )
    return replace(wanted, options=options, native=None)


class MariadbInspector(BaseInspector):
    """The catalog reader over information_schema."""

    def catalog_token(self) -> str | None:
        """See the port. Writes to rows leave it as it is, as do GRANT, ANALYZE and OPTIMIZE."""
        return catalog_token(self._connection, schema=self._schema, also=self._also, ignored=self._ignored)

    def read(self, tables: Collection[TableName] | None = None) -> Catalog:
        """See the port: five statements."""
        return CatalogReader(self._connection, self._schema, self._ignored, self._also).read(tables)

    def normalise(self, pairs: Sequence[tuple[Table, Table]]) -> list[Table]:
        """See the port: temporary tables, made and taken away again in the session itself."""
        return normalise(self._connection, pairs)

    def type_change(self, table: TableName, before: Column, after: Column) -> TypeChange:
        """See the port: by rule, whatever ``table`` is."""
        del table
        return type_change(before.type, after.type)

    def ask(self, questions: Collection[Question]) -> Facts:
        """See the port. A question that takes longer than the time limit is left out."""
        return ask(self._connection, questions, schema=self._schema)

    def obstacles(self, changes: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """See the port: a name of an index is its table's own here, and a new default writes no row."""
        return taken_keys(self._connection, changes, schema=self._schema)

    @property
    def _defined(self) -> DefinedObjects:
        views = MariadbViews(self._connection, schema=self._schema)
        return DefinedObjects(self._connection, views, known_as="mysql", spelled=_without_width)

    def sizes(self, tables: Collection[TableName]) -> Mapping[TableName, Size]:
        """See the port: what InnoDB estimates."""
        return sizes(self._connection, tables, schema=self._schema)

    def missing_privileges(self, needed: Needs | None = None) -> tuple[str, ...]:
        """See the port."""
        return missing_privileges(self._connection, schema=self._schema, needed=needed)

    def _plain(self, wanted: Sequence[SchemaObject]) -> Sequence[Pair]:
        """Sequences, of which each tells its options itself."""
        return [(one, sequence(self._connection, one, schema=self._schema)) for one in wanted]

    def _attached(self, pairs: Sequence[tuple[Table, Table]]) -> Iterator[tuple[TableName, str]]:
        """Triggers, options and what else there is, in one statement."""
        names = {wanted.name for wanted, _ in pairs}
        given = {
            "main": self._schema,
            "others": sorted({name.schema for name in names if name.schema is not None}),
            "tables": sorted({name.name for name in names}),
        }
        usual: dict[TableName, tuple[str, str, str | None]] = {}
        for schema, is_main, owner, what, engine, *collations in self._connection.execute(_SURPLUS, given):
            table = TableName(owner, None if is_main else schema)
            if what is None:
                usual[table] = (engine.lower(), *collations)
            elif table in names:
                yield table, what
        for wanted, actual in pairs:
            if wanted.name in usual:
                options = _usual(wanted, actual, *usual[wanted.name])
                yield from ((wanted.name, what) for what in surplus_options(wanted, actual, options))

    def _bodies(self, schemas: Collection[str | None]) -> list[Body]:
        """Views and triggers; one statement."""
        return bodies(self._connection, schemas)

    def _mentions(self, body: Body, change: TableRemoved | ColumnRemoved) -> bool:
        """In a view the server has written every name out itself."""
        return names_of_view(body, change) if body.kind == "view" else super()._mentions(body, change)
