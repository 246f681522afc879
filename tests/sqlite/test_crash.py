"""A process killed with SIGKILL in the middle of its work leaves a sound database, before or after, nothing between."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from scripts.waiting import LIMIT, next_line
from tests.sqlite._helpers import plain, script

pytestmark = pytest.mark.slow

PROGRAM = """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from framework_m_migrations.domain.operations import AddCheck, AddForeignKey, AlterType, CreateIndex
    from framework_m_migrations.domain.options import Limits
    from framework_m_migrations.domain.schema import Check, Column, ForeignKey, Index, IndexKey, TableName
    from framework_m_migrations.adapters.sql.dialects.sqlite.types import declared_type
    from framework_m_migrations.adapters.sql.executor import SqlExecutor
    from tests.sqlite._helpers import DIALECT, connected
    T = TableName("t")
    stop = int(sys.argv[3])
    with connected(Path(sys.argv[1])) as connection:
        connection.exec_driver_sql("PRAGMA cache_size = 5")
        connection.commit()
        sent = 0
        import sqlalchemy as sa
        @sa.event.listens_for(connection, "after_cursor_execute")
        def _(*_):
            global sent
            sent += 1
            if sent == stop:
                print("stopped", flush=True)
                import time; time.sleep(600)
        executor = SqlExecutor(connection, DIALECT)
        with DIALECT.transaction(connection, Limits(1)):
            connection.exec_driver_sql("UPDATE t SET b = b || 'changed'")
            executor.apply(AddCheck(T, Check("c", "a > 0")))
            executor.apply(AlterType(T, Column("b", declared_type("VARCHAR(10)")), Column("b", declared_type("TEXT"))))
            executor.apply(AddForeignKey(T, ForeignKey("f", ("p",), TableName("p"), ("id",))))
            executor.apply(CreateIndex(T, Index("ix", (IndexKey("b"),))))
        print("committed", flush=True)
        import time; time.sleep(600)
"""
SETUP = """
CREATE TABLE p (id INTEGER PRIMARY KEY);
CREATE TABLE t (a INTEGER, b VARCHAR(10), p INTEGER);
CREATE INDEX ix_a ON t (a);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000)
INSERT INTO t SELECT i, 'row ' || i, NULL FROM n;
"""


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize("stop", [*range(1, 16, 2), 1000])
def test_killed_at_any_statement(journal: str, stop: int, tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    script(path, f"PRAGMA journal_mode = {journal};" + SETUP)
    before = plain(path, "SELECT * FROM sqlite_master"), plain(path, "SELECT * FROM t")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(path), str(root), str(stop)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert next_line(process, what="the process to get to its statement").strip() == (
        "stopped" if stop < 1000 else "committed"
    )
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=LIMIT)
    after = plain(path, "SELECT * FROM sqlite_master"), plain(path, "SELECT * FROM t")
    if stop < 1000:
        assert after == before
    else:
        assert 'CONSTRAINT "c" CHECK' in after[0][1][4]
        assert after[1][0] == (1, "row 1changed", None)
    assert plain(path, "PRAGMA integrity_check") == [("ok",)]


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """Not between statements but whenever the signal comes, the commit included."""
    root = Path(__file__).parents[2]
    for number in range(6):
        path = tmp_path / f"{number}.db"
        script(path, SETUP)
        before = plain(path, "SELECT sql FROM sqlite_master WHERE name = 't'")[0][0]
        command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(path), str(root), "1"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        time.sleep(0.45 + number * 0.03)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=LIMIT)
        after = plain(path, "SELECT sql FROM sqlite_master WHERE name = 't'")[0][0]
        assert after == before or 'CONSTRAINT "c"' in after
        assert plain(path, "PRAGMA integrity_check") == [("ok",)]
