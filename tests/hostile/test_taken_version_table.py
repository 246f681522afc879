"""Something else under the name of Alembic's table: told by every command that reads it, before anything is changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import LedgerNameTaken
from tests.hostile.outcome import Prey, check_error, sqlite_prey, wipe
from tests.hostile.test_taken_names import catalog, wanted

if TYPE_CHECKING:
    from tests._mariadb import MariadbDatabase
    from tests._postgres import PostgresDatabase

REVISION = """
from alembic import op
revision, down_revision, branch_labels, depends_on = "version01", None, ("version_app",), None
def upgrade():
    op.execute("CREATE TABLE made (id integer)")
def downgrade():
    op.execute("DROP TABLE made")
"""
READABLE = "VIEW alembic_version AS SELECT 'version01' AS version_num"
"""Alembic would take the revision for applied."""
ON_SQLITE = (READABLE, "VIEW alembic_version AS SELECT 1 AS x", "VIEW ALEMBIC_VERSION AS SELECT 1 AS version_num",
             "INDEX alembic_version ON sentinel (word)")  # fmt: skip
ON_POSTGRESQL = (READABLE, "MATERIALIZED " + READABLE, "SEQUENCE alembic_version", "TYPE alembic_version AS ENUM ('a')",
                 "INDEX alembic_version ON sentinel (word)")  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    versions = tmp_path / "version_app" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "version_app" / "__init__.py").touch()
    (versions / "version01.py").write_text(REVISION, encoding="utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def refused(prey: Prey, project: Path, declared: sa.MetaData, name: str = "alembic_version", **more: object) -> None:
    def manager() -> MigrationManager:
        return prey.manager(declared, path=project, apps=("version_app",), **more)

    before = catalog(prey)
    calls: tuple[Callable[[], object], ...] = (
        lambda: manager().run(),
        lambda: manager().all(),
        lambda: manager().rollback(),
        lambda: manager().status(),
        lambda: manager().verify(),
        lambda: manager().history(),
        lambda: manager().stamp("version01"),
        lambda: manager().create("more", app="version_app"),
    )
    for call in calls:
        with pytest.raises(LedgerNameTaken) as caught:
            call()
        check_error(caught.value)
        assert list(caught.value.details["taken"]) == [name]
        assert "--version-table" in caught.value.next_step
    assert catalog(prey) == before
    assert len(list((project / "version_app" / "migrations" / "versions").glob("*.py"))) == 1
    prey.check()


@contextmanager
def standing(prey: Prey, what: str) -> Iterator[None]:
    with prey.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE {what}")
    yield
    with prey.engine.begin() as connection:
        # What ``wipe`` leaves.
        connection.exec_driver_sql("DROP INDEX IF EXISTS alembic_version" if what.startswith("INDEX") else "SELECT 1")


@pytest.mark.parametrize("what", ON_SQLITE)
def test_on_sqlite(project: Path, what: str) -> None:
    with sqlite_prey() as prey, standing(prey, what):
        refused(prey, project, wanted("note"))


@pytest.mark.parametrize("what", ON_POSTGRESQL)
def test_on_postgresql(postgres_prey: Prey, project: Path, what: str) -> None:
    wipe(postgres_prey)
    with standing(postgres_prey, what):
        refused(postgres_prey, project, wanted("note"))


def test_a_table_of_another_name(postgres_prey: Prey, project: Path) -> None:
    """The name is chosen by --version-table, and need not be a plain one."""
    wipe(postgres_prey)
    with standing(postgres_prey, "VIEW \"My Versions\" AS SELECT 'x' AS version_num"):
        refused(postgres_prey, project, wanted("note"), "My Versions", version_table="My Versions")
        assert postgres_prey.manager(wanted("note"), path=project, apps=("version_app",)).run().revisions


@pytest.mark.mariadb
@pytest.mark.parametrize("what", [READABLE, "SEQUENCE alembic_version"])
def test_on_mariadb(mariadb_database: MariadbDatabase, project: Path, what: str) -> None:
    engine = sa.create_engine(mariadb_database.sync_url)
    try:
        prey = Prey(engine)
        with standing(prey, what):
            refused(prey, project, wanted("note"))
    finally:
        engine.dispose()


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_a_table_further_along_the_search_path_is_the_one(
    postgres_database: PostgresDatabase, project: Path, driver: str
) -> None:
    """A look at the first schema only would find none, and every revision would run again."""
    url: Any = sa.make_url(postgres_database.sync_url if driver == "psycopg" else postgres_database.url)
    engine = sa.create_engine(postgres_database.sync_url)
    settings = MigrationSettings(url.render_as_string(hide_password=False), path=project, apps=("version_app",))
    assert MigrationManager(settings).run().revisions == ("version01",)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA nearer")
        name = connection.exec_driver_sql("SELECT quote_ident(current_database())").scalar_one()
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET search_path = nearer, public")
    assert MigrationManager(settings).run().revisions == ()
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE VIEW nearer.alembic_version AS SELECT 'version01' AS version_num")
    with pytest.raises(LedgerNameTaken):
        MigrationManager(settings).run()
    engine.dispose()
