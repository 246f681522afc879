"""Enumerations with names that PostgreSQL takes for columns and not for types are quoted, by sync and in revisions."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from tests._postgres import PostgresDatabase
from tests.versions.comparing import differences
from tests.versions.support import Bench
from tests.versions.test_write import FIRST, SECOND, draft, metadata, round_trip

NAMES = ("position", "values", "row", "between", "setof", "precision", "returning", "lateral", "select", "Mixed")


def declared(*labels: str) -> sa.MetaData:
    def define(made: sa.MetaData) -> None:
        columns: list[sa.Column[Any]] = [
            sa.Column(f"c_{name}", sa.Enum(*labels, name=name), server_default=labels[0]) for name in NAMES
        ]
        lists: list[sa.Column[Any]] = [sa.Column(f"l_{name}", sa.ARRAY(sa.Enum(*labels, name=name))) for name in NAMES]
        sa.Table("item", made, sa.Column("id", sa.Integer, primary_key=True), *columns, *lists)

    return metadata(define)


def one_column(type_: sa.types.TypeEngine[str]) -> sa.MetaData:
    def define(made: sa.MetaData) -> None:
        sa.Table("item", made, sa.Column("id", sa.Integer, primary_key=True), sa.Column("c", type_))

    return metadata(define)


@pytest.mark.postgres
def test_a_text_becomes_such_an_enumeration(postgres_bench: Bench) -> None:
    with postgres_bench.connection.begin():
        one_column(sa.Text()).create_all(postgres_bench.connection)
    round_trip(postgres_bench, one_column(sa.Enum("a", "b", name="position")), "INSERT INTO item VALUES (1, 'b')")
    assert postgres_bench.rows("SELECT c FROM item") == [("b",)]


@pytest.mark.postgres
def test_an_enumeration_named_like_a_key_word(postgres_bench: Bench) -> None:
    round_trip(postgres_bench, declared("a", "b"))
    later = declared("a", "b", "c")
    changes = differences(postgres_bench.connection, later)
    track = postgres_bench.track()
    track.write(draft(SECOND, "labels", (FIRST,)), changes)
    postgres_bench.track().upgrade(SECOND)
    assert differences(postgres_bench.connection, later) == []
    postgres_bench.run("INSERT INTO item (id, c_position, l_row) VALUES (1, 'c', '{c}')")


@pytest.mark.postgres
def test_sync_quotes_them_too(postgres_database: PostgresDatabase) -> None:
    for labels in (("a", "b"), ("a", "b", "c")):
        settings = MigrationSettings(database_url=postgres_database.url, metadata=(declared(*labels),))
        manager = MigrationManager(settings)
        assert manager.sync().withheld == ()
        assert manager.plan(force=True).plan.changes == ()
