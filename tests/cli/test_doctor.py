"""doctor: each trouble made for real, what it is called, and the way out."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.domain.results import Check
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.waiting import acquire
from tests._mariadb import MariadbDatabase
from tests._postgres import PostgresDatabase
from tests.cli._program import WITH_NOTE, Project

APPS = ("--apps", "shop")


def wrong(project: Project, *options: str) -> dict[str, tuple[str, str]]:
    done = project.run("doctor", "--json", *options)
    found = {one["name"]: (one["found"], one["next_step"]) for one in done.json["checks"] if not one["ok"]}
    assert done.code == (3 if found else 0), done
    return found


def test_nothing_is_wrong_with_a_synced_project(project: Project) -> None:
    project.run("sync")
    assert wrong(project) == {}
    assert "Nothing is wrong" in project.run("doctor").out


def test_troubles_of_both_tracks_are_told_together(project: Project) -> None:
    project.app("shop", {"id": "aa01", "labels": ("shop",)}, {"id": "aa02", "down": "aa01"})
    project.run("all", *APPS)
    project.models(WITH_NOTE)
    project.app("shop", {"id": "aa03", "down": "aa02"})
    found = wrong(project, *APPS)
    assert found.keys() == {"revisions", "schema"}
    assert "aa03" in found["revisions"][0]
    assert "m-migrate run" in found["revisions"][1]
    assert "note" in found["schema"][0]
    assert "m-migrate sync" in found["schema"][1]
    project.app("shop", {"id": "aa04", "down": "aa02"})
    assert "M50" in wrong(project, *APPS)["revisions"][0]
    project.query("UPDATE alembic_version SET version_num = 'gone'")
    project.query("ALTER TABLE __schema_state__ RENAME COLUMN value TO other")
    found = wrong(project, *APPS)
    assert "gone" in found["revisions"][0]
    assert found["ledger"][0].startswith("M3")
    assert "m-migrate repair" in found["ledger"][1]


def test_a_database_that_does_not_answer(project: Project) -> None:
    found = wrong(project, "--database-url", "postgresql+asyncpg://me:secret@127.0.0.1:1/none")
    assert found.keys() == {"connection"}
    assert found["connection"][0].startswith("M2")
    assert "secret" not in str(found)


@pytest.mark.postgres
def test_rights_lock_and_what_stands_in_the_way(postgres_database: PostgresDatabase) -> None:
    metadata = sa.MetaData()
    sa.Table("a", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("b", sa.Integer, index=True))
    manager = MigrationManager(MigrationSettings(database_url=postgres_database.url, metadata=(metadata,)))
    manager.sync()
    assert [check.name for check in manager.doctor() if not check.ok] == []
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_a_b'::regclass")
        connection.exec_driver_sql("CREATE TABLE stray (id int)")
    (schema,) = [check for check in manager.doctor() if not check.ok]
    assert (schema.name, "ix_a_b" in schema.found, "stray" in schema.found) == ("schema", True, True)
    assert "m-migrate sync" in schema.next_step
    manager.sync()
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE stray")
    assert [check.name for check in manager.doctor() if not check.ok] == []


@pytest.mark.postgres
def test_a_lock_that_is_held_and_rights_that_lack(postgres_database: PostgresDatabase) -> None:
    metadata = sa.MetaData()
    sa.Table("a", metadata, sa.Column("id", sa.Integer, primary_key=True))
    manager = MigrationManager(MigrationSettings(database_url=postgres_database.url, metadata=(metadata,)))
    manager.sync()
    found: list[Check] = []

    def hold(session: Session) -> UseCase[None]:
        yield from acquire(session, LockOptions())
        found.extend(check for check in manager.doctor() if not check.ok)
        session.lock.release()

    MigrationManager(MigrationSettings(database_url=postgres_database.sync_url, metadata=(metadata,))).perform(hold)
    assert [(check.name, check.found.startswith("held by")) for check in found] == [("lock", True)]

    url = sa.make_url(postgres_database.url)
    role = f"little_{url.database}"
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'little'")
    try:
        little = url.set(username=role, password="little").render_as_string(hide_password=False)
        checks = MigrationManager(MigrationSettings(database_url=little, metadata=(metadata,))).doctor()
        (rights,) = [check for check in checks if check.name == "rights"]
        assert (rights.ok, "GRANT" in rights.found) == (False, True), rights
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP ROLE {role}")


def test_a_driver_that_is_too_old(project: Project) -> None:
    project.run("sync")
    folder = project.path / "old" / "aiosqlite-0.17.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: aiosqlite\nVersion: 0.17.0\n")
    url = f"sqlite+aiosqlite:///{project.file}"
    done = project.run_whole("doctor", "--json", env={"PYTHONPATH": str(folder.parent), "DATABASE_URL": url})
    (versions,) = [one for one in done.json["checks"] if not one["ok"]]
    assert done.code == 3
    assert "aiosqlite 0.17.0; too old" in versions["found"]
    assert versions["next_step"] == "Install aiosqlite>=0.20."


@pytest.mark.mariadb
def test_troubles_on_mariadb(mariadb_database: MariadbDatabase) -> None:
    metadata = sa.MetaData()
    sa.Table("a", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("b", sa.Integer, index=True))

    def wrong(url: str) -> dict[str, str]:
        made = MigrationManager(MigrationSettings(database_url=url, metadata=(metadata,)))
        return {check.name: check.found for check in made.doctor() if not check.ok}

    MigrationManager(MigrationSettings(database_url=mariadb_database.url, metadata=(metadata,))).sync()
    assert wrong(mariadb_database.url) == {}
    mariadb_database.execute("DROP INDEX ix_a_b ON a", "CREATE TABLE stray (id int)")
    found = wrong(mariadb_database.sync_url)
    assert found.keys() == {"schema"}
    assert "ix_a_b" in found["schema"]
    assert "stray" in found["schema"]

    role = f"little_{mariadb_database.name[-12:]}"
    name = mariadb_database.name
    mariadb_database.execute(
        f"CREATE USER {role}@'127.0.0.1' IDENTIFIED BY 'little'", f"GRANT SELECT ON {name}.* TO {role}@'127.0.0.1'"
    )
    try:
        url = sa.make_url(mariadb_database.url).set(username=role, password="little")
        found = wrong(url.render_as_string(hide_password=False))
        assert "GRANT" in found["rights"]
    finally:
        mariadb_database.execute(f"DROP USER {role}@'127.0.0.1'")
