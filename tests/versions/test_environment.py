"""A project's own alembic.ini and env.py are honoured."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from framework_m_migrations.adapters.sql.revisions import AlembicTrack
from framework_m_migrations.domain.errors import EnvironmentBroken, RevisionFailed
from tests._postgres import PostgresDatabase
from tests.versions.support import SCOPES, Apps, Bench, connected

A1, A2, P1 = "aaaaaaaaaaa1", "aaaaaaaaaaa2", "ppppppppppp1"
CREATE = 'op.create_table("{0}", sa.Column("id", sa.Integer, primary_key=True))'
INI = """\
[alembic]
script_location = %(here)s/alembic
{extra}
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = INFO
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic
[formatter_generic]
format = %(message)s
"""
SHARED = """\
from logging.config import fileConfig
import sqlalchemy as sa
from alembic import context
config = context.config
fileConfig(config.config_file_name)
def run(connection):
    context.configure(connection=connection, version_table={table!r})
    with context.begin_transaction():
        context.run_migrations()
shared = config.attributes.get("connection")
if shared is not None:
    run(shared)
else:
    with sa.create_engine(config.get_main_option("sqlalchemy.url")).connect() as connection:
        run(connection)
"""
OWN = """\
from alembic import context
from sqlalchemy import engine_from_config, pool
config = context.config
section = config.get_section(config.config_ini_section, {})
engine = engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
ASYNC = """\
import asyncio
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import async_engine_from_config
config = context.config
def do_run(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
async def run():
    section = config.get_section(config.config_ini_section, {})
    engine = async_engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(do_run)
    await engine.dispose()
asyncio.run(run())
"""


def project(root: Path, env: str, extra: str = "") -> Path:
    folder = root / "project"
    (folder / "alembic").mkdir(parents=True)
    (folder / "alembic.ini").write_text(INI.format(extra=extra))
    (folder / "alembic" / "env.py").write_text(env)
    return folder


def shared_env(table: str = "alembic_version") -> str:
    return SHARED.format(table=table)


def test_shared_connection(bench: Bench, apps: Apps, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    apps.revision("wms", A1, CREATE.format("first"), 'op.drop_table("first")')
    apps.revision("wms", A2, f'{CREATE.format("half")}\nraise ValueError("no")', down=A1)
    track = bench.track(project=project(tmp_path, shared_env()))
    track.upgrade(A1)
    assert track.current() == {A1}
    with pytest.raises(RevisionFailed, match="rolled back") as caught:
        track.upgrade(A2)
    assert caught.value.details["line"] is not None
    assert bench.tables() == {"first", "alembic_version"}
    track.downgrade(A1)
    assert bench.tables() == {"alembic_version"}
    assert not bench.connection.in_transaction()
    out, err = capfd.readouterr()
    assert (out, err) == ("", ""), "its logging configuration prints nothing"


def test_autocommit_block_and_commit_on_the_shared_connection(bench: Bench, apps: Apps, tmp_path: Path) -> None:
    apps.revision(
        "wms",
        A1,
        f"""
        {CREATE.format("first")}
        with op.get_context().autocommit_block():
            op.execute("INSERT INTO first (id) VALUES (1)")
        op.execute("COMMIT")
        op.execute("INSERT INTO first (id) VALUES (2)")
        """,
    )
    track = bench.track(project=project(tmp_path, shared_env()))
    track.upgrade(A1)
    assert bench.rows("SELECT id FROM first ORDER BY id") == [(1,), (2,)]
    assert track.current() == {A1}


def test_loggers_of_the_host_go_on(sqlite_bench: Bench, apps: Apps, tmp_path: Path) -> None:
    logger = logging.getLogger("host.application")
    handlers, level = list(logging.root.handlers), logging.root.level
    apps.revision("wms", A1)
    sqlite_bench.track(project=project(tmp_path, shared_env())).upgrade(A1)
    assert logger.disabled is False
    assert (logging.root.handlers, logging.root.level) == (handlers, level)


def test_version_table_of_the_environment(bench: Bench, apps: Apps, tmp_path: Path) -> None:
    apps.revision("wms", A1)
    track = bench.track(project=project(tmp_path, shared_env("theirs")))
    track.upgrade(A1)
    assert bench.tables() == {"theirs"}
    assert track.current() == {A1}
    track.stamp([])
    assert bench.rows("SELECT * FROM theirs") == []


def test_revisions_of_the_project_itself(bench: Bench, apps: Apps, tmp_path: Path) -> None:
    apps.revision("wms", A1)
    folder = project(tmp_path, shared_env())
    apps.revision("../project/alembic", P1, CREATE.format("own"), folder="versions", depends_on=A1)
    apps.names.remove("../project/alembic")
    track = bench.track(project=folder)
    assert [(revision.id, revision.app) for revision in track.graph().revisions] == [(A1, "wms"), (P1, None)]
    track.upgrade(A1)
    track.upgrade(P1)
    assert "own" in bench.tables()


def test_rebuild_on_sqlite_is_guarded_there_too(sqlite_bench: Bench, apps: Apps, tmp_path: Path) -> None:
    sqlite_bench.run(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT)",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE)",
        "INSERT INTO parent VALUES (1, 'Ann')",
        "INSERT INTO child VALUES (1, 1)",
    )
    sqlite_bench.connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")  # type: ignore[union-attr]
    apps.revision(
        "wms", A1, 'with op.batch_alter_table("parent") as b:\n    b.alter_column("name", type_=sa.String(9))'
    )
    sqlite_bench.track(project=project(tmp_path, shared_env())).upgrade(A1)
    assert sqlite_bench.rows("SELECT * FROM child") == [(1, 1)]


def test_environment_with_an_engine_of_its_own(postgres_database: PostgresDatabase, apps: Apps, tmp_path: Path) -> None:
    apps.revision("wms", A1, CREATE.format("first"))
    apps.revision("wms", A2, f'{CREATE.format("half")}\nraise ValueError("no")', down=A1)
    with connected(postgres_database.sync_url) as connection:
        bench = Bench(connection, apps)
        track = bench.track(project=project(tmp_path, OWN))
        track.upgrade(A1)
        assert track.current() == {A1}
        with pytest.raises(RevisionFailed, match="ValueError: no"):
            track.upgrade(A2)
        assert bench.tables() == {"first", "alembic_version"}


def test_own_engine_on_sqlite_promises_no_rollback(sqlite_bench: Bench, apps: Apps, tmp_path: Path) -> None:
    apps.revision("wms", A1, f'{CREATE.format("half")}\nraise ValueError("no")')
    with pytest.raises(RevisionFailed, match="may stand") as caught:
        sqlite_bench.track(project=project(tmp_path, OWN)).upgrade(A1)
    assert caught.value.details["rolled_back"] is None


def test_environment_that_works_on_another_database(sqlite_bench: Bench, apps: Apps, tmp_path: Path) -> None:
    apps.revision("wms", A1, CREATE.format("first"))
    other = tmp_path / "other.db"
    track = sqlite_bench.track(project=project(tmp_path, OWN, f"sqlalchemy.url = sqlite:///{other}"))
    with pytest.raises(EnvironmentBroken, match=r"other\.db"):
        track.upgrade(A1)
    assert sqlite_bench.tables() == set()
    with connected(f"sqlite:///{other}") as connection:
        assert sa.inspect(connection).get_table_names() == []


def test_percent_signs_in_the_password(postgres_database: PostgresDatabase, apps: Apps, tmp_path: Path) -> None:
    with connected(postgres_database.sync_url) as connection:
        Bench(connection, apps).run("CREATE ROLE \"pct\" LOGIN SUPERUSER PASSWORD 'p%%40ss%%'")
    url = sa.make_url(postgres_database.sync_url).set(username="pct", password="p%40ss%")
    apps.revision("wms", A1, CREATE.format("first"))
    try:
        with connected(url) as connection:
            track = Bench(connection, apps).track(project=project(tmp_path, OWN))
            track.upgrade(A1)
            assert track.current() == {A1}
    finally:
        with connected(postgres_database.sync_url) as connection:
            Bench(connection, apps).run('REASSIGN OWNED BY "pct" TO CURRENT_USER', 'DROP ROLE "pct"')
    assert not [file for file in tmp_path.rglob("*.ini") if "p%40ss" in file.read_text()]


@pytest.mark.filterwarnings("error")
def test_asyncio_run_inside_a_loop_is_explained(
    postgres_database: PostgresDatabase, apps: Apps, tmp_path: Path
) -> None:
    apps.revision("wms", A1, CREATE.format("first"))
    folder = project(tmp_path, ASYNC)

    def migrate(connection: sa.Connection) -> None:
        track = AlembicTrack(connection, SCOPES["postgresql"], apps.discovery(), project=folder)
        with pytest.raises(EnvironmentBroken) as caught:
            track.upgrade(A1)
        assert 'config.attributes["connection"]' in caught.value.next_step
        assert "env.py, line 16" in caught.value.what
        assert not connection.in_transaction()

    async def main() -> None:
        engine = create_async_engine(postgres_database.url)
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
        await engine.dispose()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ("import no_such_module", "no_such_module"),
        ("def f(:", "SyntaxError"),
        ("x = 1", "never calls context.run_migrations"),
        ("from alembic import context\n\nraise ValueError('boom')", "line 3"),
    ],
)
def test_broken_environment(sqlite_bench: Bench, apps: Apps, tmp_path: Path, env: str, told: str) -> None:
    apps.revision("wms", A1)
    folder = project(tmp_path, env)
    with pytest.raises(EnvironmentBroken, match=told) as caught:
        sqlite_bench.track(project=folder).upgrade(A1)
    assert "env.py" in caught.value.what
    assert sqlite_bench.tables() == set()


def test_broken_ini(sqlite_bench: Bench, apps: Apps, tmp_path: Path) -> None:
    apps.revision("wms", A1)
    folder = project(tmp_path, shared_env())
    for text in (
        "no section",
        "[alembic]\n",
        "[alembic]\nscript_location = %(nope)s/x\n",
        "[alembic]\nscript_location = nope\n",
    ):
        (folder / "alembic.ini").write_text(text)
        with pytest.raises(EnvironmentBroken):
            sqlite_bench.track(project=folder)


def test_a_password_in_a_broken_ini_is_not_told(sqlite_bench: Bench, apps: Apps, tmp_path: Path) -> None:
    apps.revision("wms", A1)
    folder = project(tmp_path, OWN, "sqlalchemy.url = postgresql://me:hunter%2@host/db")
    with pytest.raises(EnvironmentBroken, match="written twice") as caught:
        sqlite_bench.track(project=folder).upgrade(A1)
    assert "hunter" not in str(caught.value)
    assert "%2" not in str(caught.value)


def test_path_that_the_ini_prepends(sqlite_bench: Bench, apps: Apps, tmp_path: Path) -> None:
    folder = project(tmp_path, f"import of_the_project\n{shared_env()}", "prepend_sys_path = %(here)s/lib")
    (folder / "lib").mkdir()
    (folder / "lib/of_the_project.py").write_text("")
    apps.revision("wms", A1)
    before = list(sys.path)
    try:
        sqlite_bench.track(project=folder).upgrade(A1)
    finally:
        sys.path[:] = before
        sys.modules.pop("of_the_project", None)
