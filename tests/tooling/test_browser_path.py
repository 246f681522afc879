"""What a browser tab loads is importable where the packages of a server do not exist."""

from __future__ import annotations

import subprocess
import sys

from scripts.waiting import PROGRAM_LIMIT

SERVER_ONLY = {
    "adapters.sql.async_engines",
    "adapters.sql.async_runner",
    "adapters.doctypes.framework_m",
    "adapters.sql.dialects.mariadb",
    "container.di",
    "embedding.aio",
    "embedding.framework_m",
    "cli",
    "testing",
    "__main__",
}

PROGRAM = """
import importlib, importlib.abc, pkgutil, sys

ABSENT = {"asyncpg", "aiosqlite", "greenlet", "dependency_injector", "psycopg"}
NETWORK = {"aiohttp", "httpx", "requests", "urllib3", "http.client"}

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, Absent())
import framework_m_migrations as package
assert "sqlalchemy" not in sys.modules, "the package root imports sqlalchemy"

def names(search, prefix):
    for module in pkgutil.iter_modules(search, prefix):
        short = module.name.removeprefix(package.__name__ + ".")
        if short in sys.argv[1:]:
            continue
        yield module.name
        if module.ispkg:
            yield from names([f"{module.module_finder.path}/{module.name.rpartition('.')[2]}"], module.name + ".")

for name in names(package.__path__, package.__name__ + "."):
    try:
        importlib.import_module(name)
    except ImportError as error:
        raise SystemExit(f"{name}: {error}")
loaded = NETWORK & sys.modules.keys()
if loaded:
    raise SystemExit(f"network libraries were imported: {sorted(loaded)}")
"""


def test_every_module_of_the_browser_path_imports_without_server_packages() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, *sorted(SERVER_ONLY)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_LIMIT,
    )
    assert done.returncode == 0, done.stderr
