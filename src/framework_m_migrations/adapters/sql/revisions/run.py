"""Applies exactly one revision; what it commits on the way is kept where a killed process cannot take it along."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import get_ident
from typing import Any, NoReturn

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.runtime.migration import RevisionStep
from alembic.script import Script
from sqlalchemy import event

from framework_m_migrations.adapters.sql.engines import redact
from framework_m_migrations.adapters.sql.errors import FOLLOWS, from_driver
from framework_m_migrations.adapters.sql.ledger import KEY_LENGTH, UNFINISHED_TABLE
from framework_m_migrations.adapters.sql.revisions.failures import OF_THE_DATABASE, revision_failed
from framework_m_migrations.adapters.sql.revisions.library import ID_LENGTH, Library
from framework_m_migrations.adapters.sql.revisions.operations import writing
from framework_m_migrations.adapters.sql.revisions.transaction import RevisionTransaction, Scopes
from framework_m_migrations.domain.errors import (
    DependentRevision,
    MigrationError,
    PlanOutdated,
    RevisionError,
    RevisionFileBroken,
    RevisionUnfinished,
    UnknownRevision,
    ValuesWouldBeLost,
)
from framework_m_migrations.domain.options import Limits
from framework_m_migrations.domain.ownership import WorkState
from framework_m_migrations.domain.revisions import Position, RevisionGraph
from framework_m_migrations.ports.versioned_track import Journal

ALEMBIC_WIDTH = 32
"""Characters of an id in a version table as Alembic makes it."""
COLUMN = "version_num"


def heads_of(applied: frozenset[str], graph: RevisionGraph) -> frozenset[str]:
    """The applied revisions on which no other applied one stands."""
    implied = {parent for revision in applied for parent in graph.by_id[revision].parents}
    return applied - implied


def make_room(context: MigrationContext, scopes: Scopes, *revisions: str) -> None:
    """Widen the version table's column where an id is longer than what it holds.

    Alembic makes it for 32 characters.

    Args:
        context: whose version table exists.
        scopes: the dialect.
        revisions: ids that are about to be stored.

    Raises:
        DBAPIError: the role may not change the table.
    """
    connection, length = context.connection, max(map(len, revisions), default=0)
    if length <= ALEMBIC_WIDTH or connection is None:
        return
    if not scopes.capabilities(connection.dialect).typed_values:
        return
    columns = sa.inspect(connection).get_columns(context.version_table, schema=context.version_table_schema)
    width = next((getattr(column["type"], "length", None) for column in columns if column["name"] == COLUMN), None)
    if width is None or width >= length:
        return
    context.impl.alter_column(
        context.version_table,
        COLUMN,
        type_=sa.String(max(length, ID_LENGTH)),
        schema=context.version_table_schema,
        existing_type=sa.String(width),
        existing_nullable=False,
    )


class ExactStep(RevisionStep):
    """A step that tells Alembic's HeadMaintainer which rows to replace.

    Args:
        library: all revisions.
        script: the one to be applied or taken back.
        is_upgrade: which of both.
        position: where the database is.
    """

    def __init__(self, library: Library, script: Script, *, is_upgrade: bool, position: Position) -> None:
        super().__init__(library.revision_map, script, is_upgrade)
        self._position = position

    def _rows(self, heads: set[str]) -> tuple[list[str], list[str]]:
        """(rows to go, rows to come), each sorted."""
        after = self._position.at(heads).after(self.revision.revision, is_upgrade=self.is_upgrade)
        return sorted(heads - after), sorted(after - heads)

    def should_delete_branch(self, heads: set[str]) -> bool:
        """A row goes and none comes."""
        return not self._rows(heads)[1]

    def should_create_branch(self, heads: set[str]) -> bool:
        """A row comes and none goes."""
        return not self._rows(heads)[0]

    def should_merge_branches(self, heads: set[str]) -> bool:
        """One row takes the place of several."""
        return len(self._rows(heads)[0]) > 1

    def should_unmerge_branches(self, heads: set[str]) -> bool:
        """Several rows take the place of one."""
        return len(self._rows(heads)[1]) > 1

    def merge_branch_idents(self, heads: set[str]) -> tuple[list[str], str, str]:
        """Rows to delete, the row to update, and to what."""
        gone, come = self._rows(heads)
        return gone[:-1], gone[-1], come[0]

    def unmerge_branch_idents(self, heads: set[str]) -> tuple[str, str, tuple[str, ...]]:
        """The row to update, to what, and rows to insert."""
        gone, come = self._rows(heads)
        return gone[0], come[-1], tuple(come[:-1])

    def update_version_num(self, heads: set[str]) -> tuple[str, str]:
        """The row to update, and to what."""
        gone, come = self._rows(heads)
        return gone[0], come[0]


# What a revision has sent that commits by itself, kept where a killed process cannot take it along.
#
# Where the database commits with each DDL statement, a revision that is killed or fails in its middle leaves a
# part of itself, and its file says nothing of how far it came: run again from its beginning, it would do twice
# what it did once, at every restart of a server that migrates when it boots. So each statement that commits is
# noted just before it is sent. The note is in the transaction that the statement commits, so that the two
# cannot part: there may be a note without its statement, but never a statement without its note. The notes go
# in the transaction that records the revision as done, or when somebody has said by ``stamp`` what became of
# it.


_COMMENT = re.compile(r"\s*(/\*(?![!M]).*?\*/|(--[ \t\r\n]|#)[^\n]*(\n|$))", re.DOTALL)
_READS = re.compile(r"\s*\(*\s*(SELECT|WITH|VALUES|SHOW|DESCRIBE|DESC|EXPLAIN|SET|USE|CHECKSUM)\b", re.IGNORECASE)
# Whatever is not known to leave the transaction open is taken for something that commits it.
_KEEPS = re.compile(
    r"\s*(INSERT|UPDATE|DELETE|REPLACE|SAVEPOINT|RELEASE|ROLLBACK|DO|HANDLER"
    r"|(CREATE|DROP)\s+(OR\s+REPLACE\s+)?TEMPORARY)\b",
    re.IGNORECASE,
)
_KEPT_CHARACTERS = 2000
_SHOWN_CHARACTERS = 200


class UnfinishedWork:
    """The notes of one database.

    Args:
        connection: the session's.
        options: SqlDialect.own_tables.
        schema: that of the version table, None for the connection's default.
    """

    def __init__(self, connection: sa.Connection, options: Mapping[str, str], schema: str | None) -> None:
        self._connection = connection
        given: dict[str, Any] = {**options}
        self._table = sa.Table(
            UNFINISHED_TABLE,
            sa.MetaData(schema=schema),
            sa.Column("revision", sa.String(KEY_LENGTH), primary_key=True),
            sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("direction", sa.String(16), nullable=False),
            sa.Column("statement", sa.Text, nullable=False),
            **given,
        )

    def revisions(self) -> tuple[str, ...]:
        """The revisions that were cut off after they had sent something; nothing is made by looking."""
        if not self._exists():
            return ()
        found = self._connection.execute(sa.select(self._table.c.revision).distinct().order_by(self._table.c.revision))
        return tuple(str(name) for (name,) in found)

    def require_none(self, heads: Sequence[str]) -> None:
        """Refuse to work on what nobody has looked at.

        Args:
            heads: what the version table holds, for the next step.

        Raises:
            RevisionUnfinished: a revision was cut off; names what it sent.
        """
        for revision in self.revisions()[:1]:
            rows = self._connection.execute(
                sa.select(self._table.c.direction, self._table.c.statement)
                .where(self._table.c.revision == revision)
                .order_by(self._table.c.number)
            ).all()
            raise _unfinished(revision, str(rows[0][0]), [_shown(str(row[1])) for row in rows], heads)

    def forget(self) -> None:
        """Take all notes away; within the caller's transaction."""
        if self._exists():
            self._connection.execute(self._table.delete())

    def prepare(self) -> None:
        """Make the table of the notes where there is none: that is DDL, so it comes before the work."""
        self._table.create(self._connection, checkfirst=True)

    def add(self, revision: str, number: int, direction: str, statement: str) -> None:
        """Note what is sent next."""
        text = " ".join(statement[:_KEPT_CHARACTERS].split())
        row = {"revision": revision, "number": number, "direction": direction, "statement": text}
        self._connection.execute(self._table.insert(), row)

    def _exists(self) -> bool:
        return sa.inspect(self._connection).has_table(self._table.name, schema=self._table.schema)


class Progress:
    """Notes what one revision sends.

    Args:
        work: where notes are kept.
        connection: the session's.
        revision: its id.
        direction: ``upgrade`` or ``downgrade``.
        outside: whether the revision is outside any transaction now, where each statement commits.
        before_first: called before the first statement that commits.
    """

    def __init__(
        self,
        work: UnfinishedWork,
        connection: sa.Connection,
        revision: str,
        direction: str,
        outside: Callable[[], bool],
        before_first: Callable[[], None],
    ) -> None:
        self._work, self._connection, self._outside, self._before_first = work, connection, outside, before_first
        self._revision, self._direction = revision, direction
        self._sent, self._answered, self._wrote = 0, 0, False
        self._last: str | None = None
        self._noting = False

    @property
    def stands(self) -> bool:
        """Whether a part may be committed. Not when the first statement of all was refused: it did nothing."""
        return self._wrote if self._sent == 1 and not self._answered else self._sent > 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note each statement that commits before it is sent; all notes go at the end of a block that succeeds."""
        self._work.prepare()
        event.listen(self._connection, "before_cursor_execute", self._before)
        event.listen(self._connection, "after_cursor_execute", self._after)
        try:
            yield
        finally:
            event.remove(self._connection, "before_cursor_execute", self._before)
            event.remove(self._connection, "after_cursor_execute", self._after)

    def note(self, statement: str) -> None:
        """Note a statement that is about to commit."""
        self._noting = True
        try:
            if not self._sent:
                self._before_first()
            self._work.add(self._revision, self._sent, self._direction, statement)
        finally:
            self._noting = False
        self._sent += 1

    def _before(
        self, _connection: sa.Connection, _cursor: Any, statement: str, _values: Any, context: Any, *_: Any
    ) -> None:
        if self._noting or _first(_READS, statement) or context.execution_options.get("m_migrate_probe"):
            return
        if self._outside() or not _first(_KEEPS, statement):
            self.note(statement)
            self._last = statement
        elif not self._sent:
            self._wrote = True

    def _after(self, _connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        # What is sent behind one that was refused, such as a setting that is put back, says nothing of it.
        if not self._noting and statement == self._last:
            self._answered = self._sent


def way_out(revision: str, direction: str, heads: Sequence[str]) -> str:
    """What to do about a part that stands."""
    position = " ".join(sorted(heads)) or "base"
    if direction == "upgrade":
        return (
            f"Look at what stands. Either undo it by hand and run `m-migrate stamp {position}`, so that the revision "
            f"starts again, or do by hand what is missing and run `m-migrate stamp` with {revision} in its place. "
            "Then run the same command again."
        )
    return (
        f"Look at what is gone. Either bring it back by hand and run `m-migrate stamp {position}`, or take away by "
        f"hand what is left and run `m-migrate stamp` with what comes before {revision}. Then run the same command "
        "again."
    )


def _first(pattern: re.Pattern[str], statement: str) -> bool:
    """Whether the statement begins so, comments apart. An executable comment is none."""
    text = statement
    while found := _COMMENT.match(text):
        text = text[found.end() :]
    return not text.strip() or pattern.match(text) is not None


def _shown(statement: str) -> str:
    text = redact(statement)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _unfinished(revision: str, direction: str, statements: list[str], heads: Sequence[str]) -> RevisionUnfinished:
    *finished, last = statements
    before = f"Done: {'; '.join(finished)}. " if finished else ""
    return RevisionUnfinished(
        f"Revision {revision} was cut off in {direction}, and this database keeps what each statement did. {before}"
        f"Sent last, so that it may be done or not: {last}. Rows written after that were taken back.",
        next_step=way_out(revision, direction, heads),
        details={
            "revision": revision,
            "direction": direction,
            "done": finished,
            "sent_last": last,
            "heads": sorted(heads),
        },
    )


# Applies exactly one revision.


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
        journal: see the port; None for no log.

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
        journal: Journal | None = None,
    ) -> None:
        self._journal = journal
        self._sent: list[str] = []
        self._metadata = metadata
        self._library = library
        self._script = library.script(revision)
        self._upgrade = upgrade
        self._guard = scopes.revision_guard(connection)
        self._transaction = RevisionTransaction(connection, scopes, limits, before_commit=self._before_commit)
        self._connection = connection
        self._scopes = scopes
        self._limits = limits
        self._translate = scopes.translate
        self._direction = "upgrade" if upgrade else "downgrade"
        self._heads: frozenset[str] = frozenset()
        self._work: UnfinishedWork | None = None
        self._progress: Progress | None = None
        if not scopes.capabilities(connection.dialect).transactional_ddl:
            self._work = UnfinishedWork(connection, scopes.own_tables, version_table_schema)
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
        """The scope for a run on the session's connection: its transaction, and the dialect's precautions."""
        with self._translated(), self._guard.watch() if self._guard else nullcontext(), self._transaction.run():
            yield

    def _before_commit(self) -> None:
        if self._guard is not None:
            self._guard.check()
        if self.started:
            self._write(WorkState.DONE if self.finished else WorkState.RUNNING)

    def _write(self, outcome: WorkState) -> None:
        if self._journal is not None:
            self._journal(self._sent, outcome)

    def _collect(
        self, _connection: sa.Connection, _cursor: Any, statement: str, _values: Any, context: Any, *_: Any
    ) -> None:
        if not (_first(_READS, statement) or context.execution_options.get("m_migrate_probe")):
            self._sent.append(statement[:_KEPT_CHARACTERS])

    def _committed(self) -> bool | None:
        """Whether a part stands; None where SQLite's driver ended transactions itself, or a COMMIT got no answer."""
        if self._foreign and self._guard is not None:
            return None
        if self._progress is not None and not self._foreign:
            stands = self._progress.stands or self._transaction.by_commit
        else:
            stands = self._transaction.committed
        return None if self._transaction.unanswered and not stands else stands

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
        make_room(context, self._scopes, self._script.revision)
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
            if self._work is not None:
                # The first DDL statement commits it.
                self._write(WorkState.RUNNING)
            with self._noted(), self._scopes.revision_scope(self._connection), writing(context, self._scopes):
                self.started = True
                self._transaction.mark()
                event.listen(self._connection, "before_cursor_execute", self._collect)
                try:
                    _call(function, arguments)
                finally:
                    event.remove(self._connection, "before_cursor_execute", self._collect)
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
            raise PlanOutdated(
                f"Revision {revision} is {state}: another session has moved the database in the meantime."
            )
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
