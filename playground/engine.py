"""The Python of the playground: one DocType or model as text, a database in IndexedDB, and the commands over both.

The page calls the functions without underscore, each with JSON-like values, and each returns the text of a JSON
document: what there is to show afterwards, or ``{"error": ...}`` with the same.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from models import SourceError, tables_of
from rows import rows_of, sample

from framework_m_migrations import AsyncMigrationManager, MigrationSettings
from framework_m_migrations.adapters.pyodide import IdbfsPersistence
from framework_m_migrations.domain.errors import MigrationError

APP = "shop"
FOLDER = Path("/playground")
DATABASE = FOLDER / "dev.db"
VERSIONS = FOLDER / APP / "migrations" / "versions"


@asynccontextmanager
async def _opened() -> AsyncIterator[None]:
    """Hold the store for one action, so that several tabs take turns."""
    store = IdbfsPersistence(str(FOLDER))
    await store.load()
    try:
        VERSIONS.mkdir(parents=True, exist_ok=True)
        (FOLDER / APP / "__init__.py").touch()
        yield
        await store.flush()
    finally:
        await store.release()


def _manager(metadata: sa.MetaData) -> AsyncMigrationManager:
    settings = MigrationSettings(
        f"sqlite+aiosqlite:///{DATABASE}", apps=(APP,), metadata=(metadata,), path=FOLDER, allow_empty=True
    )
    return AsyncMigrationManager(settings)


async def _answer(source: str, action: Callable[[sa.MetaData], Awaitable[Any]] | None = None) -> str:
    """Do something with the wanted tables, and say what there is afterwards."""
    found: dict[str, Any] = {"plan": None}
    try:
        async with _opened():
            metadata: sa.MetaData | None = None
            try:
                metadata = tables_of(source, APP)
                if action is not None:
                    found["done"] = await action(metadata)
            except (MigrationError, SourceError, sa.exc.SQLAlchemyError) as error:
                found["error"] = _told(error)
            if metadata is not None:
                await _look(found, metadata)
            found["tables"] = rows_of(DATABASE, metadata)
            found["size"] = DATABASE.stat().st_size if DATABASE.exists() else 0
    except MigrationError as error:
        found["error"] = _told(error)
    return json.dumps(found, default=str)


async def _look(found: dict[str, Any], metadata: sa.MetaData) -> None:
    try:
        found["plan"] = (await _manager(metadata).plan()).to_dict()
        found["revisions"] = await _revisions(metadata)
    except MigrationError as error:
        found.setdefault("error", _told(error))


async def _revisions(metadata: sa.MetaData) -> list[dict[str, Any]]:
    files = sorted(VERSIONS.glob("*.py"))
    if not files:  # nothing to ask Alembic, and then nothing imports it
        return []
    history = (await _manager(metadata).history()).to_dict()["revisions"]
    texts = {file.name.partition("_")[0]: file.read_text(encoding="utf-8") for file in files}
    return [{**revision, "text": texts.get(revision["id"], "")} for revision in history]


def _told(error: Exception) -> dict[str, Any]:
    if isinstance(error, SourceError):
        return {"code": "", "what": str(error), "next_step": "", "line": error.line}
    if isinstance(error, MigrationError):
        return {"code": error.code, "what": error.what, "next_step": error.next_step}
    what = str(getattr(error, "orig", None) or error)
    return {"code": type(error).__name__, "what": what, "next_step": ""}


async def look(source: str) -> str:
    """The plan, the revisions, and the tables with their rows."""
    return await _answer(source)


async def sync(source: str) -> str:
    """What is safe is applied."""

    async def action(metadata: sa.MetaData) -> str:
        result = await _manager(metadata).sync()
        applied = len(result.plan.changes) - len(result.withheld)
        if not applied:
            return "sync: nothing to do." if not result.withheld else "sync: nothing safe to do."
        return f"sync: {_counted(applied, 'change')} applied and stored."

    return await _answer(source, action)


async def create(source: str, message: str) -> str:
    """A revision is written from what differs, for a person to review."""

    async def action(metadata: sa.MetaData) -> str:
        result = await _manager(metadata).create(message, app=APP)
        return (
            f"create: revision {result.revision} written. Review it, then run it."
            if result.path
            else "Nothing to write."
        )

    return await _answer(source, action)


async def run(source: str, texts: dict[str, str]) -> str:
    """Pending revisions are applied, with the texts that the page has of them."""

    async def action(metadata: sa.MetaData) -> str:
        _write(texts)
        result = await _manager(metadata).run()
        return f"run: {_counted(len(result.revisions), 'revision')} applied and stored."

    return await _answer(source, action)


async def rollback(source: str) -> str:
    """The last revision is taken back."""

    async def action(metadata: sa.MetaData) -> str:
        result = await _manager(metadata).rollback(app=APP)
        return f"rollback: {_counted(len(result.revisions), 'revision')} taken back."

    return await _answer(source, action)


async def discard(source: str, revision: str) -> str:
    """The file of a revision that was not applied is deleted."""

    async def action(_: sa.MetaData) -> str:
        _delete(*VERSIONS.glob(f"{revision}_*.py"))
        return f"Revision {revision} deleted."

    return await _answer(source, action)


async def add_row(source: str, table: str) -> str:
    """A row with made-up values, as an application would write it."""

    async def action(metadata: sa.MetaData) -> str:
        sample(DATABASE, metadata.tables[table])
        return f"One row added to {table}."

    return await _answer(source, action)


async def start_over(source: str) -> str:
    """The database and the revisions are deleted."""
    async with _opened():
        _delete(*_files())
        for name in [name for name in sys.modules if name.partition(".")[0] == APP]:
            del sys.modules[name]
    return await look(source)


def _files() -> list[Path]:
    return [*VERSIONS.glob("*.py"), *FOLDER.glob("dev.db*")]


def _delete(*files: Path) -> None:
    for file in files:
        file.unlink()


def _write(texts: dict[str, str]) -> None:
    for revision, text in texts.items():
        for file in VERSIONS.glob(f"{revision}_*.py"):
            if file.read_text(encoding="utf-8") != text:
                file.write_text(text, encoding="utf-8")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
