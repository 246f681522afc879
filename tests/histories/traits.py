"""What a database looks like, as small facts that can be compared one by one, read without the engine's own reader."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from framework_m_migrations.adapters.memory import MemoryDatabase
from tests.histories.kinds import essence

type Key = tuple[str, ...]
"""A kind of fact, the table, and the object's name: ("type", "item", "name")."""
type Traits = dict[Key, object]


def traits_of_sql(connection: sa.Connection) -> Traits:
    """The facts of a database, the engine's ledger left out, by SQLAlchemy's own reflection."""
    inspector = sa.inspect(connection)
    found: Traits = {}
    sqlite = connection.dialect.name == "sqlite"
    columns = inspector.get_multi_columns()
    for (_, table), described in columns.items():
        for one in described:
            name = one["name"]
            found["type", table, name] = str(one["type"].compile(connection.dialect)).replace('"', "")
            found["null", table, name] = one["nullable"]
            found["default", table, name] = _meaning(one["default"]) if sqlite else one["default"]
            found["comment", table, name] = one.get("comment")
    for (_, table), primary in inspector.get_multi_pk_constraint().items():
        found["primary", table] = tuple(primary["constrained_columns"])
    if not sqlite:
        for (_, table), indexes in inspector.get_multi_indexes().items():
            for index in indexes:
                names = [str(name) for name in index["column_names"]]
                _note_index(found, table, str(index["name"]), names, unique=index["unique"])
    for (_, table), checks in inspector.get_multi_check_constraints().items():
        for check in checks:
            found["check", table, str(check["name"])] = check["sqltext"]
    if sqlite:
        _note_by_pragma(found, connection, [table for _, table in columns])
    else:
        for (_, table), references in inspector.get_multi_foreign_keys().items():
            for key in references:
                action = key.get("options", {}).get("ondelete")
                found["reference", table, *key["constrained_columns"]] = key["referred_table"], action
        for (_, table), comment in inspector.get_multi_table_comment().items():
            found["comment", table] = comment["text"]
        for enum in inspector.get_enums():  # type: ignore[attr-defined]
            found["enum", enum["name"]] = tuple(enum["labels"])
        _note_invalid(found, connection)
    return {key: value for key, value in found.items() if not key[1].startswith("__schema_")}


def _meaning(default: str | None) -> object:
    """SQLite converts a default to the column's type, so that a number is the same in quotes."""
    return default if default is None else essence(default.removeprefix("'").removesuffix("'"))


def _note_index(found: Traits, table: str, name: str, columns: list[str], *, unique: bool) -> None:
    """What keeps columns unique counts as such, whether it is called an index or a constraint."""
    if unique:
        found["unique", table, *sorted(columns)] = True
    else:
        found["index", table, name] = tuple(columns)


def _note_by_pragma(found: Traits, connection: sa.Connection, tables: list[str]) -> None:
    """Indexes and foreign keys of SQLite: SQLAlchemy reads the text of the table, and stumbles over quotes in names."""
    references = 'SELECT "from", "table", on_delete FROM pragma_foreign_key_list(?)'
    keys = """SELECT l.name, l."unique", i.name FROM pragma_index_list(?) l, pragma_index_info(l.name) i
              WHERE l.origin <> 'pk' ORDER BY l.name, i.seqno"""
    for table in tables:
        for column, target, action in connection.exec_driver_sql(references, (table,)):
            found["reference", table, column] = target, None if action == "NO ACTION" else action
        indexes: dict[tuple[str, bool], list[str]] = {}
        for name, unique, column in connection.exec_driver_sql(keys, (table,)):
            indexes.setdefault((name, bool(unique)), []).append(column)
        for (name, is_unique), columns in indexes.items():
            _note_index(found, table, name, columns, unique=is_unique)


def _note_invalid(found: Traits, connection: sa.Connection) -> None:
    invalid = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
    pending = "SELECT conrelid::regclass::text || '.' || conname FROM pg_constraint WHERE NOT convalidated"
    for kind, query in (("invalid index", invalid), ("pending constraint", pending)):
        for (name,) in connection.exec_driver_sql(query):
            found[kind, str(name)] = True


def traits_of_memory(database: MemoryDatabase) -> Traits:
    """The facts of a memory database."""
    found: Traits = {}
    for name, table in database.state.tables.items():
        for column in table.columns:
            found["type", name.name, column.name] = column.type.spelling
            found["null", name.name, column.name] = column.nullable
            found["default", name.name, column.name] = column.default
            found["comment", name.name, column.name] = column.comment
        found["primary", name.name] = table.primary_key and table.primary_key.columns
        found["comment", name.name] = table.comment
        for index in table.indexes:
            _note_index(found, name.name, index.name, [str(key.column) for key in index.keys], unique=index.unique)
        for unique in table.uniques:
            _note_index(found, name.name, "", list(unique.columns), unique=True)
        for check in table.checks:
            found["check", name.name, str(check.name)] = check.expression
        for key in table.foreign_keys:
            found["reference", name.name, *key.columns] = key.target.name, key.on_delete
    for enum_name, enum in database.state.enums.items():
        found["enum", enum_name.name] = enum.values
    return found


def differences(actual: Mapping[Key, object], wanted: Mapping[Key, object]) -> dict[Key, tuple[object, object]]:
    """The facts in which two databases differ: (actual, wanted), None where there is none."""
    keys = actual.keys() | wanted.keys()
    return {key: (actual.get(key), wanted.get(key)) for key in keys if actual.get(key, ...) != wanted.get(key, ...)}
