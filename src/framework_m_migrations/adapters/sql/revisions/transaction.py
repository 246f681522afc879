"""The transaction of one revision, which the revision itself may leave.

Alembic offers ``autocommit_block`` for what a database refuses inside a transaction, and many patches say
``op.execute("COMMIT")`` to the same end. Both are carried out through the dialect's own scopes, so that the driver's
idea of the transaction and the database's never part. So are ``commit()`` and ``rollback()`` of the connection and of
the pool's under it: the next statement is in a new transaction, and that a part stands is known. What goes to the
driver's own connection or cursor is seen by nobody; the database itself is asked about it where a revision fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Protocol

import sqlalchemy as sa
from alembic.migration import MigrationContext
from sqlalchemy import event

from framework_m_migrations.adapters.sql.dialects.base import Mark, RevisionGuard
from framework_m_migrations.adapters.sql.errors import FOLLOWS
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.errors import MigrationError, RevisionError
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.plan import LockLevel

_COMMIT = re.compile(r"\s*(COMMIT|END)(\s+(WORK|TRANSACTION))?\s*;?\s*", re.IGNORECASE)
_BEGIN = re.compile(
    r"\s*(BEGIN|START\s+TRANSACTION)(\s+(WORK|TRANSACTION|IMMEDIATE|DEFERRED|EXCLUSIVE))*\s*;?\s*", re.IGNORECASE
)
_ROLLBACK = re.compile(r"\s*(ROLLBACK|ABORT)(\s+(WORK|TRANSACTION))?\s*;?\s*", re.IGNORECASE)
_NOTHING = "SELECT 1"


class _TakenBack(Exception):
    """Ends a scope whose work the revision itself rolls back."""


class Scopes(Protocol):
    """What is needed of a SqlDialect."""

    @property
    def own_tables(self) -> Mapping[str, str]:
        """As SqlDialect.own_tables."""
        ...

    def capabilities(self, dialect: sa.Dialect) -> Capabilities:
        """As SqlDialect.capabilities."""
        ...

    def transaction(self, connection: sa.Connection, limits: Limits) -> AbstractContextManager[None]:
        """As SqlDialect.transaction."""
        ...

    def autocommit(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """As SqlDialect.autocommit."""
        ...

    def mark(self, connection: sa.Connection) -> Mark:
        """As SqlDialect.mark."""
        ...

    def lock_level(self, level: LockLevel) -> LockLevel:
        """As SqlDialect.lock_level."""
        ...

    def revision_impl(self) -> type[Any] | None:
        """As SqlDialect.revision_impl."""
        ...

    def revision_guard(self, connection: sa.Connection) -> RevisionGuard | None:
        """As SqlDialect.revision_guard."""
        ...

    def revision_scope(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """As SqlDialect.revision_scope."""
        ...

    def translate(self, error: sa.exc.DBAPIError) -> MigrationError | None:
        """As SqlDialect.translate."""
        ...


class RevisionTransaction:
    """Begins, leaves, resumes and ends the transaction of one revision.

    Args:
        connection: the session's.
        scopes: the dialect.
        limits: as for Session.transaction.
        before_commit: called inside the transaction before each commit; what it raises rolls it back.

    Attributes:
        before_leaving: called inside the transaction before the revision leaves it for autocommit.
        restarted: the revision has committed or rolled back, and is in another transaction now.
        by_commit: a part was committed by what no statement shows: a call of ``commit``, or the driver's own.
        unanswered: the connection broke during a COMMIT, which the server may have carried out.
        refused: the last error of a statement, which the revision may have caught.
    """

    def __init__(
        self,
        connection: sa.Connection,
        scopes: Scopes,
        limits: Limits,
        *,
        before_commit: Callable[[], None] | None = None,
    ) -> None:
        self._connection = connection
        self._scopes = scopes
        self._limits = limits
        self._before_commit = before_commit
        self._scope: AbstractContextManager[None] | None = None
        self._in_autocommit = False
        self._switching = False
        self._nested = False
        self._mark: Mark | None = None
        self._marking = False
        self._ddl_commits = not scopes.capabilities(connection.dialect).transactional_ddl
        self._left = False
        self._by_itself = False
        self.restarted = False
        self.by_commit = False
        self.unanswered = False
        self.refused: sa.exc.DBAPIError | None = None
        self.before_leaving: Callable[[], None] | None = None

    @property
    def committed(self) -> bool:
        """A part of the revision was committed before its end, because it left its transaction."""
        return self._left

    @property
    def in_autocommit(self) -> bool:
        """The revision is outside any transaction."""
        return self._in_autocommit

    @contextmanager
    def run(self) -> Iterator[None]:
        """The scope of the whole revision: commits at the end, rolls back what is not committed on any exception."""
        self._nested = self._connection.in_transaction()
        if self._nested and self._ddl_commits:
            raise RevisionError(
                "The connection handed in is in a transaction, which every DDL statement of the revision would commit.",
                next_step="Commit before revisions are run, or hand in an engine.",
            )
        event.listen(self._connection, "before_execute", self._on_execute, retval=True)
        event.listen(self._connection, "commit", self._on_commit)
        event.listen(self._connection.engine, "handle_error", self._on_error)
        try:
            with self._shadowed():
                self._enter(autocommit=False)
                try:
                    yield
                    self.resume()
                    self._leave()
                except BaseException as error:
                    self._abandon(error)
                    raise
        finally:
            event.remove(self._connection, "before_execute", self._on_execute)
            event.remove(self._connection, "commit", self._on_commit)
            event.remove(self._connection.engine, "handle_error", self._on_error)

    @contextmanager
    def _shadowed(self) -> Iterator[None]:
        """What the revision's code calls ``commit`` and ``rollback`` goes through the scopes too."""
        shadowed: list[tuple[Any, str]] = []
        for target in (self._connection, self._connection.connection):
            for name, way in (("commit", self.commit), ("rollback", self.rollback)):
                vars(target)[name] = self._instead(getattr(target, name), way)
                shadowed.append((target, name))
        try:
            yield
        finally:
            for target, name in shadowed:
                vars(target).pop(name, None)

    def _instead(self, own: Callable[[], None], way: Callable[[], None]) -> Callable[[], None]:
        def call() -> None:
            if self._switching or self._by_itself or self._in_autocommit:
                self._by_itself = False
                own()
            else:
                way()

        return call

    def _on_commit(self, connection: sa.Connection) -> None:
        """A transaction object of SQLAlchemy's was committed: its next call is the driver's own commit."""
        del connection
        if not self._switching:
            self._left = self.by_commit = self._by_itself = True

    def _on_error(self, context: sa.engine.ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        if context.connection is self._connection and isinstance(error, sa.exc.DBAPIError) and not self._switching:
            known = self._scopes.translate(error)
            if known is None or not known.details.get(FOLLOWS):
                self.refused = error

    def _refuse_after_the_end(self) -> None:
        """SQLite itself rolls back where its disk is full: what a revision that catches the error sent next would stay.

        Raises:
            sqlalchemy.exc.DBAPIError: the error that the revision caught.
        """
        if self.refused is not None and self._ended():
            raise self.refused

    def _ended(self) -> bool:
        """Whether the transaction has ended without us; only SQLite's drivers tell."""
        if self._scope is None or self._in_autocommit:
            return False
        return getattr(self._connection.connection.driver_connection, "in_transaction", True) is False

    def commit(self) -> None:
        """Commit what the revision has done so far, and be in a new transaction."""
        self._switch(autocommit=False)
        self._left = self.by_commit = self.restarted = True

    def rollback(self) -> None:
        """Take back what the revision has done since it began or committed, and be in a new transaction."""
        self._refuse_within()
        self._abandon(_TakenBack())
        self._enter(autocommit=False)
        self.restarted = True

    def attach(self, context: MigrationContext) -> None:
        """Make ``op.get_context().autocommit_block()`` of this context leave and resume this transaction."""
        vars(context)["autocommit_block"] = self.autocommit_block

    @contextmanager
    def autocommit_block(self) -> Iterator[None]:
        """Commit, run the body outside any transaction, begin again."""
        nested = self._in_autocommit
        if not nested:
            self._switch(autocommit=True)
        yield
        if not nested:
            self.resume()

    def resume(self) -> None:
        """Be in a transaction again, however the revision left it."""
        if self._in_autocommit:
            self._switch(autocommit=False)

    def _refuse_within(self) -> None:
        if self._nested:
            raise RevisionError(
                "The revision leaves its transaction, and the connection handed in is in one that is not its own.",
                next_step="Commit before revisions are run, or hand in an engine.",
            )

    def _switch(self, *, autocommit: bool) -> None:
        self._refuse_within()
        if not self._in_autocommit and self.before_leaving is not None:
            self.before_leaving()
        self._leave()
        self._enter(autocommit=autocommit)

    def _enter(self, *, autocommit: bool) -> None:
        scope = (
            self._scopes.autocommit(self._connection)
            if autocommit
            else self._scopes.transaction(self._connection, self._limits)
        )
        with self._own_statements():
            scope.__enter__()
            self._scope, self._in_autocommit = scope, autocommit
        if self._marking:
            self.mark()
        self._left = self._left or autocommit

    def _leave(self) -> None:
        self._refuse_after_the_end()
        if not self._in_autocommit and self._before_commit is not None:
            self._before_commit()
        scope, self._scope = self._scope, None
        if scope is not None:
            broken = self._connection.invalidated
            try:
                with self._own_statements():
                    scope.__exit__(None, None, None)
            except BaseException:
                self.unanswered = self._connection.invalidated and not broken and not self._in_autocommit
                self._look_at_the_end(within=False)
                raise
        self._mark = None

    def mark(self) -> None:
        """From now on it is the revision's own code that works: see what it commits past SQLAlchemy."""
        self._marking = True
        if not self._in_autocommit and not self._nested:
            with self._own_statements():
                self._mark = self._scopes.mark(self._connection)

    def _look_at_the_end(self, *, within: bool = True) -> None:
        """See whether the revision has committed past SQLAlchemy; once ``within`` the transaction, once behind it."""
        # What led here is the error to be told.
        with suppress(sa.exc.DBAPIError):
            self._look(within=within)

    def _look(self, *, within: bool) -> None:
        if self._mark is None:
            return
        with self._own_statements():
            if self._mark(self.refused, within=within):
                self._left = self.by_commit = True
                self._mark = None

    def settle(self) -> None:
        """Look for the last time: what comes next commits by itself."""
        self._look(within=True)
        self._mark = None

    def _abandon(self, error: BaseException) -> None:
        scope, self._scope = self._scope, None
        if scope is None:
            return
        self._look_at_the_end()
        try:
            with self._own_statements():
                scope.__exit__(type(error), error, error.__traceback__)
        except Exception as second:
            if second.__cause__ is error:
                # The dialect has said the same in the words of our own errors.
                raise
            # The first error is the one to be told; that the rollback failed too (a lost connection) is added to it.
            if second is not error:
                error.add_note(f"The rollback failed too: {second}")
        finally:
            self._look_at_the_end(within=False)

    @contextmanager
    def _own_statements(self) -> Iterator[None]:
        before, self._switching = self._switching, True
        try:
            yield
        finally:
            self._switching = before

    def _on_execute(
        self, connection: sa.Connection, element: Any, multiparams: Any, params: Any, options: Any
    ) -> tuple[Any, Any, Any]:
        """Carry out COMMIT and BEGIN in place of sending them."""
        del connection, options
        if not self._switching:
            self._refuse_after_the_end()
            if self._ended():
                # Committed or rolled back through the driver: what comes next would be in no transaction.
                self._look_at_the_end(within=False)
                self._switch(autocommit=False)
                self.restarted = True
        if self._switching or not isinstance(element, sa.TextClause):
            return element, multiparams, params
        if _COMMIT.fullmatch(element.text):
            if not self._in_autocommit:
                self._switch(autocommit=True)
            return sa.text(_NOTHING), multiparams, params
        if _ROLLBACK.fullmatch(element.text) and not self._in_autocommit:
            self.rollback()
            return sa.text(_NOTHING), multiparams, params
        if _BEGIN.fullmatch(element.text):
            self.resume()
            return sa.text(_NOTHING), multiparams, params
        return element, multiparams, params
