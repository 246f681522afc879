"""What the tests of failures run in the worker: files changed behind the engine's back, hooks that start loops."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from framework_m_migrations import AsyncMigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import MigrationError
from tests.browser.inside import engine, metadata, store_of

FOLDER, NAME = "/data", "dev.db"


def javascript(text: str) -> Any:
    from pyodide.code import run_js

    return run_js(text)


async def migrate_much(kind: str) -> str:
    """A sync that needs more room than the site may have; its error's code.

    In the private file system its own megabyte is too much. IndexedDB gets the whole file at once, with 20 MB of rows
    that the application wrote before.
    """
    wanted = metadata("name", "note")
    for number in range(60):
        columns = [sa.Column(f"c{index}", sa.Text, index=True) for index in range(5)]
        sa.Table(f"wide_{number}", wanted, sa.Column("id", sa.Integer, primary_key=True), *columns)
    store = store_of(kind)
    settings = MigrationSettings(f"sqlite:///{FOLDER}/{NAME}", metadata=(wanted,))
    if kind == "idbfs":
        await store.load()
        with engine().begin() as connection:
            connection.exec_driver_sql("CREATE TABLE big (content BLOB)")
            for _ in range(20):
                connection.exec_driver_sql("INSERT INTO big VALUES (randomblob(1000000))")
    try:
        await AsyncMigrationManager(settings, overrides={"persistence": lambda _: store}).sync()
    except MigrationError as error:
        return error.code
    return "it had room"


_OPFS = f"""
(async (bytes) => {{
  const root = await navigator.storage.getDirectory();
  const directory = await root.getDirectoryHandle("{FOLDER[1:]}");
  const handle = await (await directory.getFileHandle("{NAME}")).createSyncAccessHandle();
  if (bytes) {{ handle.truncate(0); handle.write(bytes, {{ at: 0 }}); handle.flush(); }}
  const content = new Uint8Array(handle.getSize());
  handle.read(content, {{ at: 0 }});
  handle.close();
  return content;
}})
"""
_IDBFS = f"""
((bytes) => new Promise((resolve, reject) => {{
  const opening = indexedDB.open("{FOLDER}");
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {{
    const database = opening.result;
    const files = database.transaction(["FILE_DATA"], "readwrite").objectStore("FILE_DATA");
    const path = "{FOLDER}/{NAME}";
    if (bytes) files.put({{ contents: bytes.slice(), mode: 33188, timestamp: new Date() }}, path);
    files.get(path).onsuccess = (event) => {{ database.close(); resolve(event.target.result.contents); }};
  }};
}}))
"""


async def write_raw(kind: str, content: bytes) -> None:
    """Put other bytes in the place of the stored database, past the engine."""
    from pyodide.ffi import to_js

    await javascript(_OPFS if kind == "opfs" else _IDBFS)(to_js(content))


async def read_raw(kind: str) -> str:
    """The first bytes of what is stored, and how many there are."""
    found = (await javascript(_OPFS if kind == "opfs" else _IDBFS)(None)).to_bytes()
    return f"{found[:31].decode()} {len(found)}"


async def make_unopenable(kind: str) -> None:
    """IndexedDB: of a newer version. The private file system: a folder where the file should be."""
    if kind == "opfs":
        await javascript(f"""
        (async () => {{
          const root = await navigator.storage.getDirectory();
          const directory = await root.getDirectoryHandle("{FOLDER[1:]}");
          await directory.removeEntry("{NAME}");
          await directory.getDirectoryHandle("{NAME}", {{ create: true }});
        }})
        """)()
        return
    await javascript(f"""
    () => new Promise((resolve, reject) => {{
      const request = indexedDB.open("{FOLDER}", 99);
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {{ request.result.close(); resolve(); }};
    }})
    """)()


async def open_raw_and_keep() -> None:
    """Hold the file of the private file system as somebody would who takes no lock."""
    await javascript(f"""
    (async () => {{
      const root = await navigator.storage.getDirectory();
      const directory = await root.getDirectoryHandle("{FOLDER[1:]}");
      globalThis.kept = await (await directory.getFileHandle("{NAME}")).createSyncAccessHandle();
    }})
    """)()


def close_raw() -> None:
    """Let go of it."""
    javascript("kept.close()")


HOOK = """
import asyncio
async def later():
    await asyncio.sleep(0.01)
    seen.append("hook")
seen = []
def before_sync(connection):
    asyncio.run(later())
"""
ENV = """
import asyncio
from alembic import context
async def main():
    await asyncio.sleep(0.01)
    context.configure(connection=context.config.attributes["connection"])
    with context.begin_transaction():
        context.run_migrations()
asyncio.run(main())
"""
REVISION = """
import sqlalchemy as sa
from alembic import op
revision = "first"
down_revision = None
branch_labels = ("loops",)
def upgrade():
    op.create_table("by_revision", sa.Column("id", sa.Integer, primary_key=True))
"""


async def try_asyncio_run() -> list[Any]:
    """A hook and an env.py that call asyncio.run: whether this browser has JSPI, and what became of each."""
    from pyodide.ffi import can_run_sync

    root = Path("/project")
    versions = root / "loops" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (root / "loops" / "__init__.py").touch()
    (root / "loops" / "migrations" / "__init__.py").write_text(HOOK)
    (versions / "first.py").write_text(REVISION)
    (root / "alembic").mkdir()
    (root / "alembic" / "env.py").write_text(ENV)
    (root / "alembic" / "script.py.mako").touch()
    (root / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/alembic\n")
    importlib.invalidate_caches()
    settings = MigrationSettings("sqlite:////loops/dev.db", apps=("loops",), metadata=(metadata("name"),), path=root)
    manager = AsyncMigrationManager(settings)
    found: list[Any] = [can_run_sync()]
    for command in (manager.sync, manager.run):
        try:
            await command()
        except MigrationError as error:
            found.append(error.code)
        else:
            found.append("done")
    return [*found, sys.modules["loops.migrations"].seen]
