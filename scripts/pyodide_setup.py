"""Installs what the tests in Pyodide and in a browser need: Node packages, and wheels for Pyodide in .pyodide/.

Nothing is done when it is there already. Two processes that call it take turns. Node and npm are all that must exist.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from scripts.waiting import turn

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".pyodide"
# One build from source: there is no wheel of it for this platform, and it works without its C part.
PURE = "markupsafe"
WANTED = ("sqlalchemy", "alembic", "pytest", "framework-m-core")
# Of the host's standard adapters only the schema mapper is used, and what the others need has no wheels.
WANTED_ALONE = ("framework-m-standard",)
PLATFORM = (
    *("--only-binary=:all:", "--python-version", "3.14", "--implementation", "cp"),
    *("--abi", "cp314", "--abi", "abi3", "--abi", "none", "--platform", "pyemscripten_2026_0_wasm32"),
)
FETCH = 1800.0
"""Seconds for one command that fetches packages."""
ENVIRONMENT = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_ROOT_USER_ACTION": "ignore"}


def ensure() -> Path:
    """Install what is missing; returns the cache folder, with ``site`` (packages for Pyodide) in it."""
    CACHE.mkdir(exist_ok=True)
    with turn(CACHE / "lock", what="another process that installs packages", limit=2 * FETCH):
        inputs = [ROOT / "package.json", ROOT / "constraints" / "dev.txt", Path(__file__)]
        wanted = hashlib.sha256(b"".join(file.read_bytes() for file in inputs)).hexdigest()
        stamp = CACHE / "stamp"
        if stamp.is_file() and stamp.read_text() == wanted and (ROOT / "node_modules" / "pyodide").is_dir():
            return CACHE
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit("The tests in Pyodide need Node 20 or later and npm; neither node nor npm was found.")
        _run(npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
        _install_wheels()
        stamp.write_text(wanted)
    return CACHE


def _install_wheels() -> None:
    pure, wheels, site = CACHE / "pure", CACHE / "wheels", CACHE / "site"
    fresh, former = CACHE / "site.new", CACHE / "site.old"
    for folder in (wheels, fresh, former):
        shutil.rmtree(folder, ignore_errors=True)
    pip = (sys.executable, "-m", "pip", "--quiet")
    pins = ("--constraint", str(ROOT / "constraints" / "dev.txt"))
    # With this compiler its setup falls back to plain Python, and the wheel is one for every platform.
    _run(*pip, "wheel", "--no-deps", "--no-binary", PURE, *pins, "-w", str(pure), PURE, CC="/bin/false")
    _run(*pip, "download", "--find-links", str(pure), "-d", str(wheels), *pins, *PLATFORM, *WANTED)
    _run(*pip, "download", "--no-deps", "-d", str(wheels), *pins, *PLATFORM, *WANTED_ALONE)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(fresh)
    # A run that still uses the former packages finds all of them or all of the new ones.
    if site.exists():
        site.rename(former)
    fresh.rename(site)
    shutil.rmtree(former, ignore_errors=True)


def _run(*command: str, **environment: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, **ENVIRONMENT, **environment}, timeout=FETCH)


if __name__ == "__main__":
    print(ensure())
