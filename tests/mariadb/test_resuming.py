"""No transaction holds DDL together here: a run that ends anywhere is gone on with, statement by statement."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import RevisionFailed
from scripts.waiting import PROGRAM_LIMIT
from tests._mariadb import MariadbDatabase
from tests.mariadb.conftest import site_of
from tests.sync.conftest import Site

pytestmark = pytest.mark.mariadb

MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
def table(name, *columns, **options):
    return sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), *columns, **options)
table("owner", sa.Column("name", sa.String(140), index=True), sa.Column("code", sa.String(20), unique=True))
table(
    "thing", sa.Column("title", sa.String(140)), sa.Column("owner", sa.ForeignKey("owner.id", name="fk_owner")),
    sa.Column("state", sa.Enum("new", "old"), server_default="new", comment="now told", nullable=False),
    sa.Column("size", sa.Integer), sa.CheckConstraint("size > 0", name="ck_size"), sa.Index("ix_size", "size"),
    sa.UniqueConstraint("title", "size", name="uq_title"),
)
"""
# Ends the process for good as soon as the statement of this number has been answered, and before anything else.
KILLER = """
import os, signal, sys
import sqlalchemy as sa
from framework_m_migrations.cli import main
left = int(sys.argv.pop(1))
def count(connection, cursor, statement, parameters, context, many):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(sa.Engine, "after_cursor_execute", count)
sys.argv[0] = "m-migrate"
main()
"""


def definitions(database: MariadbDatabase) -> dict[str, list[str]]:
    """What each table consists of; columns and keys stand in the order in which they were added."""
    names = [name for (name,) in database.execute("SHOW TABLES") if not name.startswith("__schema")]
    texts = {name: str(database.execute(f"SHOW CREATE TABLE {name}")[0][1]) for name in names}
    return {name: sorted(line.strip().rstrip(",") for line in text.splitlines()) for name, text in texts.items()}


def start_small(database: MariadbDatabase) -> Site:
    """A table with a row, from before most of what is wanted."""
    site = site_of(database, "pymysql")
    metadata = sa.MetaData()
    sa.Table("thing", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("title", sa.String(80)))
    site.settle(metadata)
    site.execute("INSERT INTO thing (title) VALUES ('kept')")
    return site


def run(folder: Path, url: str, statements: int) -> tuple[int, str]:
    environ = {**os.environ, "DATABASE_URL": url}
    arguments = ["sync", "--metadata", "models:metadata", "--path", str(folder), "--force"]
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(statements), *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_LIMIT,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_killed_after_each_statement_it_converges_to_the_same(
    mariadb_database: MariadbDatabase, tmp_path: Path
) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    start_small(mariadb_database)
    for _ in range(2):
        # Whether rows find their partners in a table that the plan makes is known when it is there.
        code, said = run(tmp_path, mariadb_database.sync_url, 0)
        assert code == 0, said
    whole = definitions(mariadb_database)
    assert any("ck_size" in line for line in whole["thing"])
    for name in ("thing", "owner"):
        mariadb_database.execute(f"DROP TABLE {name}")
    mariadb_database.execute("DELETE FROM __schema_objects__", "DELETE FROM __schema_versions__")
    site = start_small(mariadb_database)
    stops = set()
    for at in range(44, 400, 18):
        code, said = run(tmp_path, mariadb_database.sync_url, at)
        stops.add(str(definitions(mariadb_database)))
        tables = {str(name) for (name,) in mariadb_database.execute("SHOW TABLES")}
        assert {row[0] for row in site.rows("SELECT doctype_name FROM __schema_versions__")} <= tables
        if code == 0:
            break
        assert code == -signal.SIGKILL, said
    assert len(stops) > 2, "it was never stopped between two statements of the plan"
    assert definitions(mariadb_database) == whole
    assert site.rows("SELECT title, state FROM thing") == [("kept", "new")]
    code, said = run(tmp_path, mariadb_database.sync_url, 0)
    assert code == 0, said
    assert "Up to date" in said


REVISION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "aa01", None, ("shop",), None
def upgrade():
    op.create_table("made", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO made VALUES (1)")
    raise ValueError("on purpose")
def downgrade():
    op.drop_table("made")
"""


@pytest.mark.parametrize("driver", ["pymysql", "asyncmy"])
def test_a_failed_revision_tells_that_its_ddl_stands(
    mariadb_database: MariadbDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str
) -> None:
    app = f"shop_{driver}"
    versions = tmp_path / app / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / app / "__init__.py").touch()
    (versions / "aa01_made.py").write_text(REVISION.replace('"shop"', repr(app)))
    monkeypatch.syspath_prepend(str(tmp_path))
    site = site_of(mariadb_database, driver)
    settings: dict[str, Any] = {"apps": (app,), "path": tmp_path, "metadata": (sa.MetaData(),), "allow_empty": True}
    manager = MigrationManager(MigrationSettings(site.url, **settings))
    with pytest.raises(RevisionFailed) as failed:
        manager.run()
    assert failed.value.details["rolled_back"] is False
    assert "last DDL statement" in failed.value.what
    assert site.rows("SELECT * FROM made") == []
    (versions / "aa01_made.py").write_text(REVISION.replace('"shop"', repr(app)).replace("    raise", "    #"))
    site.execute("DROP TABLE made")
    manager.stamp()
    assert MigrationManager(MigrationSettings(site.url, **settings)).run().to_dict()["revisions"]
    assert site.rows("SELECT * FROM made") == [(1,)]
