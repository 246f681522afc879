"""After init the plain alembic command works on the same revisions and the same database."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Protocol

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from framework_m_migrations.adapters.sql.revisions import init_project
from framework_m_migrations.domain.errors import ConfigurationError, EnvironmentBroken, VersionFolderMissing
from framework_m_migrations.ports.app_discovery import App
from tests._postgres import PostgresDatabase
from tests.cli._program import Server
from tests.versions.support import EXAMPLES, SCOPES, Apps, Bench, connected

pytestmark = pytest.mark.slow

HEADS = {"c41b7d09e8a6", "b70e51d2f9c8", "f5b61e8a3d92"}


class Command(Protocol):
    """The plain ``alembic`` command; returns what it said."""

    def __call__(
        self, folder: Path, url: str, *arguments: str, code: int = 0, settings: dict[str, str] | None = None
    ) -> str: ...


@pytest.fixture
def alembic(server: Server) -> Command:
    def run(folder: Path, url: str, *arguments: str, code: int = 0, settings: dict[str, str] | None = None) -> str:
        env = {**os.environ, "PYTHONPATH": str(EXAMPLES), "DATABASE_URL": url, **(settings or {})}
        done = server.once(list(arguments), folder, env, "alembic")
        assert done.code == code, done.out + done.err
        return done.out + done.err

    return run


@pytest.fixture
def project(tmp_path: Path, example_apps: Apps) -> Path:
    folder = tmp_path / "my project"
    folder.mkdir()
    init_project(folder, example_apps.discovery().apps())
    return folder


@pytest.fixture(params=["sqlite", "sqlite+aiosqlite", "postgresql+asyncpg", "postgresql+psycopg"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param.startswith("sqlite"):
        return f"{request.param}:///{tmp_path / 'test.db'}"
    database: PostgresDatabase = request.getfixturevalue("postgres_database")
    return str(database.url if request.param.endswith("asyncpg") else database.sync_url)


def test_upgrade_current_history_downgrade(alembic: Command, project: Path, url: str) -> None:
    alembic(project, url, "upgrade", "heads")
    current = alembic(project, url, "current")
    assert all(head in current for head in HEADS)
    assert "warehouses and stock levels" in alembic(project, url, "history")
    alembic(project, url, "downgrade", "stock@base")
    assert "b70e51d2f9c8" not in alembic(project, url, "current")


def test_both_ways_on_one_database(alembic: Command, project: Path, tmp_path: Path, example_apps: Apps) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    alembic(project, url, "upgrade", "8d24e6f90b13")
    with connected(url) as connection:
        bench = Bench(connection, example_apps)
        track = bench.track(project=project)
        assert track.current() == {"8d24e6f90b13"}
        for revision in track.graph().order:
            if revision not in track.graph().closure(track.current()):
                track.upgrade(revision)
        assert track.current() == HEADS
    assert "c41b7d09e8a6 (head)" in alembic(project, url, "current")


def test_failing_upgrade_leaves_nothing_on_sqlite(alembic: Command, project: Path, tmp_path: Path, apps: Apps) -> None:
    apps.revision("bad", "baaaaaaaaaa1", 'op.create_table("half", sa.Column("id", sa.Integer))\nraise ValueError("no")')
    folder = tmp_path / "second"
    folder.mkdir()
    init_project(folder, apps.discovery().apps())
    url = f"sqlite:///{tmp_path / 'test.db'}"
    alembic(folder, url, "upgrade", "heads", code=1, settings={"PYTHONPATH": str(apps.root)})
    with connected(url) as connection:
        assert "half" not in sa.inspect(connection).get_table_names()


def test_offline_sql(alembic: Command, project: Path, tmp_path: Path) -> None:
    out = alembic(project, f"sqlite:///{tmp_path / 'test.db'}", "upgrade", "shop@8d24e6f90b13", "--sql")
    assert "CREATE TABLE shop_order" in out
    assert not (tmp_path / "test.db").exists()


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("sqlite", "apps"),
        ("sqlite+aiosqlite", "metadata"),
        ("postgresql+asyncpg", "apps"),
        ("postgresql+psycopg", "env"),
    ],
    indirect=["url"],
)
def test_check_sees_managed_tables_only(alembic: Command, project: Path, url: str, named: str) -> None:
    models = "crm_lite.models:metadata,shop.models:metadata,stock.models:metadata"
    environment = {
        "apps": {"INSTALLED_APPS": "shop,stock,crm_lite"},
        "metadata": {"FRAMEWORK_M_MIGRATIONS_METADATA": models},
        "env": {},
    }[named]
    if named == "env":
        call = "alembic_env.run([crm_lite.models.metadata, shop.models.metadata])"
        env = (project / "alembic/env.py").read_text()
        (project / "alembic/env.py").write_text(
            env.replace("alembic_env.run()", f"import crm_lite.models\nimport shop.models\n{call}")
        )
    alembic(project, url, "upgrade", "heads")
    engine_url = url.replace("+aiosqlite", "").replace("+asyncpg", "+psycopg")
    with connected(engine_url) as connection:
        Bench(connection, None).run(
            "CREATE TABLE external (id INTEGER)", "CREATE TABLE __schema_versions__ (id INTEGER)"
        )
    assert "No new upgrade operations detected" in alembic(project, url, "check", settings=environment)
    with connected(engine_url) as connection:
        Bench(connection, None).run("ALTER TABLE crm_contact ADD COLUMN surplus INTEGER")
    assert "surplus" in alembic(project, url, "check", code=255, settings=environment)


def test_upgrade_imports_no_models(alembic: Command, project: Path, tmp_path: Path, apps: Apps) -> None:
    apps.file("wms", "models.py", "raise RuntimeError('imported')")
    apps.revision("wms", "aaaaaaaaaaa1")
    folder = tmp_path / "second"
    folder.mkdir()
    init_project(folder, apps.discovery().apps())
    settings = {"PYTHONPATH": str(apps.root), "INSTALLED_APPS": "wms"}
    url = f"sqlite:///{tmp_path / 'test.db'}"
    alembic(folder, url, "upgrade", "heads", settings=settings)
    assert "imported" in alembic(folder, url, "check", code=1, settings=settings)


def test_a_constraint_without_a_name_is_named_by_the_models(alembic: Command, tmp_path: Path, apps: Apps) -> None:
    convention = 'metadata = sa.MetaData(naming_convention={"uq": "uq_%(table_name)s_%(column_0_name)s"})'
    apps.file("wms", "models.py", f"import sqlalchemy as sa\n{convention}\nsa.Table('t', metadata)\n")
    apps.revision("wms", "aaaaaaaaaaa1", 'op.create_table("t", sa.Column("a", sa.Integer), sa.UniqueConstraint("a"))')
    folder = tmp_path / "second"
    folder.mkdir()
    init_project(folder, apps.discovery().apps())
    settings = {"PYTHONPATH": str(apps.root), "INSTALLED_APPS": "wms"}
    url = f"sqlite:///{tmp_path / 'test.db'}"
    alembic(folder, url, "upgrade", "heads", settings=settings)
    with connected(url) as connection:
        assert [found["name"] for found in sa.inspect(connection).get_unique_constraints("t")] == ["uq_t_a"]


def test_no_url_and_no_machine_path_in_the_files(project: Path, tmp_path: Path) -> None:
    for file in (project / "alembic.ini", project / "alembic/env.py", project / "alembic/script.py.mako"):
        text = file.read_text()
        assert str(tmp_path) not in text
        assert str(EXAMPLES) not in text
        assert "://" not in text
        assert "sqlalchemy.url" not in text
    assert "shop:migrations/versions" in (project / "alembic.ini").read_text()


def test_no_database_is_told(alembic: Command, project: Path) -> None:
    assert "DATABASE_URL" in alembic(project, "", "current", code=1)


def test_inside_a_running_loop_without_a_connection(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'test.db'}")
    config = Config(str(project / "alembic.ini"))

    async def main() -> None:
        with pytest.raises(EnvironmentBroken, match="running event loop"):
            command.current(config)

    asyncio.run(main())


def test_folder_without_a_package_name(tmp_path: Path) -> None:
    folder = tmp_path / "revisions"
    folder.mkdir()
    init_project(tmp_path, [App("shop", "shop", folder)])
    assert "    %(here)s/revisions\n" in (tmp_path / "alembic.ini").read_text()


def test_refuses_to_overwrite(tmp_path: Path, example_apps: Apps) -> None:
    (tmp_path / "alembic").mkdir()
    (tmp_path / "alembic" / "env.py").write_text("mine")
    with pytest.raises(ConfigurationError, match=r"alembic/env\.py"):
        init_project(tmp_path, example_apps.discovery().apps())
    assert not (tmp_path / "alembic.ini").exists()
    assert (tmp_path / "alembic" / "env.py").read_text() == "mine"


def test_project_without_apps_keeps_its_own(alembic: Command, tmp_path: Path, sqlite_bench: Bench) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    init_project(folder, [])
    (folder / "alembic/versions/a.py").write_text(
        'revision = "aaaaaaaaaaa1"\ndown_revision = None\ndef upgrade(): pass\ndef downgrade(): pass\n'
    )
    alembic(folder, f"sqlite:///{tmp_path / 'test.db'}", "upgrade", "heads")
    assert sqlite_bench.track(project=folder).current() == {"aaaaaaaaaaa1"}


def test_no_app_with_a_place(tmp_path: Path) -> None:
    with pytest.raises(VersionFolderMissing):
        init_project(tmp_path, [App("shop", "shop")])
    assert list(tmp_path.iterdir()) == []


def test_scopes_are_the_real_ones() -> None:
    assert {type(scopes).__name__ for scopes in SCOPES.values()} == {
        "SqliteDialect",
        "PostgresqlDialect",
        "MariadbDialect",
    }
