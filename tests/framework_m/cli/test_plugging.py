"""How the host takes this package in: in every order of installation, and in place of its own parts."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from textwrap import dedent

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from scripts.waiting import PROGRAM_LIMIT
from tests.framework_m.cli.project import PASSED_ON, ROOT, Project
from tests.framework_m.conftest import MakeApp
from tests.framework_m.test_loading import doctype

ORDER = """
import json, sys
from framework_m_core.cli import plugin_loader
found = [one.value.partition(".")[0] for one in plugin_loader.discover_plugins()]
ours, host = found.index("framework_m_migrations"), found.index("framework_m_standard")
assert (ours < host) == (sys.argv[1] == "first"), found
from framework_m_core.cli.main import app
from framework_m_migrations.embedding.framework_m.host_cli import served_by_us
sys.stdout.write(json.dumps({name: served_by_us(name) for name in app["migrate"] if not name.startswith("-")}))
"""


@pytest.mark.parametrize("order", ["first", "last"])
def test_every_command_is_ours_whatever_the_order(order: str, tmp_path: Path) -> None:
    """Python lists packages folder by folder, and one that it meets again counts where it was met first."""
    for name in ("framework-m-standard", "framework-m-migrations"):
        info = tmp_path / name / f"{name.replace('-', '_')}-{distribution(name).version}.dist-info"
        info.mkdir(parents=True)
        for file in ("METADATA", "entry_points.txt"):
            (info / file).write_text(distribution(name).read_text(file) or "", encoding="utf-8")
    folders = [str(tmp_path / name) for name in ("framework-m-migrations", "framework-m-standard")]
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ORDER, order],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=PROGRAM_LIMIT,
        env={key: value for key, value in os.environ.items() if key in PASSED_ON}
        | {"PYTHONPATH": os.pathsep.join(folders if order == "first" else reversed(folders))},
    )  # fmt: skip
    found = json.loads(ended.stdout)
    named = {"all", "run", "sync", "verify", "create", "rollback", "status", "history", "init", "plan", "doctor"}
    assert named <= found.keys()
    assert set(found.values()) == {True}


def test_every_command_of_ours_is_there_with_all_its_options() -> None:
    from framework_m_migrations.cli.app import COMMANDS
    from framework_m_migrations.cli.framework_m.commands import COMMANDS as HOSTED

    for name, function in COMMANDS:
        # The host has it the other way round.
        ours = set(inspect.signature(function).parameters) - {"no_autogenerate"}
        assert ours <= set(inspect.signature(HOSTED[name]).parameters), name


def test_the_program_itself(on_sqlite: Project) -> None:
    """The ``m`` that pip installed, without any help of these tests."""
    on_sqlite.things("title: str = ''")
    ended = subprocess.run(
        [str(Path(sys.executable).parent / "m"), "migrate", "all", "--json"],
        cwd=on_sqlite.home, capture_output=True, text=True, check=True, timeout=PROGRAM_LIMIT,
        env={**on_sqlite.environment(), "PYTHONPATH": str(on_sqlite.site)},
    )  # fmt: skip
    assert json.loads(ended.stdout)["command"] == "all"
    assert "thing" in on_sqlite.tables()


def test_the_hosts_options_are_kept(on_sqlite: Project) -> None:
    project = on_sqlite
    project.things("title: str = ''")
    del project.env
    project.env = {"DATABASE_URL": ""}
    options = ["-d", project.url, "--path", str(project.home), "--apps", "shop"]
    project.m("sync", *options, "--allow-dangerous", "--max-lock-time", "5", "--force", "--dry-run")
    project.m("sync", *options, "--no-allow-dangerous", "--allow-drop", "--yes")
    project.m("run", *options, "--revision", "head", "--version-table", "other_version", "-x", "a=b", "--x-arg", "c=d")
    project.m("--apps", "shop", "--database-url", project.url)
    project.m("all", *options, "--no-allow-dangerous", "--force", "--max-lock-time", "5")
    project.m("verify", *options, "--engine", "sqlalchemy")
    for command in ("status", "history"):
        project.m(command, *options, "--tenant", "acme")
    assert "thing" in project.tables()


def test_sites_and_tenants_with_databases_of_their_own(on_sqlite: Project) -> None:
    project = on_sqlite
    project.things("title: str = ''")
    other, third = project.folder / "other.db", project.folder / "third.db"
    (project.home / "sites" / "north").mkdir(parents=True)
    (project.home / "sites" / "north" / "config.toml").write_text(f'database_url = "sqlite+aiosqlite:///{other}"\n')
    (project.home / "framework_config.toml").write_text(f'[tenants.databases]\nacme = "sqlite+aiosqlite:///{third}"\n')
    project.m("sync", "--site", "north")
    project.m("sync", "--tenant", "acme")
    for file in (other, third):
        with sa.create_engine(f"sqlite:///{file}", poolclass=sa.pool.NullPool).connect() as connection:
            assert sa.inspect(connection).has_table("thing")
    project.m("sync", "--site", "nowhere", code=2)


def test_a_disabled_database_is_no_failure(on_sqlite: Project) -> None:
    on_sqlite.env["DATABASE_URL"] = "none"
    assert "disabled" in on_sqlite.m("all").err


@pytest.fixture
def overridden() -> Iterator[object]:
    from framework_m_core.container import Container, load_overrides

    container = Container()
    load_overrides(container)
    yield container
    for provider in vars(Container).values():
        if hasattr(provider, "reset_override"):
            provider.reset_override()


def test_the_container_builds_our_manager(overridden: object, tmp_path: Path, make_app: MakeApp) -> None:
    from framework_m_standard.adapters.db.schema_detector import SchemaChangeType

    from framework_m_migrations.embedding.framework_m.manager import Manager

    make_app("shop", {"doctypes/thing.py": doctype("title: str = ''")})
    url = f"sqlite+aiosqlite:///{tmp_path / 'a%40b.db'}"
    manager = overridden.migration_manager(base_path=tmp_path, database_url=url, version_table=None, x_args=None)  # type: ignore[attr-defined]
    assert type(manager) is Manager
    assert manager.config.get_main_option("sqlalchemy.url") == url
    metadata = sa.MetaData()
    sa.Table("note", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer))
    for dry_run, expected in ((True, 1), (False, 1), (False, 0)):
        changes = manager.auto_migrate(target_metadata=metadata, dev_mode=True, dry_run=dry_run)
        assert [change.change_type for change in changes] == [SchemaChangeType.NEW_TABLE] * expected
    changed = sa.MetaData()
    sa.Table("note", changed, sa.Column("id", sa.Integer, primary_key=True), sa.Column("m", sa.String(5)))
    changes = manager.auto_migrate(target_metadata=changed, dev_mode=True, allow_drop=True, force=True)
    assert {(c.change_type, c.column_name) for c in changes} == {
        (SchemaChangeType.NEW_COLUMN, "m"),
        (SchemaChangeType.DROPPED_COLUMN, "n"),
    }
    manager.init()
    assert manager.alembic_path.is_dir()
    assert "a%40b" not in (tmp_path / "alembic.ini").read_text()
    manager.upgrade("head")
    manager.current()
    manager.history()
    assert not manager.has_multiple_heads()


def test_what_the_hosts_metadata_says_is_kept_under_the_doctypes_name(tmp_path: Path, make_app: MakeApp) -> None:
    from framework_m_core.registry import MetaRegistry
    from framework_m_standard.adapters.db.schema_mapper import SchemaMapper

    from framework_m_migrations.embedding.framework_m.manager import Manager

    app = make_app(
        "shop", {"doctypes/thing.py": doctype("title: str = ''\n    class Meta:\n        table_name = 'things'")}
    )
    registry = MetaRegistry.get_instance()
    registry.load_apps([app.package])
    metadata = sa.MetaData()
    SchemaMapper().create_table(registry.get_doctype("Thing"), metadata)
    sa.Table("plain", metadata, sa.Column("id", sa.Integer, primary_key=True))
    file = tmp_path / "site.db"
    (thing, _) = Manager(tmp_path, f"sqlite+aiosqlite:///{file}").auto_migrate(metadata, dev_mode=True)
    assert thing.table_name == "things"
    with sa.create_engine(f"sqlite:///{file}", poolclass=sa.pool.NullPool).connect() as connection:
        found = connection.exec_driver_sql("select doctype_name from __schema_versions__ order by 1").scalars()
        assert list(found) == ["Thing", "plain"]


def test_the_hosts_readiness_check(
    overridden: object, tmp_path: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    from framework_m_standard.adapters.db.migration_check import MigrationStatusUtility

    from framework_m_migrations import MigrationManager, MigrationSettings
    from framework_m_migrations.embedding.framework_m.wiring import host_factories

    revision = """
        from alembic import op
        import sqlalchemy as sa
        revision, down_revision, branch_labels, depends_on = "aaaa1111", None, ("shop",), None
        def upgrade():
            op.create_table("plain", sa.Column("id", sa.Integer, primary_key=True))
        def downgrade():
            op.drop_table("plain")
    """
    make_app("shop", {"doctypes/thing.py": doctype("ref: UUID | None = None"), "migrations/versions/a.py": revision})
    monkeypatch.chdir(tmp_path)
    url = f"sqlite+aiosqlite:///{tmp_path / 'site.db'}"
    monkeypatch.setenv("DATABASE_URL", url)

    async def ready() -> bool:
        engine = create_async_engine(url)
        try:
            found: bool = await MigrationStatusUtility(engine).is_up_to_date()
            return found
        finally:
            await engine.dispose()

    manager = MigrationManager(MigrationSettings(database_url=url), overrides=host_factories())
    manager.sync()
    assert not asyncio.run(ready())
    manager.run()
    assert asyncio.run(ready())


def test_the_core_needs_no_host(tmp_path: Path) -> None:
    """A Python in which the host cannot be imported: the command line and SQLite work all the same."""
    script = """
        import sys
        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {"framework_m", "framework_m_core", "framework_m_standard"}:
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.meta_path.insert(0, Refuse())
        from framework_m_migrations.cli import main
        sys.exit(main(["all", "--metadata", "models:metadata"]))
    """
    (tmp_path / "models.py").write_text(
        "import sqlalchemy as sa\nmetadata = sa.MetaData()\nsa.Table('a', metadata, sa.Column('id', sa.Integer))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", dedent(script)],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PROGRAM_LIMIT,
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "dev.db").is_file()
