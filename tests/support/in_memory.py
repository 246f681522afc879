"""Temporary files of a test session on a file system in memory, where there is one with room for them.

On a disk each commit of SQLite waits some milliseconds, and the suite makes tens of thousands of them. What a test
kills is a process, never the machine: that wait proves nothing. A session that is given TMPDIR keeps it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil

SHARED_MEMORY = Path("/dev/shm")
ROOM = 6 * 1024**3
"""Bytes, in the file system and in memory. Measured: under 3 GiB in use at once."""
_PREFIX = "fmm-tmp-"


def use() -> Path | None:
    """Have temporary files made in memory, by this process and its children; the folder to ``leave``, if any."""
    if "TMPDIR" in os.environ or not _has_room():
        return None
    for left in SHARED_MEMORY.glob(f"{_PREFIX}*"):
        owner = left.name.removeprefix(_PREFIX)
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    folder = SHARED_MEMORY / f"{_PREFIX}{os.getpid()}"
    folder.mkdir(mode=0o711)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None
    return folder


def leave(folder: Path) -> None:
    """Remove what ``use`` made."""
    del os.environ["TMPDIR"]
    tempfile.tempdir = None
    shutil.rmtree(folder, ignore_errors=True)


def _has_room() -> bool:
    try:
        system = os.statvfs(SHARED_MEMORY)
    except OSError:
        return False
    return (
        os.access(SHARED_MEMORY, os.W_OK | os.X_OK)
        and not system.f_flag & os.ST_NOEXEC
        and min(system.f_bavail * system.f_frsize, psutil.virtual_memory().available) >= ROOM
    )
