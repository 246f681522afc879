"""The Python of the playground: the models of up to two apps as text, a database in IndexedDB, the commands over both.

The page calls ``answer`` with the name of an action and a request, both JSON-like: ``files`` maps an app to the text of
its models, ``edits`` a revision to its text. What comes back is the text of a JSON document with all there is to show.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from drawing import tables_in, tables_wanted
from models import SourceError, metadata_of
from postgres import Postgres
from rows import rows_of, sample

import __main__
from framework_m_migrations import AsyncMigrationManager, MigrationSettings
from framework_m_migrations.adapters.pyodide import IdbfsPersistence
from framework_m_migrations.domain.errors import MigrationError

HOME = Path("/playground")
FOLDER = HOME / "none"
DATABASE = FOLDER / "dev.db"
SEEDS = 3
CLASS_SECONDS, REVISION_SECONDS = 10, 60
"""How long the page waits for a text of the user's before it ends the worker."""

type Action = Callable[[Request], Awaitable[str | None]]


class Request:
    """One action over the tables that the texts declare."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.files: dict[str, str] = given["files"]
        self.apps = tuple(app for app, text in self.files.items() if text.strip())
        self.metadata: tuple[sa.MetaData, ...] = ()

    @property
    def tables(self) -> dict[str, sa.Table]:
        """All tables, by name."""
        return {table.name: table for metadata in self.metadata for table in metadata.tables.values()}

    @property
    def manager(self) -> AsyncMigrationManager:
        """The commands."""
        stored = [folder.parent.parent.name for folder in _folders() if any(folder.glob("*.py"))]
        apps = tuple(dict.fromkeys((*self.apps, *stored)))
        url = f"sqlite+aiosqlite:///{DATABASE}"
        return AsyncMigrationManager(
            MigrationSettings(url, apps=apps, metadata=self.metadata, path=FOLDER, allow_empty=True)
        )


async def answer(name: str, given: dict[str, Any]) -> str:
    """Do what is asked, and say what there is afterwards."""
    request = Request(given)
    _enter(HOME / given["kind"])
    found: dict[str, Any] = {"plan": None}
    try:
        async with _opened(request.apps):
            if name == "start_over":
                _forget()
            # Nothing that was stored is executed before the page was told to do so.
            if name in {"open", "start_over"} and (not given.get("trusted") or _stored()):
                found |= {"held": True, "revisions": _stored(), "tables": rows_of(DATABASE, ()), "before": []}
            else:
                await _act(name, request, found)
            found["size"] = DATABASE.stat().st_size if DATABASE.exists() else 0
    except MigrationError as error:
        found["error"] = _described(error)
    return json.dumps(found, default=str)


async def _act(name: str, request: Request, found: dict[str, Any]) -> None:
    try:
        with _watched(CLASS_SECONDS):
            request.metadata = metadata_of(request.files)
        _write(request.given.get("edits", {}))
        with _watched(REVISION_SECONDS):
            if name in {"open", "start_over"} and request.given.get("seed") and not DATABASE.exists():
                await _seed(request)
            elif name in ACTIONS:
                found["done"] = await ACTIONS[name](request)
    except (MigrationError, SourceError, sa.exc.SQLAlchemyError) as error:
        found["error"] = _described(error)
    if request.metadata:
        with _watched(REVISION_SECONDS):
            await _look(found, request)
    found["tables"] = rows_of(DATABASE, request.tables)
    found["before"] = tables_in(DATABASE)


async def _look(found: dict[str, Any], request: Request) -> None:
    found["after"] = tables_wanted(request.metadata)
    existing = {table["name"] for table in tables_in(DATABASE)}
    try:
        result = await request.manager.plan()
        found["plan"] = result.to_dict()
        postgres = Postgres(request.metadata)
        for shown, change in zip(found["plan"]["changes"], result.changes, strict=True):
            shown["postgres"] = postgres.shown(change.planned, existing)
        found["revisions"] = await _revisions(request)
        found["renames"] = await _renames(request, found["plan"]["changes"])
    except MigrationError as error:
        found.setdefault("error", _described(error))


async def _renames(request: Request, changes: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What goes and comes and may be one thing with another name; asked only where both are among the changes."""
    kinds = {(change["app"] or request.apps[0], change["kind"]) for change in changes}
    offered: list[dict[str, str]] = []
    for app in request.apps:
        if any({(app, f"{what}Added"), (app, f"{what}Removed")} <= kinds for what in ("Column", "Table")):
            try:
                candidates = await request.manager.possible_renames(app)
            except MigrationError:  # pending revisions come first
                continue
            offered += [{"app": app, "text": one.text, "old": one.old, "new": one.new or ""} for one in candidates]
    return offered


async def _revisions(request: Request) -> list[dict[str, Any]]:
    stored = {one["id"]: one for one in _stored()}
    if not stored:  # nothing to ask Alembic, and then nothing imports it
        return []
    history = (await request.manager.history()).to_dict()["revisions"]
    return [{**revision, **stored[revision["id"]]} for revision in history if revision["id"] in stored]


def _described(error: Exception) -> dict[str, Any]:
    if isinstance(error, SourceError):
        return {"code": "", "what": str(error), "next_step": "", "line": error.line, "app": error.app}
    if isinstance(error, MigrationError):
        return {"code": error.code, "what": error.what, "next_step": error.next_step}
    what = str(getattr(error, "orig", None) or error)
    return {"code": type(error).__name__, "what": what, "next_step": ""}


# ---- Actions


async def _seed(request: Request) -> None:
    await request.manager.sync()
    for table in request.tables.values():
        for _ in range(SEEDS):
            sample(DATABASE, request.tables, table.name)


async def _sync(request: Request) -> str:
    result = await request.manager.sync()
    applied = len(result.plan.changes) - len(result.withheld)
    if not applied:
        return "sync: nothing to do." if not result.withheld else "sync: nothing safe to do."
    return f"sync: {_counted(applied, 'change')} applied and stored."


async def _create(request: Request) -> str:
    given = request.given
    renames = tuple(given.get("renames", ()))
    result = await request.manager.create(given["message"], app=given["app"], renames=renames)
    return (
        f"create: revision {result.revision} written. Review it, then run it." if result.path else "Nothing to write."
    )


async def _run(request: Request) -> str:
    result = await request.manager.run()
    return f"run: {_counted(len(result.revisions), 'revision')} applied and stored."


async def _rollback(request: Request) -> str:
    result = await request.manager.rollback()
    return f"rollback: {_counted(len(result.revisions), 'revision')} rolled back."


async def _discard(request: Request) -> str:
    revision = request.given["revision"]
    for folder in _folders():
        _delete(*folder.glob(f"{revision}_*.py"))
    return f"Revision {revision} deleted."


async def _add_row(request: Request) -> str:
    name = request.given["table"]
    sample(DATABASE, request.tables, name)
    return f"One row added to {name}."


ACTIONS: dict[str, Action] = {
    "sync": _sync,
    "create": _create,
    "run": _run,
    "rollback": _rollback,
    "discard": _discard,
    "add_row": _add_row,
}


# ---- Files


def _enter(folder: Path) -> None:
    """Work in this folder: DocTypes and models of SQLAlchemy have a database each."""
    global FOLDER, DATABASE
    if folder == FOLDER:
        return
    if str(FOLDER) in sys.path:
        sys.path.remove(str(FOLDER))
    _unload()
    FOLDER, DATABASE = folder, folder / "dev.db"
    sys.path.append(str(FOLDER))  # one app's models may import those of another


def _unload() -> None:
    apps = {folder.parent.parent.name for folder in _folders()}
    for name in [name for name in sys.modules if name.partition(".")[0] in apps]:
        del sys.modules[name]


@asynccontextmanager
async def _opened(apps: tuple[str, ...]) -> AsyncIterator[None]:
    """Hold the store for one action, so that several tabs take turns."""
    store = IdbfsPersistence(str(FOLDER))
    await store.load()
    try:
        for app in apps:
            (FOLDER / app / "migrations" / "versions").mkdir(parents=True, exist_ok=True)
            (FOLDER / app / "__init__.py").touch()
        importlib.invalidate_caches()
        yield
        await store.flush()
    finally:
        await store.release()


def _folders() -> list[Path]:
    return sorted(FOLDER.glob("*/migrations/versions"))


def _stored() -> list[dict[str, Any]]:
    return [
        {
            "id": file.name.partition("_")[0],
            "app": folder.parent.parent.name,
            "file": file.name,
            "message": file.stem.partition("_")[2].replace("_", " "),
            "text": file.read_text(encoding="utf-8"),
        }
        for folder in _folders()
        for file in sorted(folder.glob("*.py"))
    ]


def _forget() -> None:
    _delete(*(file for folder in _folders() for file in folder.glob("*.py")), *FOLDER.glob("dev.db*"))
    _unload()


def _delete(*files: Path) -> None:
    for file in files:
        file.unlink()


def _write(texts: dict[str, str]) -> None:
    for revision, text in texts.items():
        for folder in _folders():
            for file in folder.glob(f"{revision}_*.py"):
                if file.read_text(encoding="utf-8") != text:
                    file.write_text(text, encoding="utf-8")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


class _watched:  # noqa: N801 - used as a statement
    """The page ends the worker where the block takes longer than this: text of the user's may never come back."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._tell(self._seconds)

    def __exit__(self, *_: object) -> None:
        self._tell(0)

    @staticmethod
    def _tell(seconds: float) -> None:
        watch = getattr(__main__, "watch", None)
        if watch is not None:
            watch(seconds)
