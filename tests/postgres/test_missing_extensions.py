"""An extension that a model needs and the database lacks is named, with what creates it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import DatabaseError
from tests._postgres import PostgresDatabase

pytestmark = pytest.mark.postgres


class Vector(sa.types.UserDefinedType[object]):
    def get_col_spec(self, **_: object) -> str:
        return "vector(3)"


NEEDING: list[tuple[str, Callable[[], Any]]] = [
    ("citext", lambda: (sa.Column("name", postgresql.CITEXT),)),
    ("hstore", lambda: (sa.Column("more", postgresql.HSTORE),)),
    ("vector", lambda: (sa.Column("at", Vector),)),
    ("pg_trgm", lambda: (
        sa.Column("name", sa.Text),
        sa.Index("ix_name", "name", postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"}),
    )),
    ("btree_gist", lambda: (
        sa.Column("room", sa.Integer),
        postgresql.ExcludeConstraint(("room", "="), name="ex_room"),
    )),
]  # fmt: skip


@pytest.mark.parametrize(("extension", "parts"), NEEDING, ids=[name for name, _ in NEEDING])
@pytest.mark.parametrize("exists", [False, True], ids=["new", "standing"])
def test_it_is_named(
    postgres_database: PostgresDatabase, extension: str, parts: Callable[[], Any], exists: bool
) -> None:
    def manager(*more: Any) -> MigrationManager:
        metadata = sa.MetaData()
        sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True), *more)
        return MigrationManager(MigrationSettings(postgres_database.sync_url, metadata=(metadata,)))

    if exists:
        manager().sync()
    with pytest.raises(DatabaseError) as raised:
        manager(*parts()).sync()
    assert raised.value.details["extension"] == extension
    assert f"CREATE EXTENSION {extension}" in raised.value.next_step
