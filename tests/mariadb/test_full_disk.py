"""The disk under the server is really full: told with a code, nothing half done, gone on with when there is room."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from tests._mariadb import MariadbDatabase, shared_server, stop_server
from tests.support.full_disk import attempt
from tests.support.small_disk import leave, seen_by

pytestmark = [pytest.mark.mariadb, pytest.mark.full_disk]
ROOM = (0, 64, 128, 256, 400, 600, 900, 1300, 1800)
"""Kilobytes that are left, one try after another."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[MariadbDatabase, Path]]:
    """A database of a server on a small disk, and the disk."""
    disk = Path(tempfile.mkdtemp(prefix="fmm-small-"))
    disk.chmod(0o777)
    session = tmp_path / "session"
    launcher = [sys.executable, "-m", "tests.support.small_disk", str(disk), "200"]
    server = shared_server(session, os.getpid(), launcher=launcher, environ={"TMPDIR": str(disk)})
    yield server.create_database(), seen_by(int((session / "keeper.pid").read_text(encoding="ascii")), disk)
    stop_server(session)
    shutil.rmtree(disk)


def wanted(*, released: bool) -> sa.MetaData:
    metadata = sa.MetaData()
    old = sa.Table("old", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(80)))
    if released:
        old.append_column(sa.Column("vat", sa.Integer, nullable=False, server_default="19"))
        sa.Index("ix_name", old.c.name)
        for number in range(6):
            sa.Table(
                f"t{number}",
                metadata,
                sa.Column("id", sa.Integer, primary_key=True),
                sa.Column("name", sa.String(40), index=True),
            )
    return metadata


def definitions(database: MariadbDatabase) -> dict[str, str]:
    names = [str(name) for (name,) in database.execute("SHOW TABLES") if not str(name).startswith("__schema")]
    return {name: str(database.execute(f"SHOW CREATE TABLE {name}")[0][1]) for name in names}


@pytest.mark.slow
def test_a_sync_on_a_disk_that_is_full(place: tuple[MariadbDatabase, Path]) -> None:
    database, disk = place
    old = MigrationManager(MigrationSettings(database.sync_url, metadata=(wanted(released=False),)))
    new = MigrationManager(MigrationSettings(database.sync_url, metadata=(wanted(released=True),)))
    old.sync()
    database.execute("INSERT INTO old (name) SELECT concat('name ', seq) FROM seq_1_to_5000")
    met = 0
    for room in ROOM:
        leave(disk, room * 1024)
        error = attempt(new)
        if error is None:
            break
        assert database.server.password not in f"{error} {error.details}"
        assert "space" in error.next_step
        met += 1
        assert database.execute("SELECT count(*), min(name), max(id) FROM old") == [(5000, "name 1", 5000)]
    assert met >= 2, "the disk was never full"
    leave(disk, 1 << 30)
    new.sync()
    assert new.plan(force=True).plan.is_empty
    done = definitions(database)
    assert set(done) == {"old", *(f"t{number}" for number in range(6))}
    assert all("ix_t" in done[f"t{number}"] for number in range(6))
    assert database.execute("SELECT count(*), min(vat) FROM old") == [(5000, 19)]
