"""Whatever is declared and made is found again as wanted: with the real dialects, on real databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from framework_m_migrations.adapters.sql.desired.fingerprint import Fingerprints
from framework_m_migrations.adapters.sql.desired.tables import Target, WantedTable, wanted_table
from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.dialects.sqlite import SqliteDialect
from framework_m_migrations.adapters.sql.executor import SqlExecutor
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.diff import diff_table
from framework_m_migrations.domain.errors import DatabaseError, InvalidMetadata
from framework_m_migrations.domain.lowering import Lowering
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.schema import Table
from tests.unit.sql.test_fingerprint import COLUMNS, EXTRAS, TABLES, build, recipes

REAL: dict[str, type[SqlDialect]] = {"postgresql": PostgresqlDialect, "sqlite": SqliteDialect}
EXAMPLES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
type Recipe = tuple[int, tuple[int, ...], int, int, bool]

SINGLE: list[Recipe] = [
    *((number, (), 0, 0, False) for number in range(len(COLUMNS))),
    *((0, (number,), 0, 0, False) for number in range(len(EXTRAS))),
    *((0, (), number, 0, False) for number in range(len(TABLES))),
]


@pytest.fixture
def schemas(connection: sa.Connection) -> sa.Connection:
    """A connection with the schemas that the recipes name."""
    for name in ("o", "s"):
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")
        else:
            connection.connection.driver_connection.autocommit = True  # type: ignore[union-attr]
            connection.exec_driver_sql(f"ATTACH ':memory:' AS {name}")
            connection.connection.driver_connection.autocommit = False  # type: ignore[union-attr]
    connection.commit()
    return connection


def made(wanted: WantedTable, executor: SqlExecutor, connection: sa.Connection) -> bool:
    """Create what is wanted; False where this database cannot have it (a match type, a collation, an action)."""
    try:
        with connection.begin_nested():
            for enum in wanted.enums:
                executor.apply(o.CreateEnum(enum))
            executor.apply(o.CreateTable(wanted.table, wanted.table.foreign_keys))
    except DatabaseError:
        return False
    return True


def prepared(connection: sa.Connection, recipe: Recipe) -> tuple[SqlDialect, SqlExecutor, WantedTable] | None:
    dialect = REAL[connection.dialect.name]()
    target = Target.of(connection.dialect, dialect)
    executor = SqlExecutor(connection, dialect)
    table = build(*recipe)
    for parent in (item for item in table.metadata.tables.values() if item.name == "p"):
        # What a foreign key refers to must be unique.
        for columns in (("a",), ("b",), ("a", "b")):
            parent.append_constraint(sa.UniqueConstraint(*columns, name=f"uq_{parent.schema}_{''.join(columns)}"))
        for column in parent.columns:
            column.server_default = None
        executor.apply(o.CreateTable(wanted_table(parent, target).table, ()))
    try:
        return dialect, executor, wanted_table(table, target)
    except InvalidMetadata:
        return None


def differences(connection: sa.Connection, dialect: SqlDialect, wanted: Table) -> list[c.Change]:
    inspector = dialect.inspector(connection, schema=None, ignored=frozenset())
    actual = inspector.read([wanted.name]).tables[wanted.name]
    spelled = inspector.normalise([(wanted, actual)])[0]
    return diff_table(spelled, actual, None, dialect.capabilities(connection.dialect))


@pytest.fixture
def created(schemas: sa.Connection) -> Callable[[Recipe], bool]:
    def try_out(recipe: Recipe) -> bool:
        try:
            ready = prepared(schemas, recipe)
            if ready is None:
                return False
            dialect, executor, wanted = ready
            if not made(wanted, executor, schemas):
                return False
            assert differences(schemas, dialect, wanted.table) == []
        finally:
            schemas.rollback()
        return True

    return try_out


def test_each_single_thing_is_found_again(created: Callable[[Recipe], bool]) -> None:
    possible = [recipe for recipe in SINGLE if created(recipe)]
    assert len(possible) > 0.95 * len(SINGLE), "nearly all of them must be possible"


@EXAMPLES
@given(recipes)
def test_combinations_are_found_again(created: Callable[[Recipe], bool], recipe: Recipe) -> None:
    created(recipe)


def test_each_single_thing_can_come_to_a_table_that_exists(schemas: sa.Connection) -> None:
    """What the plan would do to an empty table brings it to what is wanted."""
    done = 0
    for recipe in SINGLE:
        try:
            done += brought_about(schemas, recipe)
        finally:
            schemas.rollback()
    assert done > 0.9 * len(SINGLE)


@EXAMPLES
@given(recipes)
def test_combinations_can_come_to_a_table_that_exists(schemas: sa.Connection, recipe: Recipe) -> None:
    try:
        brought_about(schemas, recipe)
    finally:
        schemas.rollback()


def brought_about(connection: sa.Connection, recipe: Recipe) -> bool:
    ready = prepared(connection, recipe)
    if ready is None or recipe[2] == TABLES.index({"schema": "s"}):
        return False
    dialect, executor, wanted = ready
    capabilities = dialect.capabilities(connection.dialect)
    columns = [sa.Column(name, type_) for name, type_ in (("x", sa.String), ("y", sa.Integer), ("z", sa.Integer))]
    bare = sa.Table("t", sa.MetaData(), *columns)
    target = Target.of(connection.dialect, dialect)
    executor.apply(o.CreateTable(wanted_table(bare, target).table, ()))
    operations: list[Any] = [o.CreateEnum(enum) for enum in wanted.enums]
    changes = differences(connection, dialect, wanted.table)
    lowering = Lowering(capabilities)
    operations += [operation for change in changes for operation in lowering.operations(change)]
    if any(isinstance(change, c.PrimaryKeyChanged) for change in changes):
        return False
    try:
        with dialect.transaction(connection, Limits(10)):
            for operation in operations:
                executor.apply(operation)
    except DatabaseError:
        return False
    assert differences(connection, dialect, wanted.table) == [], recipe
    return True


def test_fingerprints_hold_with_the_real_spelling(connection: sa.Connection) -> None:
    """Tables with one fingerprint are one wanted table, and reading it twice changes neither."""
    target = Target.of(connection.dialect, REAL[connection.dialect.name]())
    prints = Fingerprints(target)
    seen: dict[str, str] = {}
    for recipe in SINGLE:
        table = build(*recipe)
        try:
            before = prints.of(table)
            wanted = repr(wanted_table(table, target))
        except InvalidMetadata:
            continue
        assert prints.of(table) == before == Fingerprints(target).of(build(*recipe))
        assert seen.setdefault(before, wanted) == wanted
    assert len(seen) > 50
