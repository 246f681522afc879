"""An adapter of framework_m_migrations for DuckDB, through duckdb-engine."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from framework_m_migrations.adapters.sql.ddl import NUMBERS
from framework_m_migrations.adapters.sql.dialects.base import BaseDialect, refuse_transaction
from framework_m_migrations.adapters.sql.dialects.base_inspector import BaseInspector
from framework_m_migrations.adapters.sql.dialects.base_spelling import BaseSpelling
from framework_m_migrations.adapters.sql.guard import Lexical
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.errors import ConnectionFailed, DatabaseReadOnly, LockTimeout, MigrationError
from framework_m_migrations.domain.schema import (
    Catalog,
    Check,
    Column,
    ForeignKey,
    Generated,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)

_NUMBERED = re.compile(rf"nextval\('.*{NUMBERS}'\)")
_COMPUTED = re.compile(r"CAST\((.*) AS [^()]+(?:\([\d, ]+\))?\)", re.DOTALL)


@compiles(sa.Enum, "duckdb")
def _enum(type_: sa.Enum, compiler: Any, **options: Any) -> str:
    """An enumeration in place of its name: DuckDB forgets the name as soon as a column has the type."""
    if not type_.native_enum:
        return str(compiler.visit_enum(type_, **options))
    labels = ", ".join(f"'{label.replace("'", "''")}'" for label in type_.enums)
    return f"ENUM({labels})"


class DuckdbSpelling(BaseSpelling):
    """DuckDB's names for types, https://duckdb.org/docs/stable/sql/data_types/overview."""

    aliases: ClassVar = {
        "BYTEA": "BLOB",
        "CHAR": "VARCHAR",
        "DOUBLE PRECISION": "DOUBLE",
        "NUMERIC": "DECIMAL",
        "REAL": "FLOAT",
        "TEXT": "VARCHAR",
        "TIME WITHOUT TIME ZONE": "TIME",
        "TIMESTAMP WITHOUT TIME ZONE": "TIMESTAMP",
    }
    plain = ("VARCHAR", "FLOAT", "INTERVAL", "BLOB")

    def index_modifiers(self, index: sa.Index, position: int, rendered: str) -> tuple[str, str]:
        """DuckDB does not keep the order of an index."""
        return super().index_modifiers(index, position, rendered)[0], ""


class DuckdbInspector(BaseInspector):
    """Reads DuckDB's own functions."""

    @property
    def _place(self) -> str:
        return self._schema or "main"

    def _rows(self, sql: str) -> list[Any]:
        """Rows of a function of DuckDB's, of the database that the connection works on."""
        own = "database_name = current_database() AND NOT internal"
        sql = sql.replace("OWN", own)
        return list(self._connection.exec_driver_sql(sql, execution_options={"no_parameters": True}))

    @contextmanager
    def _scratch(self) -> Iterator[sa.Connection]:
        engine = sa.create_engine("duckdb:///:memory:")
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def catalog_token(self) -> str | None:
        """See the port."""
        left_out = ", ".join(f"'{name}'" for name in sorted(self._ignored)) or "''"
        here = "database_name = current_database()"
        rows = self._rows(
            "SELECT md5(string_agg(said, ';' ORDER BY said)) FROM (SELECT '' AS said UNION ALL "
            "SELECT concat(schema_name, '.', sql, comment) FROM duckdb_tables() "
            f"WHERE OWN AND NOT temporary AND table_name NOT IN ({left_out}) UNION ALL "
            "SELECT concat(schema_name, '.', sql) FROM duckdb_views() WHERE OWN UNION ALL "
            f"SELECT concat(schema_name, '.', sql) FROM duckdb_indexes() WHERE {here} UNION ALL "
            f"SELECT concat(schema_name, '.', sql) FROM duckdb_sequences() WHERE {here} UNION ALL "
            "SELECT concat_ws('.', schema_name, table_name, column_name, comment) FROM duckdb_columns() "
            "WHERE OWN AND comment <> '')"
        )
        return str(rows[0][0])

    def read(self, tables: Collection[TableName] | None = None) -> Catalog:
        """See the port: four statements."""
        schemas = {self._place, *(self._also if tables is None else (name.schema or self._place for name in tables))}
        found: dict[tuple[str, str], Table] = {}
        names = set()
        wanted = None if tables is None else {(name.schema or self._place, name.name) for name in tables}
        listed = self._rows("SELECT schema_name, table_name, comment FROM duckdb_tables() WHERE OWN AND NOT temporary")
        for schema, name, comment in listed:
            if schema not in schemas or (schema == self._place and name in self._ignored):
                continue
            table = self._name(schema, name)
            names.add(table)
            if wanted is None or (schema, name) in wanted:
                found[schema, name] = Table(table, (), comment=comment)
        if found:
            self._fill(found)
        return Catalog({table.name: table for table in found.values()}, frozenset(names))

    def _fill(self, found: dict[tuple[str, str], Table]) -> None:
        computed = {
            (schema, table, column): said
            for schema, table, column, said in self._rows(
                "SELECT table_schema, table_name, column_name, generation_expression FROM information_schema.columns "
                "WHERE is_generated = 'ALWAYS' AND table_catalog = current_database()"
            )
        }
        parts = {key: _Parts() for key in found}
        other = _Parts()
        for schema, table, *row in self._rows(
            "SELECT schema_name, table_name, column_name, data_type, is_nullable, column_default, comment "
            "FROM duckdb_columns() WHERE OWN ORDER BY table_oid, column_index"
        ):
            parts.get((schema, table), other).columns.append(
                self._column(*row, computed=computed.get((schema, table, row[0])))
            )
        for schema, table, kind, columns, target, target_columns, expression in self._rows(
            "SELECT schema_name, table_name, constraint_type, constraint_column_names, referenced_table, "
            "referenced_column_names, expression FROM duckdb_constraints() WHERE database_name = current_database()"
        ):
            said = None if expression is None else self._spelling.expression(expression)
            parts.get((schema, table), other).add(kind, columns, self._name(schema, target), target_columns, said)
        for schema, table, name, unique, sql in self._rows(
            "SELECT schema_name, table_name, index_name, is_unique, sql FROM duckdb_indexes() "
            "WHERE database_name = current_database()"
        ):
            parts.get((schema, table), other).indexes.append(self._index(name, unique, sql))
        for key, part in parts.items():
            found[key] = part.table(found[key])

    @property
    def _spelling(self) -> DuckdbSpelling:
        return DuckdbSpelling(self._connection.dialect)

    def _name(self, schema: str, name: str | None) -> TableName:
        return TableName(name or "", None if schema == self._place else schema)

    def _column(
        self, name: str, type_: str, nullable: bool, default: str | None, comment: str | None, *, computed: str | None
    ) -> Column:
        spelling = self._spelling
        found = spelling.type_of(type_)
        generated: Generated | None = None
        if computed is not None:
            cast = _COMPUTED.fullmatch(computed)
            generated = Generated("computed", spelling.expression(computed if cast is None else cast[1]))
        elif default is not None and _NUMBERED.fullmatch(default):
            generated = Generated("serial")
        said = None if default is None or generated is not None else spelling.default(default, found)
        return Column(name, found, nullable, said, generated, comment or None)

    def _index(self, name: str, unique: bool, sql: str) -> Index:
        """The keys are told by CREATE INDEX alone, for DuckDB lists expressions beside names of columns."""
        inner = sql[sql.index("(", sql.index(" ON ")) + 1 : sql.rindex(")")]
        return Index(name, tuple(self._key(part) for part in _split(inner)), unique)

    def _key(self, text: str) -> IndexKey:
        if text.startswith('"') and text.endswith('"'):
            return IndexKey(text[1:-1].replace('""', '"'))
        if re.fullmatch(r"\w+", text):
            return IndexKey(text)
        return IndexKey(None, self._spelling.expression(text))


class _Parts:
    """What the rows tell of one table."""

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self.indexes: list[Index] = []
        self.key: PrimaryKey | None = None
        self.uniques: list[Unique] = []
        self.checks: list[Check] = []
        self.keys: list[ForeignKey] = []

    def add(
        self, kind: str, columns: list[str], target: TableName, target_columns: list[str], expression: str | None
    ) -> None:
        """Take a row of duckdb_constraints()."""
        names = tuple(columns)
        match kind:
            case "PRIMARY KEY":
                self.key = PrimaryKey(names)
            case "UNIQUE":
                self.uniques.append(Unique(None, names))
            case "CHECK" if expression:
                self.checks.append(Check(None, expression))
            case "FOREIGN KEY":
                self.keys.append(ForeignKey(None, names, target, tuple(target_columns)))
            case _:
                pass  # NOT NULL is told with the columns.

    def table(self, bare: Table) -> Table:
        """The table, each kind in its order."""
        return Table(
            bare.name,
            tuple(self.columns),
            self.key,
            tuple(sorted(self.indexes, key=lambda index: index.name)),
            tuple(sorted(self.uniques, key=lambda unique: unique.columns)),
            tuple(sorted(self.checks, key=lambda check: check.expression)),
            tuple(sorted(self.keys, key=lambda key: key.columns)),
            bare.comment,
        )


def _split(text: str) -> list[str]:
    """The parts of a list at its commas, but for those in parentheses and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


class DuckdbDialect(BaseDialect[DuckdbSpelling, DuckdbInspector]):
    """The services of DuckDB, from 1.3 on."""

    name = "duckdb"
    spelling_class = DuckdbSpelling
    inspector_class = DuckdbInspector

    def capabilities(self, dialect: sa.Dialect) -> Capabilities:
        """What DuckDB can do."""
        del dialect
        return Capabilities(
            self.name,
            schemas=True,
            comments=True,
            alter_constraints=False,
            partial_indexes=False,
            drop_unique=False,
            add_volatile_default=False,
            folds_tables=True,
            folds_columns=True,
            savepoints=False,
            constraint_names=False,
            text_lengths=False,
            key_actions=False,
            alter_under_dependents=False,
            alter_enums=False,
            add_computed=False,
            serial_keys=False,
        )

    def lexical(self, dialect: sa.Dialect) -> Lexical:
        """See SqlDialect."""
        del dialect
        return Lexical(dollars=True)

    @contextmanager
    def autocommit(self, connection: sa.Connection) -> Iterator[None]:
        """DuckDB commits each statement outside a transaction, and duckdb-engine knows no such mode."""
        refuse_transaction(connection)
        with connection.begin() as scope:
            connection.connection.rollback()
            yield
            scope.rollback()

    def translate(self, error: sa.exc.DBAPIError) -> MigrationError | None:
        """See SqlDialect, https://duckdb.org/docs/stable/dev/repositories of exceptions: by their words."""
        text = str(error.orig).splitlines()[0].rstrip(".")
        for words, kind, what in _MEANINGS:
            if words in text:
                return kind(f"{what}: {text}.")
        return None


_MEANINGS: tuple[tuple[str, type[MigrationError], str], ...] = (
    ("Could not set lock on file", LockTimeout, "Another process has the database open"),
    ("onflict on ", LockTimeout, "Another connection changes the same"),
    ("read-only", DatabaseReadOnly, "The database cannot be written"),
    ("Cannot open file", ConnectionFailed, "The database file cannot be opened"),
)
