"""Which processes hold a lock, and where the migration lock is."""

from __future__ import annotations

import os
from pathlib import Path

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control
from framework_m_migrations.adapters.sql.engines import redact

_LOCKS = Path("/proc/locks")
_LONGEST = 100


def holders(connection: sa.Connection) -> tuple[str, ...]:
    """The processes with a write lock on the connection's files, as "process 4711 (python app.py)".

    If no process has a write lock, those with any lock, which block a commit. This process counts if no other does:
    it has another connection then. Empty where the system does not tell, as for the processes of other containers.
    """
    try:
        names = [file for _, _, file in control(connection, "PRAGMA database_list") if file]
        files = {_key(f"{name}{end}") for name in names for end in ("", "-shm")}
        lines = _LOCKS.read_text(encoding="ascii").splitlines()
    except (OSError, sa.exc.DBAPIError):
        return ()
    found: dict[int, bool] = {}
    for line in lines:
        # 12: POSIX  ADVISORY  WRITE 4711 08:01:1234 1073741825 1073741825
        words = line.split()
        if len(words) < 8 or words[1] == "->" or not words[4].isdigit():
            continue
        device, _, inode = words[5].rpartition(":")
        if (device, inode) in files:
            found[int(words[4])] = found.get(int(words[4]), False) or words[3] == "WRITE"
    others = {process: writes for process, writes in found.items() if process != os.getpid()} or found
    writers = [process for process, writes in others.items() if writes]
    return tuple(_named(process) for process in sorted(writers or others))


def _key(file: str) -> tuple[str, str]:
    try:
        stat = Path(file).stat()
    except OSError:
        return "", ""
    return f"{os.major(stat.st_dev):02x}:{os.minor(stat.st_dev):02x}", str(stat.st_ino)


def _named(process: int) -> str:
    if process == os.getpid():
        return f"another connection of this process ({process})"
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        command = ""
    words = redact(command)
    shown = words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."
    return f"process {process} ({shown})" if shown else f"process {process}"


def lock_beside(connection: sa.Connection, schema: str | None) -> Path | None:
    """The file that a lock stands beside; None for a database in memory or a temporary one."""
    listed = control(connection, "PRAGMA database_list")
    return next((Path(file) for _, name, file in listed if name == (schema or "main") and file), None)
