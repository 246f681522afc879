"""Gets a MariaDB server for the tests: into .mariadb/, from Debian's packages.

Nothing is done when it is there already, or when the machine has one (mariadbd on PATH, or MARIADB_HOME).
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts import debian

CACHE = Path(__file__).resolve().parent.parent / ".mariadb"
OTHERWISE = (
    "Install MariaDB 10.6 or later and name its folder in MARIADB_HOME, or leave these tests out: "
    "pytest -m 'not mariadb'."
)


ACCEPTED = debian.Accepted("MariaDB", (10, 6), (12,))


@dataclass(frozen=True, slots=True)
class Installation:
    """A server: its program, the folder of its messages and scripts, and where its libraries are, if not at home."""

    program: Path
    share: Path
    libraries: Path | None = None


def ensure() -> Installation:
    """Find or fetch the server.

    Raises:
        SetupFailed: it is not on this machine and cannot be fetched.
    """
    return _on_this_machine() or _within(debian.unpacked("mariadb-server-core", CACHE, OTHERWISE, ACCEPTED))


def _on_this_machine() -> Installation | None:
    home = os.environ.get("MARIADB_HOME")
    programs = [Path(home) / folder / "mariadbd" for folder in ("sbin", "bin")] if home else []
    on_path = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")
    programs += [Path(on_path)] if on_path else []
    for program in programs:
        for name in ("mysql", "mariadb", ""):
            share = program.resolve().parent.parent / "share" / name
            if program.is_file() and any(share.glob("m*_system_tables.sql")):
                if not home:
                    ACCEPTED.check(debian.version_of(program), OTHERWISE)
                return Installation(program, share)
    return None


def _within(root: Path) -> Installation:
    share = next(folder for folder in (root / "usr" / "share").iterdir() if any(folder.glob("m*_system_tables.sql")))
    return Installation(root / "usr" / "sbin" / "mariadbd", share, debian.libraries(root))


if __name__ == "__main__":
    try:
        print(ensure().program)
    except debian.SetupFailed as failure:
        sys.exit(str(failure))
