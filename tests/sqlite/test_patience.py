"""Commands beside an application that holds SQLite's write lock, and commands on a file that does not exist."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.system import ListSink
from framework_m_migrations.domain.errors import LockTimeout
from framework_m_migrations.domain.events import DatabaseAbsent
from framework_m_migrations.domain.options import LockOptions

LOCKS = LockOptions(lock_timeout=0.05, retries=2, backoff_first=0.01, wait=1)
REVISION = """
from alembic import op
revision, down_revision, branch_labels = "{}", {!r}, None
def upgrade(): op.execute("CREATE TABLE {} (a)")
def downgrade(): op.execute("DROP TABLE {}")
"""
HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""
DRIVERS = pytest.mark.parametrize("driver", ["sqlite", "sqlite+aiosqlite"])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    versions = tmp_path / "patient_shop/migrations/versions"
    versions.mkdir(parents=True)
    (tmp_path / "patient_shop/__init__.py").touch()
    (versions / "a1.py").write_text(REVISION.format("a1", None, "one", "one"))
    (versions / "a2.py").write_text(REVISION.format("a2", "a1", "two", "two"))
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before
    sys.modules.pop("patient_shop", None)


def manager(site: Path, driver: str, *, columns: int, sink: ListSink | None = None) -> MigrationManager:
    metadata = sa.MetaData()
    sa.Table("t", metadata, *(sa.Column(f"c{n}", sa.Integer, primary_key=n == 0) for n in range(columns)))
    url = f"{driver}:///{site / 'app.db'}"
    settings = MigrationSettings(metadata=(metadata,), database_url=url, apps=("patient_shop",), path=site, locks=LOCKS)
    return MigrationManager(settings, events=sink)


@pytest.mark.parametrize(
    "call",
    [
        lambda made: made.sync(),
        lambda made: made.run(),
        lambda made: made.all(),
        lambda made: made.rollback(),
        lambda made: made.stamp("a2"),
        lambda made: made.repair(),
    ],
    ids=["sync", "run", "all", "rollback", "stamp", "repair"],
)
@pytest.mark.parametrize(("driver", "journal"), [("sqlite", "wal"), ("sqlite+aiosqlite", "delete")])
def test_a_lock_that_an_application_keeps_is_given_up_with_its_name(
    site: Path, driver: str, journal: str, call: Callable[[MigrationManager], object]
) -> None:
    with sqlite3.connect(site / "app.db") as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.close()
    made = manager(site, driver, columns=1)
    made.sync()
    made.run("a1")
    sink = ListSink()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(site / "app.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockTimeout, match=f"held by process {holder.pid} .*python") as failure:
            call(manager(site, driver, columns=2, sink=sink))
        holder.communicate()
    assert failure.value.exit_code == 4
    assert sum("Retried" in type(event).__name__ for event in sink.events) == LOCKS.retries
    call(manager(site, driver, columns=2))


@DRIVERS
@pytest.mark.parametrize(
    "call",
    [
        lambda made: made.plan(),
        lambda made: made.status(),
        lambda made: made.verify(),
        lambda made: made.history(),
        lambda made: made.sync(dry_run=True),
        lambda made: made.preview_run(),
        lambda made: made.repair(dry_run=True),
        lambda made: made.show("a1"),
        lambda made: made.create("more", app="patient_shop", autogenerate=False, dry_run=True),
        lambda made: made.prove(store=False),
        lambda made: made.lint(use_squawk=False),
    ],
)
def test_looking_at_a_file_that_does_not_exist_creates_none(
    site: Path, driver: str, call: Callable[[MigrationManager], object]
) -> None:
    sink = ListSink()
    before = set(site.iterdir())
    call(manager(site, driver, columns=1, sink=sink))
    assert {path for path in site.iterdir() if path.name != "__pycache__"} == before
    absent = [event for event in sink.events if isinstance(event, DatabaseAbsent)]
    assert absent in ([DatabaseAbsent(str(site / "app.db"))], []), "lint asks for no database"
