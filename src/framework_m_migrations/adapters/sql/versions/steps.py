"""Applies exactly one revision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.runtime.migration import RevisionStep

from framework_m_migrations.adapters.sql.versions.bookkeeping import ExactStep
from framework_m_migrations.adapters.sql.versions.failures import revision_failed
from framework_m_migrations.adapters.sql.versions.scripts import Library
from framework_m_migrations.adapters.sql.versions.sqlite_guard import SqliteGuard
from framework_m_migrations.adapters.sql.versions.transaction import RevisionTransaction, Scopes
from framework_m_migrations.domain.errors import (
    DependentRevision,
    LockTimeout,
    MigrationError,
    PlanOutdated,
    RevisionError,
    UnknownRevision,
)

type StepFunction = Callable[[Any, MigrationContext], Iterable[RevisionStep]]


class RevisionRun:
    """One revision, up or down, on one connection.

    Args:
        library: where its file is.
        revision: its id.
        upgrade: False to take it back.
        connection: the session's.
        scopes: the dialect.
        lock_timeout: seconds, as for Session.transaction.

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
        lock_timeout: float | None = None,
    ) -> None:
        self._library = library
        self._script = library.script(revision)
        self._upgrade = upgrade
        self._guard = SqliteGuard(connection) if connection.dialect.name == "sqlite" else None
        self._transaction = RevisionTransaction(
            connection, scopes, lock_timeout=lock_timeout, before_commit=self._guard.check if self._guard else None
        )
        self._connection = connection
        self._translate = scopes.translate
        self.started = False
        self.finished = False
        self._foreign = False
        if not upgrade and not callable(getattr(self._script.module, "downgrade", None)):
            raise RevisionError(
                f"Revision {revision} ({self._script.path}) has no function downgrade(): it cannot be taken back.",
                next_step="Write one, or restore a backup.",
                details={"revision": revision, "file": self._script.path},
            )

    @contextmanager
    def shared(self) -> Iterator[None]:
        """The scope for a run on the session's connection: its transaction, and SQLite's precautions."""
        with self._translated(), self._guard.watch() if self._guard else nullcontext(), self._transaction.run():
            yield

    def _committed(self) -> bool | None:
        """Whether a part stands; not known where SQLite's driver was left to its own idea of transactions."""
        return None if self._foreign and self._guard is not None else self._transaction.committed

    @contextmanager
    def foreign(self) -> Iterator[None]:
        """The scope for a run whose env.py has a connection and a transaction of its own."""
        self._foreign = True
        with self._translated():
            yield

    def steps(self, heads: Any, context: MigrationContext) -> Iterator[RevisionStep]:
        """What Alembic asks for (``fn``): the one step, once the database proves to be where it must be."""
        self._check_position(frozenset(heads))
        if context.connection is self._connection:
            self._transaction.attach(context)
        step = ExactStep(self._library, self._script, is_upgrade=self._upgrade)
        step.migration_fn = self._run_function(step.migration_fn, context)
        yield step
        self.finished = True

    def _run_function(self, function: Callable[..., None], context: MigrationContext) -> Callable[..., None]:
        def run(**arguments: Any) -> None:
            self.started = True
            function(**arguments)
            if context.connection is self._connection:
                # The row of the version table belongs to the same transaction as the work, so it must be open again.
                self._transaction.resume()
                if self._guard is not None:
                    self._guard.restore()

        run.__name__ = "upgrade" if self._upgrade else "downgrade"
        return run

    def _check_position(self, heads: frozenset[str]) -> None:
        graph, revision = self._library.graph, self._script.revision
        unknown = sorted(heads - graph.by_id.keys())
        if unknown:
            raise UnknownRevision(
                f"The database is at {', '.join(unknown)}, which no installed app has.", details={"unknown": unknown}
            )
        applied = graph.closure(heads)
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
        standing = sorted((graph.descendants([revision]) & applied) - {revision})
        if standing:
            raise DependentRevision(
                f"Revision {revision} cannot be taken back: {', '.join(standing)} stand on it.",
                details={"revision": revision, "dependents": standing},
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if isinstance(error, MigrationError) and not self.started:
                raise
            known = self._translate(error) if isinstance(error, sa.exc.DBAPIError) else error
            if known is not None and known is not error:
                known.__cause__ = error
            raise revision_failed(
                revision=self._script.revision,
                app=self._library.app_of(self._script.revision),
                file=Path(self._script.path),
                direction="upgrade" if self._upgrade else "downgrade",
                error=known if isinstance(known, LockTimeout) else error,
                committed=self._committed(),
            ) from error
