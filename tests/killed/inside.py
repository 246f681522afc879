"""Runs one command after another, each in a fork of a process that has imported everything already.

It reads jobs as lines of JSON and answers each with two lines: the child's process id when it begins, then the exit
status and what it wrote. A child may be told to end itself, or its backend, after the statement of a number. It is a
program of its own because a process with threads, as a test runner is, must not fork. A job that says ``here`` is not
forked: what it compiles and remembers is there for all that come after it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
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

    def __enter__(self) -> None:
        sa.event.listen(sa.Engine, "after_cursor_execute", self._executed)
        sa.event.listen(sa.Engine, "commit", self._commit)

    def __exit__(self, *_: object) -> None:
        sa.event.remove(sa.Engine, "after_cursor_execute", self._executed)
        sa.event.remove(sa.Engine, "commit", self._commit)

    def _executed(self, connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        # A batch of a backfill is a SELECT by its first word, and writes.
        if not statement.lstrip().upper().startswith(_READS) or "UPDATE" in statement:
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


def _all(manager: MigrationManager) -> list[str]:
    return [str(one.change) for one in manager.all().sync.withheld]


def _run(manager: MigrationManager) -> list[str]:
    manager.run()
    return []


def _online(manager: MigrationManager) -> list[str]:
    """A release in two halves: what old code bears, then what only new code does."""
    manager.all()
    manager.run(contract=True)
    return [str(one.change) for one in manager.sync().withheld]


def _drops(manager: MigrationManager) -> list[str]:
    return [str(one.change) for one in manager.all(allow_drop=True).sync.withheld]


def _fleet(manager: MigrationManager) -> list[str]:
    """One connection at a time, so that the order of the statements is the same each time."""
    result = manager.tenants(("one", "two"), jobs=1, shared=True).all()
    for one in result.outcomes:
        if one.error is not None:
            raise one.error
    return []


def _create(manager: MigrationManager) -> list[str]:
    """The two halves of an online change, as files of the project."""
    return list(manager.create("halves", app="yard", online=True).left_out)


_COMMANDS: dict[str, Callable[[MigrationManager], list[str]]] = {
    "all": _all,
    "run": _run,
    "create": _create,
    "online": _online,
    "drops": _drops,
    "fleet": _fleet,
}


def _work(job: dict[str, Any]) -> dict[str, Any]:
    settings = MigrationSettings(
        job["url"], apps=("yard",), path=Path(job["project"]), locks=LockOptions(wait=20.0, lock_timeout=5.0)
    )
    manager = MigrationManager(settings)
    if job["command"] in _COMMANDS:
        stop = Stop(job["stop"], job["way"], job["dsn"])
        try:
            with stop:
                withheld = _COMMANDS[job["command"]](manager)
        except MigrationError as error:
            return {**error.to_dict(), "seen": stop.seen}
        return {"code": None, "seen": stop.seen, "withheld": withheld}
    # verify makes the full comparison once for both.
    judged = manager.verify(fail_on=Risk.SAFE)
    forced = judged.plan.plan
    return {
        "code": None,
        "differing": sorted({one.doctype for one in forced.changes}),
        "empty": forced.is_empty,
        "pending": [name for app in manager.status().apps for name in app.pending],
        # Tables of revisions have no DocType here, which verify rightly says.
        "findings": [one.kind for one in judged.findings if one.kind not in {"unmanaged-table", "drift"}],
    }


def _answer(job: dict[str, Any], answer: Path) -> int:
    try:
        answer.write_text(json.dumps(_work(job)))
    except BaseException:  # noqa: BLE001 - the parent is told, whatever it was
        answer.write_text(json.dumps({"code": "traceback", "what": traceback.format_exc()}))
        return 3
    return 0


def _forget(project: str) -> None:
    """A project is imported anew by each job, for two of them have the same app."""
    for name in [name for name in sys.modules if name.split(".")[0] == "yard"]:
        del sys.modules[name]
    sys.path[:] = [path for path in sys.path if not path.startswith(project)]


def _tell(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer jobs until the input ends."""
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            job = json.loads(line)
            answer = Path(folder, "answer.json")
            answer.unlink(missing_ok=True)
            pid = 0 if job["here"] else os.fork()
            if job["here"]:
                _tell({"pid": os.getpid()})
                status = _answer(job, answer)
                _forget(job["project"])
            elif pid == 0:
                # pid 0 is this very child.
                os._exit(_answer(job, answer))
            else:
                _tell({"pid": pid})
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            said = json.loads(answer.read_text()) if answer.exists() else {}
            _tell({**said, "exit": status})


if __name__ == "__main__":
    main()
