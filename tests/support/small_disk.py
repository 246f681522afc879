"""Runs a command that has a small file system of its own: a disk that can really be full.

    python -m tests.support.small_disk FOLDER MEGABYTES command...

The command sees a tmpfs of that size at FOLDER; nobody else does, and it is gone when the command and its children
are. Root gets it in a mount namespace, anybody else in a user namespace too, in which they stay who they are. It needs
no program but Python.

A file at FOLDER/ballast takes room away; ``leave`` sets how much, from outside too.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

BALLAST = "ballast"
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)


def enter(folder: Path, megabytes: int) -> None:
    """Give this process the small file system.

    Raises:
        OSError: the machine lets nobody but its own administrator mount anything.
    """
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        os.unshare(os.CLONE_NEWNS)
    else:
        os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNS)
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE, "")
    _mount("tmpfs", str(folder), "tmpfs", 0, f"size={megabytes}m,mode=0777")


def leave(folder: Path, room: int) -> None:
    """Let the ballast take or give back what leaves so many bytes free, as far as that is possible."""
    with (folder / BALLAST).open("ab", buffering=0) as ballast:
        found = os.statvfs(folder)
        size = os.fstat(ballast.fileno()).st_size
        wanted = max(0, size + found.f_bavail * found.f_frsize - room)
        if wanted < size:
            os.ftruncate(ballast.fileno(), wanted)
        elif wanted > size:
            os.posix_fallocate(ballast.fileno(), size, wanted - size)


def seen_by(pid: int, folder: Path) -> Path:
    """The folder as the process of this id sees it."""
    return Path(f"/proc/{pid}/root{folder.resolve()}")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str) -> None:
    encoded = None if kind is None else kind.encode()
    if _libc.mount(source.encode(), os.fsencode(target), encoded, flags, options.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


if __name__ == "__main__":
    try:
        enter(Path(sys.argv[1]), int(sys.argv[2]))
    except OSError as error:
        sys.exit(f"No file system can be mounted here ({error}): leave these tests out with -m 'not full_disk'.")
    os.execv(sys.argv[3], sys.argv[3:])
