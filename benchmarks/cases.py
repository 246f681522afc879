"""What is measured on one database, and what with what."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks import findings, host
from benchmarks.databases import Database
from benchmarks.measure import Case
from benchmarks.synthetic import build
from framework_m_migrations import MigrationManager, MigrationSettings

ROOT = Path(__file__).resolve().parents[1]

CREATE_ALL = "create_all, one transaction"
CREATE_ALL_BLIND = "create_all(checkfirst=False), one transaction"
CREATE_ALL_AUTOCOMMIT = "create_all, autocommit"
REFLECT = "MetaData.reflect"
COMPARE = "compare_metadata"
COMPARE_DEFAULTS = "compare_metadata with server defaults"
HOST = "Framework M now: "
NO_OP, FULL, CHANGED, FIRST, COMMAND = (
    "no-op sync",
    "full comparison",
    "one changed table",
    "first sync",
    "whole no-op command",
)
MODELS_ONLY = "python that imports the models"


@dataclass(slots=True)
class State:
    """A database and fresh MetaData, so that nobody profits from what SQLAlchemy has worked out before."""

    engine: sa.Engine
    metadata: sa.MetaData


@dataclass(slots=True)
class Cases:
    """Builds the cases for one database and size.

    Args:
        database: where.
        tables: how many.
        folder: for files of the commands.
    """

    database: Database
    tables: int
    folder: Path

    def firsts(self) -> list[Case]:
        """Filling an empty database."""
        found = [
            self._first(FIRST, sync),
            self._first(CREATE_ALL, create_all),
            self._first(CREATE_ALL_BLIND, lambda state: create_all(state, checkfirst=False)),
        ]
        if self.database.name == "postgres":
            found.append(self._first(CREATE_ALL_AUTOCOMMIT, create_all_autocommit))
        if host.available():
            theirs = host.engine_of(self.folder)
            found.append(self._first(HOST + FIRST, lambda state: theirs(state.engine, state.metadata)))
        return found

    def _first(self, name: str, run: Callable[[State], object]) -> Case:
        return Case(
            name,
            lambda: State(self.database.fresh(), build(self.tables)),
            run,
            _engine,
            lambda state: self.database.drop(state.engine),
        )

    def looks(self, engine: sa.Engine, hosts: sa.Engine | None) -> list[Case]:
        """Looking at a database that is as wanted already: ours synced ``engine``, Framework M's ``hosts``."""

        def prepare() -> State:
            return State(engine, build(self.tables))

        found = [
            Case(NO_OP, prepare, nothing_to_do, _engine),
            Case(FULL, prepare, full_comparison, _engine),
            Case(REFLECT, prepare, reflect, _engine),
            Case(COMPARE, prepare, lambda state: findings.compare(state.engine, state.metadata), _engine),
            Case(
                COMPARE_DEFAULTS,
                prepare,
                lambda state: findings.compare(state.engine, state.metadata, defaults=True),
                _engine,
            ),
        ]
        if hosts is not None:
            theirs = host.engine_of(self.folder)
            found += [
                Case(
                    HOST + name,
                    lambda: State(hosts, build(self.tables)),
                    partial(_hosts_sync, theirs, force=force),
                    _engine,
                )
                for name, force in ((NO_OP, False), (FULL, True))
            ]
        return found

    def changes(self, engine: sa.Engine, hosts: sa.Engine | None) -> list[Case]:
        """One table gets a column, another one at each repetition."""
        found = [self._change(CHANGED, engine, lambda state: expect(len(sync(state).plan.plan.changes), 1))]
        if hosts is not None:
            theirs = host.engine_of(self.folder)
            found.append(
                # Not held to one change: on PostgreSQL it reports columns that did not change as well.
                self._change(HOST + CHANGED, hosts, partial(_hosts_sync, theirs, force=False))
            )
        return found

    def _change(self, name: str, engine: sa.Engine, run: Callable[[State], object]) -> Case:
        added = 0

        def prepare() -> State:
            nonlocal added
            added += 1
            return State(engine, build(self.tables, added_columns=added))

        return Case(name, prepare, run, _engine)

    def commands(self, engine: sa.Engine) -> list[Case]:
        """The whole command as a user starts it, and as much Python as it takes to have the models."""
        project = self.folder / f"project_{self.database.name}_{self.tables}"
        project.mkdir()
        models = f"from benchmarks.synthetic import build\n\nmetadata = build({self.tables})\n"
        (project / "bench_models.py").write_text(models, encoding="utf-8")
        url = self.database.command_url(engine)
        command = [str(Path(sys.executable).with_name("m-migrate")), "sync", "--metadata", "bench_models:metadata"]
        return [
            Case(COMMAND, lambda: None, lambda _: _process([*command, "--database-url", url], project)),
            Case(MODELS_ONLY, lambda: None, lambda _: _process([sys.executable, "-c", "import bench_models"], project)),
        ]


def _process(command: list[str], project: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(project)))}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _hosts_sync(theirs: Callable[..., int], state: State, *, force: bool) -> int:
    return theirs(state.engine, state.metadata, force=force)


def _engine(state: State) -> sa.Engine:
    return state.engine


def _manager(state: State) -> MigrationManager:
    return MigrationManager(MigrationSettings(metadata=(state.metadata,)), engine=state.engine)


def sync(state: State) -> Any:
    """Our sync; returns its result."""
    return _manager(state).sync()


def expect(found: int, wanted: int) -> None:
    """A measurement of something that did not happen is worth nothing."""
    if found != wanted:
        raise RuntimeError(f"{found} changes where {wanted} was expected")


def nothing_to_do(state: State) -> None:
    if not sync(state).up_to_date:
        raise RuntimeError("the schema was changed where nothing was to do")


def full_comparison(state: State) -> None:
    result = _manager(state).plan(force=True)
    if result.plan.changes:
        raise RuntimeError(f"changes invented: {[str(change.planned.change) for change in result.changes[:3]]}")


def create_all(state: State, *, checkfirst: bool = True) -> None:
    with state.engine.begin() as connection:
        state.metadata.create_all(connection, checkfirst=checkfirst)


def create_all_autocommit(state: State) -> None:
    with state.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        state.metadata.create_all(connection)


def reflect(state: State) -> None:
    with state.engine.connect() as connection:
        sa.MetaData().reflect(connection)
