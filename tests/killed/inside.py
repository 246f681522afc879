"""Runs one command after another, each in a fork of a process that has imported everything already.

It reads jobs as lines of JSON and answers each with a line: the exit status of the child and what it wrote. A child
may be told to end itself, or its backend, after the statement of a number. It is a program of its own because a
process with threads, as a test runner is, must not fork.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import MigrationError
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.domain.plan import Risk

_READS = ("SELECT", "SHOW", "PRAGMA", "EXPLAIN", "VALUES", "WITH")


class Stop:
    """Counts what changes the database, each commit included, and ends the process or its backend at a number.

    Args:
        at: the number; 0 for never.
        way: ``kill``, or ``terminate``.
        dsn: of the database, for ``terminate``.
    """

    def __init__(self, at: int, way: str, dsn: str) -> None:
        self.seen: list[str] = []
        self._at, self._way, self._dsn = at, way, dsn
        sa.event.listen(sa.Engine, "after_cursor_execute", self._executed)
        sa.event.listen(sa.Engine, "commit", self._commit)

    def _executed(self, connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.lstrip().upper().startswith(_READS):
            self._note(connection, statement)

    def _commit(self, connection: sa.Connection) -> None:
        self._note(connection, "COMMIT")

    def _note(self, connection: sa.Connection, what: str) -> None:
        self.seen.append(what)
        if len(self.seen) != self._at:
            return
        if self._way == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raw: Any = connection.connection.driver_connection
        pid = raw.info.backend_pid if hasattr(raw, "info") else raw.get_server_pid()
        with psycopg.connect(self._dsn, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))


def _work(job: dict[str, Any]) -> dict[str, Any]:
    settings = MigrationSettings(
        job["url"], apps=("yard",), path=Path(job["project"]), locks=LockOptions(wait=20.0, lock_timeout=5.0)
    )
    manager = MigrationManager(settings)
    if job["command"] == "all":
        stop = Stop(job["stop"], job["way"], job["dsn"])
        try:
            done = manager.all()
        except MigrationError as error:
            return {"code": error.code, "what": str(error), "seen": stop.seen}
        return {"code": None, "seen": stop.seen, "withheld": [str(one.change) for one in done.sync.withheld]}
    forced = manager.plan(force=True)
    return {
        "code": None,
        "differing": sorted({one.doctype for one in forced.plan.changes}),
        "empty": forced.plan.is_empty,
        "pending": [name for app in manager.status().apps for name in app.pending],
        # Tables of revisions have no DocType here, which verify rightly says.
        "findings": [one.kind for one in manager.verify(fail_on=Risk.SAFE).findings if one.kind != "unmanaged-table"],
    }


def _child(job: dict[str, Any], answer: Path) -> None:
    code = 3
    try:
        answer.write_text(json.dumps(_work(job)))
        code = 0
    except BaseException:  # noqa: BLE001 - the parent is told, whatever it was
        answer.write_text(json.dumps({"code": "traceback", "what": traceback.format_exc()}))
    finally:
        os._exit(code)


def main() -> None:
    """Answer jobs until the input ends."""
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            answer = Path(folder, "answer.json")
            answer.unlink(missing_ok=True)
            pid = os.fork()
            if pid == 0:
                _child(json.loads(line), answer)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            said = json.loads(answer.read_text()) if answer.exists() else {}
            sys.stdout.write(json.dumps({**said, "exit": status}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
