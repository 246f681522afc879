"""A default that was taken away is gone for good, whatever PostgreSQL keeps of ``SET DEFAULT NULL``."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from framework_m_migrations import MigrationManager, MigrationSettings
from tests._postgres import PostgresDatabase

DEFAULTS = {
    "'a'": (sa.String(5), sa.CHAR(3), sa.Text(), pg.DOMAIN("short", sa.String(4), create_type=False),
            pg.DOMAIN("filled", sa.String(4), create_type=False)),
    "1": (sa.Numeric(10, 2), sa.Integer()),
    "B'101'": (pg.BIT(3), pg.BIT(3, varying=True)),
    "'2020-01-01 10:00'": (pg.TIMESTAMP(precision=3), pg.TIMESTAMP(timezone=True, precision=3), pg.TIME(precision=2)),
    "'1 day'": (pg.INTERVAL(precision=2),),
    "'{1}'": (sa.ARRAY(sa.String(5)), sa.ARRAY(sa.Numeric(4, 1))),
}  # fmt: skip


def declared(*, defaults: bool) -> sa.MetaData:
    metadata = sa.MetaData()
    table = sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True))
    for default, types in DEFAULTS.items():
        for type_ in types:
            table.append_column(
                sa.Column(f"c{len(table.columns)}", type_, server_default=sa.text(default) if defaults else None)
            )
    return metadata


@pytest.mark.postgres
def test_for_every_type_with_a_length_and_for_domains_over_them(postgres_database: PostgresDatabase) -> None:
    def manager(*, defaults: bool) -> MigrationManager:
        url = postgres_database.sync_url
        return MigrationManager(MigrationSettings(database_url=url, metadata=(declared(defaults=defaults),)))

    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE DOMAIN short AS varchar(4)")
        connection.exec_driver_sql("CREATE DOMAIN filled AS varchar(4) CHECK (VALUE <> '')")
    manager(defaults=True).sync()
    with engine.begin() as connection:
        [row] = connection.exec_driver_sql("INSERT INTO item (id) VALUES (1) RETURNING *")
        assert None not in row
    result = manager(defaults=False).sync()
    assert result.withheld == ()
    assert manager(defaults=False).plan(force=True).to_dict()["changes"] == []
    with engine.begin() as connection:
        [row] = connection.exec_driver_sql("INSERT INTO item (id) VALUES (2) RETURNING *")
        assert set(row[1:]) == {None}
