"""Gets a MariaDB server for the tests: into .mariadb/, from Debian's packages, without installing anything.

Nothing is done when it is there already, or when the machine has one (mariadbd on PATH, or MARIADB_HOME). Two processes
that call it take turns. Needs apt-get and dpkg-deb; root, where apt's lists have to be fetched first.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".mariadb"
PACKAGE = "mariadb-server-core"


class SetupFailed(Exception):
    """The server is not to be had; the message says what to do."""


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
    found = _on_this_machine()
    if found is not None:
        return found
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = CACHE / "root"
        if not (CACHE / "stamp").is_file():
            shutil.rmtree(root, ignore_errors=True)
            _fetch(root)
            (CACHE / "stamp").touch()
    return _within(root)


def _on_this_machine() -> Installation | None:
    home = os.environ.get("MARIADB_HOME")
    programs = [Path(home) / folder / "mariadbd" for folder in ("sbin", "bin")] if home else []
    on_path = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")
    programs += [Path(on_path)] if on_path else []
    for program in programs:
        for name in ("mysql", "mariadb", ""):
            share = program.resolve().parent.parent / "share" / name
            if program.is_file() and any(share.glob("m*_system_tables.sql")):
                return Installation(program, share)
    return None


def _within(root: Path) -> Installation:
    libraries = next((folder for folder in (root / "usr" / "lib").glob("*-linux-gnu*") if folder.is_dir()), None)
    share = next(folder for folder in (root / "usr" / "share").iterdir() if any(folder.glob("m*_system_tables.sql")))
    return Installation(root / "usr" / "sbin" / "mariadbd", share, libraries)


def _fetch(root: Path) -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise SetupFailed(
                f"The tests of MariaDB need its server, and this machine has neither mariadbd nor {tool} to get it. "
                "Install MariaDB 10.6 or later and name its folder in MARIADB_HOME, or leave these tests out: "
                "pytest -m 'not mariadb'."
            )
    packages = CACHE / "packages"
    shutil.rmtree(packages, ignore_errors=True)
    packages.mkdir(parents=True)
    try:
        _download(packages, PACKAGE)
    except SetupFailed:
        _run("apt-get", "update", "-qq", cwd=packages)
        _download(packages, PACKAGE)
    for library in _libraries():
        _download(packages, library)
    for package in sorted(packages.glob("*.deb")):
        _run("dpkg-deb", "--extract", str(package), str(root), cwd=packages)
    shutil.rmtree(packages)


def _libraries() -> list[str]:
    """Libraries that the server depends on and that this machine does not have."""
    text = _run("apt-cache", "depends", "--important", PACKAGE, cwd=CACHE)
    names = re.findall(r"^\s*Depends: (lib[\w.+-]+)$", text, re.MULTILINE)
    return [name for name in names if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Status}", name], capture_output=True, text=True, check=False
    )
    return done.returncode == 0 and done.stdout.endswith(" installed")


def _download(folder: Path, package: str) -> None:
    # Without its sandbox user, who may not write where the project is.
    _run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package, cwd=folder)


def _run(*command: str, cwd: Path) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise SetupFailed(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    try:
        print(ensure().program)
    except SetupFailed as failure:
        sys.exit(str(failure))
