"""Ledgers that somebody meddled with: believed, refused with a code, or repaired; no table is lost by one."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework_m_migrations.domain.errors import LedgerCorrupt, MigrationError
from tests.hostile.outcome import Prey, outcome, sqlite_prey, wipe
from tests.hostile.test_taken_names import ON_POSTGRESQL, spelt
from tests.hostile.texts import hostile
from tests.support.profile import cases

TABLES = {
    "__schema_versions__": ("doctype_name", "checksum"),
    "__schema_objects__": ("table_schema", "table_name", "doctype_name", "origin", "members"),
    "__schema_state__": ("key", "value"),
    "alembic_version": ("version_num",),
}


def wanted(*columns: str) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(
        "customer", metadata, sa.Column("id", sa.Integer, primary_key=True), *(sa.Column(c, sa.Text) for c in columns)
    )
    return metadata


scalars = st.one_of(
    hostile.filter(lambda text: not any(0xD800 <= ord(c) <= 0xDFFF for c in text)),
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.binary(max_size=8),
    st.sampled_from(("customer", "sentinel", "created", "adopted", "catalog_token", "ghosts", "yes", "0" * 64)),
)  # fmt: skip
shapes = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(("id", "note", "sentinel", "x"))),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(("columns", "indexes", "constraints", "app", "options", "x")), inner, max_size=4
        ),
    ),
    max_leaves=6,
).map(json.dumps)
values = st.one_of(scalars, scalars, shapes)


type Meddling = Callable[[sa.Connection], None]
FORMS = ("text", "jsonb", "bytea", "numeric", "varchar(3)", "text[]", "int")


@st.composite
def meddlings(draw: st.DrawFn) -> Meddling:
    """Something done to the ledger behind the engine's back."""
    table = draw(st.sampled_from(sorted(TABLES)))
    columns = TABLES[table]
    kinds = ("update", "update", "insert", "delete", "drop", "column", "loose", "view", "other")
    kind = draw(st.sampled_from(kinds))
    given_values = tuple(draw(values) for _ in columns)
    if table == "__schema_objects__":
        # A row that is whole and names another table cannot be told from a true one: who writes the ledger is trusted.
        given_values = tuple("customer" if value == "sentinel" else value for value in given_values)
    column = draw(st.sampled_from(columns))
    forms = tuple(draw(st.sampled_from(FORMS)) for _ in columns)
    other = draw(st.sampled_from(sorted(ON_POSTGRESQL)))

    def run(connection: sa.Connection) -> None:
        plain = connection.dialect.name == "sqlite"
        marks = ", ".join("?" if plain else "%s" for _ in columns)
        # Without a key, as somebody would make it by hand, and filled with what is no text.
        loose = columns if plain else tuple(map(" ".join, zip(columns, forms, strict=True)))
        statements: dict[str, list[tuple[str, tuple[object, ...]]]] = {
            "update": [(f"UPDATE {table} SET {column} = {marks[:2].strip(',')}", given_values[:1])],
            "insert": [(f"DELETE FROM {table}", ()), (f"INSERT INTO {table} VALUES ({marks})", given_values)],
            "delete": [(f"DELETE FROM {table}", ())],
            "drop": [(f"DROP TABLE {table}", ())],
            "column": [(f"ALTER TABLE {table} RENAME COLUMN {column} TO gone", ())],
            "loose": [
                (f"DROP TABLE IF EXISTS {table}", ()),
                (f"CREATE TABLE {table} ({', '.join(loose)})", ()),
                (f"INSERT INTO {table} VALUES ({marks})", given_values),
                (f"INSERT INTO {table} VALUES ({marks})", given_values),
            ],
            "view": [(f"DROP TABLE IF EXISTS {table}", ()), (f"CREATE VIEW {table} AS SELECT 1 AS {column}", ())],
            "other": [
                (f"DROP TABLE IF EXISTS {table}", ()),
                *((spelt(statement, table), ()) for statement in ON_POSTGRESQL[other]),
            ],
        }
        for text, parameters in statements[kind]:
            try:
                with connection.begin_nested():
                    # Without parameters nothing is looked for in the text.
                    connection.exec_driver_sql(text, parameters or None)
            except sa.exc.SQLAlchemyError:
                return

    return run


lies = st.lists(meddlings(), min_size=1, max_size=3)


@settings(max_examples=cases(15, 2000), suppress_health_check=[HealthCheck.too_slow])
@given(lies, st.booleans())
def test_a_ledger_full_of_lies(meddled: list[Meddling], change: bool) -> None:
    with sqlite_prey() as prey:
        lied_to(prey, meddled, change=change)


@settings(max_examples=cases(8, 1000), suppress_health_check=[HealthCheck.too_slow])
@given(meddled=lies, change=st.booleans())
def test_a_ledger_full_of_lies_on_postgresql(postgres_prey: Prey, meddled: list[Meddling], change: bool) -> None:
    wipe(postgres_prey)
    with postgres_prey.engine.begin() as connection:
        connection.exec_driver_sql("DROP FOREIGN DATA WRAPPER IF EXISTS nothing CASCADE")
        found = connection.exec_driver_sql("SELECT indexname FROM pg_indexes WHERE tablename = 'sentinel'").scalars()
        for name in set(found.all()) & TABLES.keys():
            connection.exec_driver_sql(f"DROP INDEX {name}")
    lied_to(postgres_prey, meddled, change=change)


def lied_to(prey: Prey, meddled: list[Meddling], *, change: bool) -> None:
    manager = prey.manager(wanted("note"))
    manager.sync()
    with prey.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO customer (id, note) VALUES (1, 'kept')")
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        for meddle in meddled:
            meddle(connection)
    use(prey, wanted("note", "more") if change else wanted("note"))
    with prey.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT id, note FROM customer").all() == [(1, "kept")]


def use(prey: Prey, metadata: sa.MetaData) -> None:
    """Every command that reads or writes the ledger, drops among them; then a repair, after which all is well."""
    manager = prey.manager(metadata)
    for call in (manager.status, manager.verify, manager.plan, manager.run, manager.sync):
        outcome(call)
        prey.check()
    outcome(lambda: prey.manager(metadata).sync(allow_drop=True))
    prey.check()
    repaired = outcome(prey.manager(metadata).repair)
    prey.check()
    if not isinstance(repaired, MigrationError):
        assert not isinstance(outcome(prey.manager(metadata).sync), MigrationError)
        assert prey.manager(metadata).plan(force=True).plan.is_empty
        prey.check()


@pytest.mark.parametrize(
    ("table", "column", "form"),
    [
        ("__schema_versions__", "checksum", "varchar(3)"),
        ("__schema_objects__", "members", "varchar(400)"),
        ("__schema_objects__", "origin", "bytea"),
        ("__schema_state__", "key", "varchar(3)"),
        ("__schema_state__", "value", "varchar(10)"),
        ("__schema_state__", "value", "jsonb"),
    ],
)
def test_a_ledger_that_cannot_hold_what_belongs_there_is_told_and_mended(
    postgres_prey: Prey, table: str, column: str, form: str
) -> None:
    wipe(postgres_prey)
    postgres_prey.manager(wanted("note")).sync()
    with postgres_prey.engine.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM {table}")
        connection.exec_driver_sql(f"ALTER TABLE {table} ALTER {column} TYPE {form} USING NULL")
    manager = postgres_prey.manager(wanted("note", "more"))
    with pytest.raises(LedgerCorrupt, match=f"{table} has a type that does not hold the ledger's texts: {column}") as e:
        manager.sync()
    assert "m-migrate repair" in e.value.next_step
    [first, *_] = manager.repair().actions
    assert first.startswith("create the ledger's tables again, empty: ")
    manager.sync()
    assert manager.plan(force=True).plan.is_empty
    postgres_prey.check()
