"""Applies exactly one revision."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import get_ident
from typing import Any, NoReturn

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.runtime.migration import RevisionStep

from framework_m_migrations.adapters.sql.errors import FOLLOWS, from_driver
from framework_m_migrations.adapters.sql.versions.bookkeeping import ExactStep, make_room
from framework_m_migrations.adapters.sql.versions.failures import OF_THE_DATABASE, revision_failed
from framework_m_migrations.adapters.sql.versions.half_built import half_built_again
from framework_m_migrations.adapters.sql.versions.operations import writing
from framework_m_migrations.adapters.sql.versions.scripts import Library
from framework_m_migrations.adapters.sql.versions.sqlite_guard import SqliteGuard
from framework_m_migrations.adapters.sql.versions.transaction import RevisionTransaction, Scopes
from framework_m_migrations.adapters.sql.versions.unfinished import Progress, UnfinishedWork, way_out
from framework_m_migrations.domain.errors import (
    DependentRevision,
    MigrationError,
    PlanOutdated,
    RevisionError,
    RevisionFileBroken,
    UnknownRevision,
    ValuesWouldBeLost,
)
from framework_m_migrations.domain.options import Limits

type StepFunction = Callable[[Any, MigrationContext], Iterable[RevisionStep]]


class RevisionRun:
    """One revision, up or down, on one connection.

    Args:
        library: where its file is.
        revision: its id.
        upgrade: False to take it back.
        connection: the session's.
        scopes: the dialect.
        limits: as for Session.transaction.
        version_table_schema: that of the version table, beside which notes are kept where DDL commits.
        metadata: its naming convention names what the revision makes without a name, unless env.py gives one.

    Attributes:
        started: the revision's own function has been called.
        finished: it has been recorded in the version table, though perhaps not committed yet.
    """

    def __init__(
        self,
        library: Library,
        revision: str,
        *,
        upgrade: bool,
        connection: sa.Connection,
        scopes: Scopes,
        limits: Limits,
        version_table_schema: str | None = None,
        metadata: sa.MetaData | None = None,
    ) -> None:
        self._metadata = metadata
        self._library = library
        self._script = library.script(revision)
        self._upgrade = upgrade
        self._guard = SqliteGuard(connection) if connection.dialect.name == "sqlite" else None
        self._transaction = RevisionTransaction(
            connection, scopes, limits, before_commit=self._guard.check if self._guard else None
        )
        self._connection = connection
        self._scopes = scopes
        self._limits = limits
        self._translate = scopes.translate
        self._direction = "upgrade" if upgrade else "downgrade"
        self._heads: frozenset[str] = frozenset()
        self._work: UnfinishedWork | None = None
        self._progress: Progress | None = None
        if not scopes.capabilities(connection.dialect).transactional_ddl:
            self._work = UnfinishedWork(connection, version_table_schema)
            self._progress = Progress(
                self._work,
                connection,
                revision,
                self._direction,
                lambda: self._transaction.in_autocommit,
                self._transaction.settle,
            )
        self.started = False
        self.finished = False
        self._foreign = False
        if not upgrade and not callable(getattr(self._script.module, "downgrade", None)):
            raise RevisionError(
                f"Revision {revision} ({self._script.path}) has no function downgrade(): it cannot be taken back.",
                next_step="Write one, or restore a backup.",
                details={"revision": revision, "file": self._script.path},
            )
        self._refuse_what_would_not_run(getattr(self._script.module, self._direction))

    def _refuse_what_would_not_run(self, function: object) -> None:
        """To call a coroutine or a generator does nothing, and the revision would be recorded all the same."""
        kinds: dict[str, Callable[[object], bool]] = {
            "async": inspect.iscoroutinefunction,
            "a generator": inspect.isgeneratorfunction,
            "an async generator": inspect.isasyncgenfunction,
        }
        for kind, is_so in kinds.items():
            if is_so(function):
                raise RevisionFileBroken(
                    f"{self._direction}() of revision {self._script.revision} ({self._script.path}) is {kind}: nothing "
                    "in it would be done. The revision was not begun.",
                    next_step="Make it a plain function, without async and yield.",
                    details={"revision": self._script.revision, "file": self._script.path},
                )

    @contextmanager
    def shared(self) -> Iterator[None]:
        """The scope for a run on the session's connection: its transaction, and SQLite's precautions."""
        with self._translated(), self._guard.watch() if self._guard else nullcontext(), self._transaction.run():
            yield

    def _committed(self) -> bool | None:
        """Whether a part stands; not known where SQLite's driver was left to its own idea of transactions."""
        if self._progress is not None and not self._foreign:
            return self._progress.stands or self._transaction.by_commit
        return None if self._foreign and self._guard is not None else self._transaction.committed

    @contextmanager
    def foreign(self) -> Iterator[None]:
        """The scope for a run whose env.py has a connection and a transaction of its own."""
        self._foreign = True
        with self._translated():
            yield

    def steps(self, heads: Any, context: MigrationContext) -> Iterator[RevisionStep]:
        """What Alembic asks for (``fn``): the one step, once the database proves to be where it must be."""
        self._heads = frozenset(heads)
        self._check_position(self._heads)
        if context.connection is self._connection:
            self._transaction.attach(context)
            if self._work is not None:
                self._work.require_none(sorted(heads))
        position = self._library.position
        if not hasattr(context.opts.get("target_metadata"), "naming_convention"):
            context.opts["target_metadata"] = self._metadata
        make_room(context, self._script.revision)
        step = ExactStep(self._library, self._script, is_upgrade=self._upgrade, position=position)
        step.migration_fn = self._run_function(step.migration_fn, context)
        yield step
        position.move(self._script.revision, is_upgrade=self._upgrade)
        self.finished = True

    def _run_function(self, function: Callable[..., None], context: MigrationContext) -> Callable[..., None]:
        def run(**arguments: Any) -> None:
            if context.connection is not self._connection:
                self.started = True
                _call(function, arguments)
                return
            with self._noted(), half_built_again(self._connection), writing(context, self._scopes):
                self.started = True
                self._transaction.mark()
                _call(function, arguments)
                # The row of the version table belongs to the same transaction as the work, so it must be open again.
                self._transaction.resume()
                if self._transaction.restarted:
                    # What was rolled back may have made the version table.
                    context._ensure_version_table()  # noqa: SLF001

        run.__name__ = self._direction
        return run

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Where DDL commits: keep notes of how far the revision comes, until the transaction that records it."""
        if self._work is None or self._progress is None:
            yield
            return
        progress = self._progress
        self._transaction.before_leaving = lambda: progress.note("COMMIT")
        with progress.watching():
            yield
        self._work.forget()

    def _check_position(self, heads: frozenset[str]) -> None:
        graph, revision = self._library.graph, self._script.revision
        unknown = sorted(heads - graph.by_id.keys())
        if unknown:
            raise UnknownRevision(
                f"The database is at {', '.join(unknown)}, which no installed app has.", details={"unknown": unknown}
            )
        applied = self._library.position.at(heads).applied
        if (revision in applied) is self._upgrade:
            state = "applied already" if self._upgrade else "not applied"
            raise PlanOutdated(f"Revision {revision} is {state}: somebody else has moved the database meanwhile.")
        if self._upgrade:
            missing = [parent for parent in graph.by_id[revision].parents if parent not in applied]
            if missing:
                raise RevisionError(
                    f"Revision {revision} needs {', '.join(missing)}, not applied yet.",
                    next_step="Apply them first.",
                    details={"revision": revision, "missing": missing},
                )
            return
        # What stands on it stands on one of its children, and they are few.
        if any(child in applied for child in graph.children.get(revision, ())):
            standing = sorted((graph.descendants([revision]) & applied) - {revision})
            raise DependentRevision(
                f"Revision {revision} cannot be taken back: {', '.join(standing)} stand on it.",
                details={"revision": revision, "dependents": standing},
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not self.started:
                if isinstance(error, sa.exc.DBAPIError):
                    raise from_driver(error, self._translate) from error
                raise
            committed = self._committed()
            if committed is False:
                self._forget()
            raise self._failed(error, committed) from error

    def _failed(self, error: Exception, committed: bool | None) -> MigrationError:
        known = self._translate(error) if isinstance(error, sa.exc.DBAPIError) else None
        told: Exception = error
        earlier = self._transaction.refused
        follows = isinstance(error, sa.exc.PendingRollbackError) or (known is not None and known.details.get(FOLLOWS))
        if follows and earlier is not None:
            error = told = earlier
            known = self._translate(earlier)
        if known is not None or isinstance(error, (*OF_THE_DATABASE, ValuesWouldBeLost)):
            told = known or error
        if told is not error:
            told.__cause__ = error
        revision = self._script.revision
        own = self._library.graph.of_app(self._library.app_of(revision))
        first = self._upgrade and self._library.position.applied.isdisjoint(own)
        outside = self._progress is None or self._foreign
        return revision_failed(
            revision=revision,
            app=self._library.app_of(revision),
            file=Path(self._script.path),
            direction=self._direction,
            error=told,
            committed=committed,
            way_out=None if outside else way_out(revision, self._direction, sorted(self._heads)),
            stamp=f"m-migrate stamp {' '.join(sorted({*self._heads, revision}))}" if first else None,
        )

    def _forget(self) -> None:
        """A revision of which nothing stands is no unfinished one; what it was about to do may have been noted."""
        if self._work is None or self._foreign or self._connection.invalidated or self._connection.in_transaction():
            return
        # The first error is the one to report.
        with suppress(sa.exc.DBAPIError, MigrationError), self._scopes.transaction(self._connection, self._limits):
            self._work.forget()


def _call(function: Callable[..., None], arguments: dict[str, Any]) -> None:
    """Call a revision's function. One that ends the process has not done its work, whatever exit code it names.

    Raises:
        RevisionError: it calls ``sys.exit`` or ``os._exit``.
    """
    own, process, thread = os._exit, os.getpid(), get_ident()

    def refused(status: int) -> NoReturn:
        # A child that the revision forks, and other threads, may end as they like.
        if (os.getpid(), get_ident()) != (process, thread):
            own(status)
        raise SystemExit(status)

    vars(os)["_exit"] = refused
    try:
        function(**arguments)
    except SystemExit as error:
        raise RevisionError(f"it ends the process (exit code {error.code or 0})") from error
    finally:
        vars(os)["_exit"] = own
