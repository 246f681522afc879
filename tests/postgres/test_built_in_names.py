"""Enumerations named like PostgreSQL's own types: refused before anything is planned, as columns would get the other.

``sa.Enum("a", "b", name="bool")`` made a boolean column and an enumeration that nothing used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql.dialects.postgresql.text import is_built_in_type
from framework_m_migrations.domain.errors import InvalidMetadata
from tests._postgres import PostgresDatabase

NAMES = ("bool", "int4", "timestamptz", "path", "varchar", "serial", "dec", "_text", "pg_class", "trigger", "timestamp")
IN_THE_GRAMMAR = """
    bigint bigserial bit boolean char character dec decimal float int integer interval national nchar numeric real
    serial serial2 serial4 serial8 smallint smallserial time timestamp varchar
"""
"""SimpleTypename of PostgreSQL's gram.y, and what transformColumnDefinition takes for a sequence."""


def holding(type_: sa.types.TypeEngine[Any]) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("e", type_))
    return metadata


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_and_nothing_is_changed(
    postgres_database: PostgresDatabase, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "built_in_app" / "migrations" / "versions").mkdir(parents=True)
    (tmp_path / "built_in_app" / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", list(sys.path))
    enum = sa.Enum("a", "b", name=name)
    types: tuple[sa.types.TypeEngine[Any], ...] = (enum, sa.ARRAY(enum))
    for type_ in types:
        settings = MigrationSettings(
            postgres_database.sync_url, metadata=(holding(type_),), path=tmp_path, apps=("built_in_app",)
        )
        manager = MigrationManager(settings)
        calls: tuple[Callable[[], object], ...] = (
            manager.plan, manager.sync, manager.verify, partial(manager.create, "more", app="built_in_app"),
        )  # fmt: skip
        for call in calls:
            with pytest.raises(InvalidMetadata) as caught:
                call()
            assert name in caught.value.what
    engine = sa.create_engine(postgres_database.sync_url)
    with engine.connect() as connection:
        made = "SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace"
        assert connection.exec_driver_sql(made).all() == []
    engine.dispose()
    assert list(tmp_path.glob("**/versions/*.py")) == []


def test_every_type_of_the_server_is_known(postgres_database: PostgresDatabase) -> None:
    engine = sa.create_engine(postgres_database.sync_url)
    with engine.connect() as connection:
        names = "SELECT typname::text FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace"
        found = set(connection.exec_driver_sql(names).scalars())
    engine.dispose()
    assert len(found) > 400
    assert sorted(name for name in found | {*IN_THE_GRAMMAR.split()} if not is_built_in_type(name)) == []


def test_every_other_key_word_is_a_name(postgres_database: PostgresDatabase) -> None:
    """Each column has the enumeration that was declared for it, and a second look finds nothing to do."""
    engine = sa.create_engine(postgres_database.sync_url)
    with engine.connect() as connection:
        words = [
            str(word)
            for word in connection.exec_driver_sql("SELECT word FROM pg_get_keywords()").scalars()
            if not is_built_in_type(str(word))
        ]
    words += ["Integer", "TIMESTAMP", "pg_rating", "integer_", "own"]
    assert len(words) > 400
    metadata = sa.MetaData()
    columns: list[sa.Column[Any]] = [sa.Column(f"c{n}", sa.Enum("a", name=word)) for n, word in enumerate(words)]
    sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    MigrationManager(MigrationSettings(metadata=(metadata,)), engine=engine).sync()
    with engine.connect() as connection:
        types = connection.exec_driver_sql(
            "SELECT t.typname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
            " WHERE a.attrelid = 't'::regclass AND a.attnum > 1 AND t.typtype = 'e' ORDER BY a.attnum"
        )
        assert list(types.scalars()) == words
    assert MigrationManager(MigrationSettings(metadata=(metadata,)), engine=engine).plan(force=True).plan.is_empty
    engine.dispose()


def test_with_a_schema_the_name_is_its_own(postgres_database: PostgresDatabase) -> None:
    engine = sa.create_engine(postgres_database.sync_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA kinds")
    for labels in (("a",), ("a", "b")):
        metadata = holding(sa.Enum(*labels, name="bool", schema="kinds"))
        MigrationManager(MigrationSettings(metadata=(metadata,)), engine=engine).sync()
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO t (e) VALUES ('b')")
        assert connection.exec_driver_sql("SELECT e::text, pg_typeof(e)::text FROM t").one() == ("b", "kinds.bool")
    engine.dispose()
