"""What depends on the server: its rights, its locks, its case of names; and the program from end to end."""

from __future__ import annotations

from collections.abc import Iterator

import pymysql
import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql.dialects.mariadb.locks import lock_name
from framework_m_migrations.domain.errors import (
    ConnectionFailed,
    LockTimeout,
    MigrationLocked,
    MissingPrivilege,
    UnsupportedDatabase,
)
from framework_m_migrations.domain.options import LockOptions
from tests import _mariadb
from tests._mariadb import MariadbDatabase, MariadbServer
from tests.cli._program import ALL_RISKS, WITH_OLD, Project
from tests.cli.conftest import apps, project  # noqa: F401
from tests.conftest import SESSION_OWNER, mariadb_folder
from tests.mariadb.conftest import site_of
from tests.sync.conftest import Site

pytestmark = pytest.mark.mariadb


def kinds(*columns: sa.Column[int], name: str = "kinds") -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    return metadata


@pytest.fixture
def account(mariadb_database: MariadbDatabase) -> Iterator[str]:
    """An account without any right."""
    name = mariadb_database.name
    mariadb_database.execute(f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'few rights'")
    yield name
    mariadb_database.execute(f"DROP USER {name}@'127.0.0.1'")


def test_a_missing_right_is_named_with_its_grant_before_anything_is_done(
    mariadb_database: MariadbDatabase, account: str
) -> None:
    place, name = mariadb_database.server, mariadb_database.name
    url = f"mariadb+pymysql://{account}:few%20rights@{place.host}:{place.port}/{name}"
    manager = MigrationManager(MigrationSettings(url, metadata=(kinds(),)))
    mariadb_database.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO {account}@'127.0.0.1'")
    with pytest.raises(MissingPrivilege) as refused:
        manager.sync()
    assert f"GRANT CREATE ON `{name}`.* TO `{account}`@`127.0.0.1`" in str(refused.value)
    assert mariadb_database.execute("SHOW TABLES") == []
    role = f"{name}_role"
    try:
        mariadb_database.execute(
            f"CREATE ROLE {role}",
            f"GRANT CREATE ON {name}.* TO {role}",
            f"GRANT {role} TO {account}@'127.0.0.1'",
            f"SET DEFAULT ROLE {role} FOR {account}@'127.0.0.1'",
        )
        assert manager.sync().steps == 1
        with pytest.raises(MissingPrivilege, match="right ALTER on the table"):
            MigrationManager(MigrationSettings(url, metadata=(kinds(sa.Column("x", sa.Integer)),))).sync()
    finally:
        mariadb_database.execute(f"DROP ROLE {role}")


def test_a_table_that_is_held_ends_the_wait_and_the_lock_keeps_others_out(mariadb_database: MariadbDatabase) -> None:
    site = site_of(mariadb_database, "pymysql")
    site.settle(kinds())
    more = kinds(sa.Column("x", sa.Integer))
    locks = LockOptions(wait=0.2, lock_timeout=1.0, retries=0)
    impatient = MigrationManager(MigrationSettings(site.url, metadata=(more,), locks=locks))
    with site.plain.connect() as holder:
        holder.exec_driver_sql("SELECT * FROM kinds")
        with pytest.raises(LockTimeout):
            impatient.sync()
    with site.plain.connect() as holder:
        holder.exec_driver_sql(f"SELECT GET_LOCK('{lock_name(mariadb_database.name)}', 0)")
        with pytest.raises(MigrationLocked, match="connection"):
            impatient.sync()
    impatient.sync()
    assert site.plan(more).to_dict()["changes"] == []


@pytest.mark.parametrize("driver", ["pymysql", "asyncmy"])
def test_both_tracks_from_first_to_last_command(
    apps: Project,  # noqa: F811
    mariadb_database: MariadbDatabase,
    driver: str,
) -> None:
    names = ("--apps", "shop,stock")
    site = Project(apps.path, apps.server, site_of(mariadb_database, driver).url)
    site.models(WITH_OLD)
    done = site.run("all", *names)
    assert done.code == 0, done.err
    assert site.run("sync", "--force", *names).out.startswith("Up to date: ")
    mariadb_database.execute("INSERT INTO customer (id, title) VALUES (1, 'first')")
    site.models(ALL_RISKS)
    assert site.run("plan", *names, "--json").json["counts"] == {"safe": 1, "warning": 1, "breaking": 1}
    for statement in site.run("sync", "--sql", *names).out.splitlines():
        if not statement.startswith("--"):
            mariadb_database.execute(statement)
    assert [row[0] for row in mariadb_database.execute("DESCRIBE customer")] == ["id", "title", "note"]
    assert site.run("verify", *names).code == 3
    assert site.run("rollback", *names, "--json").json["revisions"] == ["bb01"]
    dropped = site.run("sync", "--allow-drop", "--yes", *names)
    assert dropped.code == 0, dropped.err
    assert "DROP TABLE" in dropped.out
    assert site.run("status", *names).code == 0
    assert mariadb_database.execute("SELECT id, title FROM customer") == [(1, "first")]


def test_names_that_the_server_folds_are_found_again(pytestconfig: pytest.Config) -> None:
    folder = mariadb_folder(pytestconfig)
    folder = folder.with_name(f"{folder.name}-folds-{pytestconfig.stash[SESSION_OWNER]}")
    folding: MariadbServer = _mariadb.shared_server(
        folder, pytestconfig.stash[SESSION_OWNER], ["--lower-case-table-names=1"]
    )
    try:
        site: Site = site_of(folding.create_database(), "pymysql")
        metadata = kinds(name="Sales Invoice")
        sa.Table(
            "Line",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("parent", sa.ForeignKey("Sales Invoice.id", name="fk_parent")),
        )
        site.settle(metadata)
        assert {"line", "sales invoice"} <= set(site.inspect().get_table_names())
    finally:
        _mariadb.stop_server(folder)


def test_what_cannot_be_reached_is_told_in_our_words(mariadb_server: MariadbServer) -> None:
    for url in (mariadb_server.url("absent", "pymysql"), mariadb_server.url("absent")):
        with pytest.raises(ConnectionFailed, match="absent") as failed:
            MigrationManager(MigrationSettings(url, metadata=(kinds(),))).sync()
        assert mariadb_server.password not in str(failed.value)
    with pytest.raises(UnsupportedDatabase, match="mysql"):
        MigrationManager(MigrationSettings("mysql+pymysql://u@h/d", metadata=(kinds(),))).sync()
    with pytest.raises(pymysql.err.OperationalError):
        mariadb_server.execute("SELECT 1", database="absent")
