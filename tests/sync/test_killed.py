"""Killed at any moment: the next run goes on, and what the ledger says was true at every stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from framework_m_migrations import MigrationManager, MigrationSettings
from scripts.waiting import LIMIT, wait_until
from tests.sync.conftest import Site

MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
for number in range(80):
    sa.Table(
        f"t{number:03}", metadata, sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(140), index=True), sa.Column("code", sa.String(20), unique=True),
        sa.Column("next", sa.ForeignKey(f"t{(number + 1) % 80:03}.id", name=f"fk{number}", use_alter=True)),
    )
"""


def ledger_is_true(site: Site) -> None:
    tables = set(site.inspect().get_table_names())
    if "__schema_objects__" not in tables:
        return
    assert {str(row[0]) for row in site.rows("SELECT table_name FROM __schema_objects__")} <= tables
    assert {str(row[0]) for row in site.rows("SELECT doctype_name FROM __schema_versions__")} <= tables


@pytest.mark.slow
@pytest.mark.parametrize("site", ["sqlite", pytest.param("asyncpg", marks=pytest.mark.postgres)], indirect=True)
def test_a_first_sync_that_is_killed_again_and_again_gets_there(site: Site, tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    command = [sys.executable, "-m", "framework_m_migrations.cli", "sync", "--metadata", "models:metadata"]
    environ = {**os.environ, "DATABASE_URL": site.url}
    killed = 0
    for attempt in range(40):
        process = subprocess.Popen(
            [*command, "--path", str(tmp_path), "--force"],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        wait_for_work(site, process, more_than=attempt)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        output = process.communicate(timeout=LIMIT)[0]
        ledger_is_true(site)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, output
    assert killed, "it was too quick to be killed even once"
    manager = MigrationManager(MigrationSettings(site.url, metadata=("models:metadata",), path=tmp_path))
    manager.sync()
    assert manager.plan(force=True).plan.is_empty
    assert len(site.rows("SELECT doctype_name FROM __schema_versions__")) == 80
    sys.modules.pop("models", None)
    sys.path.remove(str(tmp_path.resolve()))


def wait_for_work(site: Site, process: subprocess.Popen[str], *, more_than: int) -> None:
    """Until the process has begun to write, and a little longer each time."""
    before = len(site.inspect().get_table_names())

    def writes() -> bool:
        return process.poll() is not None or len(site.inspect().get_table_names()) != before

    wait_until(writes, what=f"the process to make another table than the first {before}", every=0.01)
    time.sleep(0.02 * more_than)
