"""A table or column declared in another case of letters than SQLite and MariaDB have it: told before any change."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.errors import NameInOtherCase
from tests.hostile.outcome import Prey, check_error, sqlite_prey, wipe
from tests.hostile.test_taken_names import catalog

if TYPE_CHECKING:
    from tests._mariadb import MariadbDatabase


def wanted(table: str, *columns: str | sa.Column[Any], info: dict[str, str] | None = None) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("before", metadata, sa.Column("id", sa.Integer, primary_key=True))
    made = (sa.Column(one, sa.Text) if isinstance(one, str) else one for one in columns)
    sa.Table(table, metadata, sa.Column("id", sa.Integer, primary_key=True), *made, info=info or {})
    return metadata


def refused(prey: Prey, declared: sa.MetaData, names: tuple[str, str]) -> None:
    """By every command, with both names; and nothing is made, offered or dropped."""
    before = catalog(prey)
    manager = partial(prey.manager, declared)
    calls: tuple[Callable[[], object], ...] = (
        lambda: manager().plan(),
        lambda: manager().sync(),
        lambda: manager().sync(allow_drop=True),
        lambda: manager().verify(),
    )
    for call in calls:
        with pytest.raises(NameInOtherCase) as caught:
            call()
        check_error(caught.value)
        assert (caught.value.details["declared"], caught.value.details["existing"]) == names
        assert all(name.rpartition(".")[2] in caught.value.what for name in names)
    assert catalog(prey) == before
    prey.check()


@pytest.mark.parametrize("ours", [False, True])
def test_a_table(ours: bool) -> None:
    with sqlite_prey() as prey:
        if ours:
            prey.manager(wanted("order", "word")).sync()
        with prey.engine.begin() as connection:
            connection.exec_driver_sql('CREATE TABLE IF NOT EXISTS "order" (id integer PRIMARY KEY, word text)')
            connection.exec_driver_sql("INSERT INTO \"order\" VALUES (1, 'kept')")
        refused(prey, wanted("Order", "word"), ("Order", "order"))
        # SQLite renames no table to the same name in another case, so that a declared rename is none that create does.
        refused(prey, wanted("Order", "word", info={"renamed_from": "order"}), ("Order", "order"))
        assert "order" in prey.tables()
        prey.manager(wanted("order", "word")).sync()
        assert prey.manager(wanted("order", "word")).plan(force=True).plan.is_empty


@pytest.mark.parametrize("ours", [False, True])
def test_a_column(ours: bool) -> None:
    with sqlite_prey() as prey:
        if ours:
            prey.manager(wanted("item", "Word")).sync()
        with prey.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS item (id integer PRIMARY KEY, Word text)")
            connection.exec_driver_sql("INSERT INTO item VALUES (1, 'kept')")
        refused(prey, wanted("item", "word"), ("item.word", "item.Word"))
        renamed = wanted("item", sa.Column("word", sa.Text, info={"renamed_from": "Word"}))
        assert [one.judgement.rule for one in prey.manager(renamed).plan().plan.withheld] == ["column-renamed"]


def test_letters_that_are_not_ascii_are_different_to_sqlite() -> None:
    with sqlite_prey() as prey:
        with prey.engine.begin() as connection:
            connection.exec_driver_sql('CREATE TABLE "ärger" (id integer PRIMARY KEY, "größe" text)')
        assert prey.manager(wanted("Ärger", "x")).sync().applied
        assert prey.manager(wanted("ärger", "größe", "GRÖßE")).sync().applied
        assert {"ärger", "Ärger"} <= prey.tables()


def test_postgresql_tells_them_apart(postgres_prey: Prey) -> None:
    wipe(postgres_prey)
    with postgres_prey.engine.begin() as connection:
        connection.exec_driver_sql('CREATE TABLE "order" (id integer PRIMARY KEY)')
    assert postgres_prey.manager(wanted("Order", "word")).sync().applied
    assert postgres_prey.manager(wanted("Order", "word", "Word")).sync().applied
    assert {"order", "Order"} <= postgres_prey.tables()


@pytest.mark.mariadb
def test_a_column_of_mariadb(mariadb_database: MariadbDatabase) -> None:
    engine = sa.create_engine(mariadb_database.sync_url)
    try:
        prey = Prey(engine)
        prey.manager(wanted("item", "Word")).sync()
        refused(prey, wanted("item", "word"), ("item.word", "item.Word"))
        assert prey.manager(wanted("Item", "word")).sync().applied, "tables are told apart, as the server was set up"
    finally:
        engine.dispose()
