"""What a database looks like, as small facts that can be compared one by one, read without the engine's own reader."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from framework_m_migrations.domain.schema import Index
from tests.fakes.memory import MemoryDatabase
from tests.histories.facts_of_postgres import facts_of_postgres
from tests.histories.facts_of_sqlite import facts_of_sqlite

type Key = tuple[str, ...]
"""A kind of fact, the table, and the object's name: ("type", "item", "name")."""
type Traits = dict[Key, object]


def traits_of_sql(connection: sa.Connection) -> Traits:
    """The facts of a database, the engine's ledger left out."""
    if connection.dialect.name != "sqlite":
        return facts_of_postgres(connection)
    found = facts_of_sqlite(connection)
    for (_, table), checks in sa.inspect(connection).get_multi_check_constraints().items():
        if not table.startswith("__schema_"):
            found.update({("check", table, str(check["name"])): check["sqltext"] for check in checks})
    return found


def traits_of_memory(database: MemoryDatabase) -> Traits:
    """The facts of a memory database."""
    found: Traits = {}
    for name, table in database.state.tables.items():
        for column in table.columns:
            found["type", name.name, column.name] = column.type.spelling
            found["null", name.name, column.name] = column.nullable
            found["default", name.name, column.name] = column.default
            found["comment", name.name, column.name] = column.comment
            found["generated", name.name, column.name] = column.generated
        found["primary", name.name] = table.primary_key and table.primary_key.columns
        found["comment", name.name] = table.comment
        for index in table.indexes:
            _note_memory_index(found, name.name, index)
        for unique in table.uniques:
            found["unique", name.name, *sorted(unique.columns)] = True
        for check in table.checks:
            found["check", name.name, str(check.name)] = check.expression
        for key in table.foreign_keys:
            found["reference", name.name, *key.columns] = key.target.name, key.on_delete
    for enum_name, enum in database.state.enums.items():
        found["enum", enum_name.name] = enum.values
    return found


def _note_memory_index(found: Traits, table: str, index: Index) -> None:
    columns = index.plain_columns
    if columns is None:
        found["index", table, index.name] = (index.keys, index.unique, index.where)
    elif index.unique:
        found["unique", table, *sorted(columns)] = True
    else:
        found["index", table, index.name] = columns


def differences(actual: Mapping[Key, object], wanted: Mapping[Key, object]) -> dict[Key, tuple[object, object]]:
    """The facts in which two databases differ: (actual, wanted), None where there is none."""
    keys = actual.keys() | wanted.keys()
    return {key: (actual.get(key), wanted.get(key)) for key in keys if actual.get(key, ...) != wanted.get(key, ...)}
