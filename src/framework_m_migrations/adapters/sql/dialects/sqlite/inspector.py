"""The inspector of SQLite: its catalog and its rows."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.defined_compare import DefinedObjects, Pair
from framework_m_migrations.adapters.sql.dialects.base_inspector import BaseInspector
from framework_m_migrations.adapters.sql.dialects.sqlite.catalog import (
    Execute,
    RawCatalog,
    build_table,
    primary_key_columns,
    read_raw,
)
from framework_m_migrations.adapters.sql.dialects.sqlite.conflicts import dependents, obstacles
from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control, executor, server_version, snapshot
from framework_m_migrations.adapters.sql.dialects.sqlite.normalise import respell
from framework_m_migrations.adapters.sql.dialects.sqlite.text import lower, quoted
from framework_m_migrations.adapters.sql.dialects.sqlite.types import affinity, compare_types
from framework_m_migrations.adapters.sql.dialects.sqlite.views import SqliteViews
from framework_m_migrations.domain.changes import Change
from framework_m_migrations.domain.privileges import Needs
from framework_m_migrations.domain.risk.conflicts import Obstacle
from framework_m_migrations.domain.risk.facts import FactKind, Facts, Question, TypeChange
from framework_m_migrations.domain.schema import Catalog, Column, SchemaObject, Table, TableName

_COLLATE = re.compile(r'\s*\bCOLLATE ("(?:[^"]|"")*"|\w+)\Z')
# SQLITE_ERROR: a name that is not there, or an expression that fails. Damage, locks and full disks have other codes.
_CANNOT_BE_ASKED = 1


def qualified(table: TableName, schema: str) -> str:
    """A table's name with its schema, ready for SQL."""
    return f"{quoted(table.schema or schema)}.{quoted(table.name)}"


def ask(connection: sa.Connection, questions: Collection[Question], *, schema: str) -> Facts:
    """The answers; questions that cannot be asked, as a table or column is not there, are left out."""
    answers: dict[Question, int] = {}
    for question in questions:
        for sql in _attempts(question, schema):
            try:
                value = connection.exec_driver_sql(sql).scalar_one()
            except sa.exc.OperationalError as error:
                if getattr(error.orig, "sqlite_errorcode", None) != _CANNOT_BE_ASKED:
                    raise
                continue
            answers[question] = int(value or 0)
            break
    return answers


def _attempts(question: Question, schema: str) -> tuple[str, ...]:
    sql = statement(question, schema)
    if question.kind is not FactKind.ORPHANS:
        return (sql,)
    # Where the target does not exist yet, every row that names one is an orphan.
    return sql, _exists(_source(question, schema), _all_given(question.columns))


def statement(question: Question, schema: str) -> str:
    """The SELECT of one number that answers a question.

    Columns are named with the table's alias: SQLite takes a name in double quotes that it does not know for a string,
    and would answer nonsense.
    """
    source = _source(question, schema)
    match question.kind:
        case FactKind.HAS_ROWS:
            return _exists(source, "")
        case FactKind.NULLS:
            # Not IS NULL: where the column is declared NOT NULL, SQLite takes that for false without looking.
            return _exists(source, " OR ".join(f"typeof({_column(name)}) = 'null'" for name in question.columns))
        case FactKind.LONGEST:
            return f"SELECT max(length({_column(question.columns[0])})) FROM {source}"  # noqa: S608
        case FactKind.VIOLATIONS:
            return _exists(source, f"NOT ({question.detail})")
        case FactKind.DUPLICATES:
            columns = ", ".join(_column(name) for name in question.columns)
            condition = _all_given(question.columns)
            if question.detail is not None:
                condition = f"{condition} AND ({question.detail})"
            return _exists(source, f"{condition} GROUP BY {columns} HAVING count(*) > 1")
        case FactKind.ORPHANS:
            return _exists(source, f"{_all_given(question.columns)} AND NOT {_partner(question, schema)}")


def _partner(question: Question, schema: str) -> str:
    target = question.target or question.table
    # The parent's column comes first: it decides how the two compare (foreignkeys.html, 3).
    pairs = zip(question.target_columns, question.columns, strict=True)
    joined = " AND ".join(f"p.{quoted(theirs)} = {_column(ours)}" for theirs, ours in pairs)
    return f"EXISTS (SELECT 1 FROM {qualified(target, schema)} AS p WHERE {joined})"  # noqa: S608


def _exists(source: str, condition: str) -> str:
    where = f" WHERE {condition}" if condition else ""
    return f"SELECT EXISTS (SELECT 1 FROM {source}{where})"  # noqa: S608


def _column(name: str) -> str:
    return f"t.{quoted(name)}"


def _all_given(columns: Collection[str]) -> str:
    return " AND ".join(f"{_column(name)} IS NOT NULL" for name in columns)


def _source(question: Question, schema: str) -> str:
    table = qualified(question.table, schema)
    if not question.assuming:
        return f"{table} AS t"
    added = ", ".join(f"{_assumed(type_, constant)} AS {quoted(name)}" for name, type_, constant in question.assuming)
    return f"(SELECT s.*, {added} FROM {table} AS s) AS t"  # noqa: S608


def _assumed(type_: str, constant: str) -> str:
    """A constant as a column of the type would hold it.

    Only text is cast: a cast to the other affinities does more than storing would (``CAST('{}' AS NUMERIC)`` is 0).
    """
    collate = _COLLATE.search(type_)
    bare = type_[: collate.start()] if collate is not None else type_
    value = f"CAST(({constant}) AS TEXT)" if affinity(bare) == "TEXT" else f"({constant})"
    return value if collate is None else f"{value} COLLATE {collate[1]}"


# Reads catalog and rows of a SQLite database; implements ports.inspector.Inspector.


MAIN = "main"
_TABLE_LIST_SINCE = (3, 37)
_ROWID_TYPE = "INTEGER"


class SqliteInspector(BaseInspector):
    """The catalog reader of one connection; ``schema`` is the attached database that is the default one."""

    def catalog_token(self) -> str | None:
        """PRAGMA schema_version, which SQLite counts up with every change of the schema."""
        row = executor(self._connection)(f"PRAGMA {quoted(self._schema or MAIN)}.schema_version", ())
        return str(row[0][0])

    def read(self, tables: Collection[TableName] | None = None) -> Catalog:
        """The named tables, all when None, in four statements for each schema.

        It takes one more where the schema has virtual tables, and one where foreign keys name no target column.
        """
        wanted: dict[str | None, list[str] | None] = {None: None if tables is None else []}
        for name in tables or ():
            wanted.setdefault(name.schema, [])
            chosen = wanted[name.schema]
            if chosen is not None:
                chosen.append(name.name)
        found: dict[TableName, Table] = {}
        names: set[TableName] = set()
        with snapshot(self._connection):
            for schema, chosen in wanted.items():
                self._read_schema(schema, chosen, found, names)
        return Catalog(found, frozenset(names))

    def _read_schema(
        self, schema: str | None, chosen: list[str] | None, found: dict[TableName, Table], names: set[TableName]
    ) -> None:
        raw = read_raw(
            executor(self._connection),
            schema=schema or self._schema or MAIN,
            tables=chosen,
            ignored=self._ignored if schema is None else frozenset(),
            has_table_list=server_version(self._connection.dialect) >= _TABLE_LIST_SINCE,
        )
        by_lower = {lower(name): name for name in raw.names}
        keys = _keys_of_targets(executor(self._connection), schema or self._schema or MAIN, raw)
        for item in raw.tables.values():
            table = build_table(item, schema=schema, keys=keys, names=by_lower)
            found[table.name] = table
        names.update(TableName(name, schema) for name in raw.names)

    def normalise(self, pairs: Sequence[tuple[Table, Table]]) -> list[Table]:
        """Wanted tables as SQLite stores them: built in an empty database in memory and read back."""
        return [respell(wanted, actual, self._connection.dialect, self.type_change) for wanted, actual in pairs]

    def type_change(self, table: TableName, before: Column, after: Column) -> TypeChange:
        """What a change of the declared type does; see declared_types for the rules.

        A column that is, or would become, another name of the rowid is stored elsewhere: INCOMPATIBLE.
        """
        change = compare_types(before.type, after.type)
        spellings = {before.type.spelling, after.type.spelling}
        if len(spellings) == 2 and _ROWID_TYPE in spellings and self._is_key(table, before.name):
            return TypeChange.INCOMPATIBLE
        return change

    def _is_key(self, table: TableName, column: str) -> bool:
        rows = executor(self._connection)(
            "SELECT count(*), max(name = ?) FROM pragma_table_xinfo(?, ?) WHERE pk > 0",
            (column, table.name, table.schema or self._schema or MAIN),
        )
        return (rows[0][0], rows[0][1]) == (1, 1)

    def ask(self, questions: Collection[Question]) -> Facts:
        """Answers about rows."""
        return ask(self._connection, questions, schema=self._schema or MAIN)

    def obstacles(self, changes: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """See the port: names, triggers, and conflict clauses, which only CREATE TABLE keeps."""
        return obstacles(self._connection, changes, schema=self._schema or MAIN)

    def dependents(self, drops: Sequence[Change]) -> Mapping[Change, Obstacle]:
        """See the port: tried out in an empty database in memory, as SQLite keeps no account of them."""
        return dependents(executor(self._connection), drops, schema=self._schema or MAIN)

    @property
    def _defined(self) -> DefinedObjects:
        views = SqliteViews(self._connection, schema=self._schema or MAIN)
        return DefinedObjects(self._connection, views)

    def _plain(self, wanted: Sequence[SchemaObject]) -> Sequence[Pair]:
        """None exist, and none is needed."""
        return [(one, one) for one in wanted]

    def _attached(self, pairs: Sequence[tuple[Table, Table]]) -> Iterator[tuple[TableName, str]]:
        """Triggers, in one statement for each schema; options are compared one and all."""
        tables = [wanted.name for wanted, _ in pairs]
        named = {(table.schema, lower(table.name)): table for table in tables}
        for schema in {table.schema for table in tables}:
            master = f"{quoted(schema or self._schema or MAIN)}.sqlite_master"
            sql = f"SELECT tbl_name, name FROM {master} WHERE type = 'trigger' ORDER BY name"  # noqa: S608
            for owner, name in executor(self._connection)(sql, ()):
                table = named.get((schema, lower(owner)))
                if table is not None:
                    yield table, f"trigger {name}"

    def missing_privileges(self, needed: Needs | None = None) -> tuple[str, ...]:
        """Whether the database can be written at all: SQLite knows no other rights."""
        if needed is not None:
            return ()
        schema = self._schema or MAIN
        if control(self._connection, "PRAGMA query_only")[0][0]:
            return ("The connection is set to PRAGMA query_only.",)
        return self._unwritable(schema)

    def _unwritable(self, schema: str) -> tuple[str, ...]:
        names: Mapping[str, str] = {row[1]: row[2] for row in control(self._connection, "PRAGMA database_list")}
        path = names.get(schema) or ""
        if not path:
            return ()
        folder = Path(path).parent
        missing = []
        if not os.access(path, os.W_OK):
            missing.append(f"The database file {path} cannot be written by this process.")
        if not os.access(folder, os.W_OK):
            missing.append(f"The folder {folder} cannot be written, where SQLite keeps its journal.")
        return tuple(missing)


def _keys_of_targets(execute: Execute, schema: str, raw: RawCatalog) -> dict[str, tuple[str, ...]]:
    """Primary keys of the tables that foreign keys mean without naming columns."""
    keys = {lower(name): primary_key_columns(table) for name, table in raw.tables.items()}
    missing = {
        lower(key.target) for table in raw.tables.values() for key in table.foreign_keys if None in key.target_columns
    } - keys.keys()
    if missing:
        rows = execute(
            f"SELECT m.name, x.name FROM {quoted(schema)}.sqlite_master AS m"  # noqa: S608
            " JOIN pragma_table_xinfo(m.name, ?) AS x WHERE m.type = 'table' AND x.pk > 0"
            " AND lower(m.name) IN (SELECT value FROM json_each(?)) ORDER BY m.name, x.pk",
            (schema, json.dumps(sorted(missing))),
        )
        for name, column in rows:
            keys[lower(name)] = (*keys.get(lower(name), ()), column)
    return keys
