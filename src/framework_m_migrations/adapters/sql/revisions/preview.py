"""What revisions would send, found out without sending it.

Three ways, each as near to the real run as the database allows without a change and without a lock:

- SQLite: an empty copy of the schema in memory, on which the revisions are really run. What SQLite sends for a change
  depends on the stored CREATE TABLE texts, and there they are.
- PostgreSQL and MariaDB: Alembic's offline mode, in which operations print their SQL.
- Risk and locks: the rules of ``lint``, which reads a revision as PostgreSQL would get it. What they say of locks is
  kept for PostgreSQL; what they say of data that goes holds everywhere.

A revision that asks the database something has no answer offline: its preview says so.
"""

from __future__ import annotations

import contextlib
import io
import re
import sqlite3
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from sqlalchemy.pool import StaticPool

from framework_m_migrations.adapters.sql.dialects.postgresql.lint.linter import Judge, Place
from framework_m_migrations.adapters.sql.dialects.postgresql.lint.rules import locks_of
from framework_m_migrations.adapters.sql.dialects.postgresql.lint.statements import Rendered, render
from framework_m_migrations.adapters.sql.revisions.environment import exclusive
from framework_m_migrations.adapters.sql.revisions.failures import cause_of
from framework_m_migrations.adapters.sql.revisions.library import Library, offline_config
from framework_m_migrations.adapters.sql.revisions.run import RevisionRun, heads_of
from framework_m_migrations.adapters.sql.revisions.surroundings import Surroundings, known_to_helpers
from framework_m_migrations.adapters.sql.revisions.transaction import Scopes
from framework_m_migrations.adapters.sql.scopes import FILLED
from framework_m_migrations.domain.errors import MigrationError
from framework_m_migrations.domain.plan import Risk
from framework_m_migrations.domain.revisions import RevisionPreview

_PACKAGE = str(Path(__file__).parents[3])
_SPEAKS_OF_ROWS = re.compile(r"\s*(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)
_CATALOG = re.compile(r"\b(?:sqlite_(?:temp_)?(?:master|schema)|pragma_\w+)\b", re.IGNORECASE)
_READS = re.compile(
    r"\s*(?:SELECT|EXPLAIN|VALUES|--|PRAGMA\s+(?!(?!busy_timeout|temp\.user_version)[\w.]+\s*=))", re.IGNORECASE
)
_WITH = re.compile(r"\s*WITH\b(?!.*\b(?:INSERT|UPDATE|DELETE)\b)", re.IGNORECASE | re.DOTALL)
_BEGINS = re.compile(r"\s*BEGIN\b.*", re.IGNORECASE)
_ENDS = re.compile(r"\s*(?:COMMIT|END|ROLLBACK)\b.*", re.IGNORECASE)
_OF_LOCKS = ("1", "2")
"""First digits of rules about locks and copies: they are about PostgreSQL."""
_NO_LOCK_RULES = frozenset({"L402", "L404"})
_ASKED_FIRST = {
    "postgresql": re.compile(
        r"""ALTER TABLE\b.*\bALTER (?:COLUMN )?(?:"(?:[^"]|"")+"|\S+) """
        r"(?:TYPE|(?:ADD|SET) GENERATED|(?:SET|DROP) EXPRESSION|DROP (?:DEFAULT|IDENTITY))\b",
        re.IGNORECASE | re.DOTALL,
    ),
    "mariadb": re.compile(
        r"ALTER TABLE\b.*\b(?:MODIFY|CHANGE|ALTER COLUMN|DROP)\b|DROP INDEX", re.IGNORECASE | re.DOTALL
    ),
}
"""Statements in whose place the run sends what fits the table, which it reads first."""
_READS_TABLE = (
    "It changes a column or constraint that exists. The run reads the table first: it may send another statement for "
    "the same change, and it stops where a value would be lost."
)
_READS_ROWS = "It reads rows: the SQL is that for empty tables, and with the rows of this database it may differ."


@dataclass(frozen=True, slots=True)
class Previewer:
    """Renders revisions of one library for one database.

    Attributes:
        library: all revisions.
        connection: the session's; it is only read.
        scopes: its dialect.
        surroundings: for helpers that are called by revisions.
        version_table: name and schema of the version table.
        heads: what the database is at.
        versioned: the version table exists.
    """

    library: Library
    connection: sa.Connection
    scopes: Scopes
    surroundings: Surroundings
    version_table: tuple[str, str | None]
    heads: frozenset[str]
    versioned: bool

    def previews(
        self, revisions: Sequence[str], *, upgrade: bool, recorded: Collection[str] = (), alone: bool = False
    ) -> tuple[RevisionPreview, ...]:
        """See VersionedTrack.render."""
        if self.connection.dialect.name == "sqlite":
            rendered = self._on_copy(revisions, upgrade=upgrade, recorded=recorded, alone=alone)
        else:
            rendered = [_Found() if name in recorded else self._offline(name, upgrade=upgrade) for name in revisions]
        created: set[str] = set()
        found: list[RevisionPreview] = []
        heads, versioned = self.heads, self.versioned
        for name, one in zip(revisions, rendered, strict=True):
            preview = RevisionPreview(
                name,
                "upgrade" if upgrade else "downgrade",
                tuple(one.statements),
                unknown=one.unknown,
                notes=tuple(one.notes),
            )
            if not alone:
                after = self._after(heads, name, upgrade=upgrade)
                preview = replace(preview, bookkeeping=self._bookkeeping(heads, after, versioned=versioned))
                heads, versioned = after, True
            found.append(preview if name in recorded else self._judged(preview, created, upgrade=upgrade))
        return tuple(found)

    def _offline(self, revision: str, *, upgrade: bool) -> _Found:
        script = self.library.script(revision)
        rendered = render(
            self.library,
            script,
            self.connection,
            upgrade=upgrade,
            dialect=self.connection.dialect.name,
            source=self.scopes,
        )
        if not upgrade and not callable(getattr(script.module, "downgrade", None)):
            return _Found(unknown="It has no function downgrade(): it cannot be taken back.")
        asked = _ASKED_FIRST.get("mariadb" if self.connection.dialect.name == "mysql" else self.connection.dialect.name)
        reads = asked is not None and any(asked.match(text) for text in rendered.texts)
        return _Found(list(rendered.texts), _unknown(rendered), [_READS_TABLE] if reads else [])

    def _judged(self, preview: RevisionPreview, created: set[str], *, upgrade: bool) -> RevisionPreview:
        """The preview with risk, reasons and locks; ``created`` are tables that the revisions before it make."""
        script = self.library.script(preview.revision)
        rendered = render(self.library, script, self.connection, upgrade=upgrade)
        judge = Judge(Place(script.revision, None, script.path), created=created)
        # A downgrade is judged as an upgrade would be: what it takes away is gone.
        findings = list(judge.upgrade(rendered))
        name = self.connection.dialect.name
        if name != "postgresql":
            findings = [one for one in findings if one.rule[1] not in _OF_LOCKS and one.rule not in _NO_LOCK_RULES]
        if any(one.rule[1] == "3" for one in findings):
            risk = Risk.BREAKING
        else:
            risk = Risk.WARNING if findings or preview.unknown else Risk.SAFE
        locks = tuple(
            replace(lock, level=self.scopes.lock_level(lock.level))
            for lock in locks_of([sent.sql for sent in rendered.statements], created)
        )
        return replace(preview, risk=risk, reasons=tuple(dict.fromkeys(one.what for one in findings)), locks=locks)

    def _after(self, heads: frozenset[str], revision: str, *, upgrade: bool) -> frozenset[str]:
        graph = self.library.graph
        applied = graph.closure(heads & graph.by_id.keys())
        return heads_of(applied | {revision} if upgrade else applied - {revision}, graph)

    def _bookkeeping(self, before: frozenset[str], after: frozenset[str], *, versioned: bool) -> tuple[str, ...]:
        name, schema = self.version_table
        impl = MigrationContext.configure(dialect_name=self.connection.dialect.name).impl
        table = impl.version_table_impl(version_table=name, version_table_schema=schema, version_table_pk=True)
        gone, come = sorted(before - after), sorted(after - before)
        column = table.c.version_num
        made: list[Any] = [] if versioned else [sa.schema.CreateTable(table)]
        made += [table.update().values(version_num=new).where(column == old) for old, new in zip(gone, come)]  # noqa: B905 - the rest follows
        made += [table.delete().where(column == old) for old in gone[len(come) :]]
        made += [table.insert().values(version_num=new) for new in come[len(gone) :]]
        dialect = impl.dialect
        options = {"literal_binds": True}
        return tuple(
            str(one.compile(dialect=dialect)).strip()
            if isinstance(one, sa.schema.CreateTable)
            else str(one.compile(dialect=dialect, compile_kwargs=options))
            for one in made
        )

    def _on_copy(
        self, revisions: Sequence[str], *, upgrade: bool, recorded: Collection[str], alone: bool
    ) -> list[_Found]:
        """Each revision, run on an empty copy of the schema; those behind one that fails there are not known."""
        engine = sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        found: list[_Found] = []
        try:
            with exclusive(self.connection), engine.connect() as copy, known_to_helpers(copy, self.surroundings):
                failed = None if alone else self._copy_schema(copy)
                for name in revisions:
                    if alone:
                        failed = self._prepare(copy, name, upgrade=upgrade)
                    one = _Found(unknown=failed) if failed else self._run_on(copy, name, upgrade, recorded)
                    found.append(one)
                    if not alone and failed is None and one.unknown is not None:
                        failed = f"Revision {name}, before it, could not be run on an empty copy of the schema."
        finally:
            engine.dispose()
        return found

    def _copy_schema(self, copy: sa.Connection) -> str | None:
        """Make the copy; what does not work of it is returned in words."""
        idle = not self.connection.in_transaction()
        quote = self.connection.dialect.identifier_preparer.quote_identifier
        try:
            rows = self.connection.exec_driver_sql(
                "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
                "ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'view' THEN 1 WHEN 'index' THEN 2 ELSE 3 END, rowid"
            ).all()
            tables = [name for name, sql in rows if sql.upper().startswith("CREATE TABLE")]
            filled = {
                name
                for name in tables
                if self.connection.exec_driver_sql(f"SELECT EXISTS (SELECT 1 FROM {quote(name)})").scalar()  # noqa: S608
            }
        finally:
            if idle:
                self.connection.rollback()
        driver = _driver(copy)
        for name, sql in rows:
            # A virtual table brings tables of its own.
            if driver.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is None:
                try:
                    driver.execute(sql)
                except sqlite3.Error as error:
                    return f"The schema cannot be copied into memory: {name}: {error}."
        copy.info[FILLED] = filled
        if self.versioned:
            self._set_heads(copy, self.heads)
        return None

    def _prepare(self, copy: sa.Connection, revision: str, *, upgrade: bool) -> str | None:
        """Bring the empty copy to where the revision would be run, by all that it stands on."""
        graph = self.library.graph
        wanted = graph.closure([revision]) - (frozenset((revision,)) if upgrade else frozenset())
        for name in graph.order:
            if name in wanted and self._run_on(copy, name, upgrade=True, recorded=()).unknown is not None:
                return f"What comes before it, revision {name}, cannot be run on an empty database."
        return None

    def _run_on(self, copy: sa.Connection, revision: str, upgrade: bool, recorded: Collection[str]) -> _Found:
        script = self.library.script(revision)
        if not upgrade and not callable(getattr(script.module, "downgrade", None)):
            return _Found(unknown="It has no function downgrade(): it cannot be taken back.")
        if revision in recorded:
            self._record(copy, revision)
            return _Found()
        name, schema = self.version_table
        found = _Found()
        try:
            limits = self.surroundings.locks.limits
            run = RevisionRun(
                self.library, revision, upgrade=upgrade, connection=copy, scopes=self.scopes, limits=limits
            )
            with (
                found.tracing(copy, script.path),
                contextlib.redirect_stdout(io.StringIO()),
                run.shared(),
                EnvironmentContext(offline_config(), self.library, fn=run.steps) as environment,
            ):
                environment.configure(
                    connection=copy,
                    version_table=name,
                    version_table_schema=schema,
                    transaction_per_migration=True,
                )
                environment.run_migrations()
        except MigrationError as error:
            cause = error.__cause__ or error
            found.unknown = f"On an empty copy of the schema it fails: {cause_of(cause)}."
        found.finish(name)
        return found

    def _record(self, copy: sa.Connection, revision: str) -> None:
        name, schema = self.version_table
        context = MigrationContext.configure(copy, opts={"version_table": name, "version_table_schema": schema})
        heads = frozenset(context.get_current_heads())
        copy.rollback()
        self._set_heads(copy, self._after(heads, revision, upgrade=True))

    def _set_heads(self, copy: sa.Connection, heads: frozenset[str]) -> None:
        name, schema = self.version_table
        impl = MigrationContext.configure(copy).impl
        table = impl.version_table_impl(version_table=name, version_table_schema=schema, version_table_pk=True)
        table.create(copy, checkfirst=True)
        copy.execute(table.delete())
        if heads:
            copy.execute(table.insert(), [{"version_num": head} for head in sorted(heads)])
        copy.commit()


@dataclass(slots=True)
class _Found:
    """The SQL of one revision, as far as it came."""

    statements: list[str] = field(default_factory=list)
    unknown: str | None = None
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def tracing(self, copy: sa.Connection, file: str) -> Iterator[None]:
        """Note what SQLite is sent within the block, bound values written out."""
        driver = _driver(copy)

        def note(sql: str) -> None:
            if _READS.match(sql) or _WITH.match(sql):
                asks = _SPEAKS_OF_ROWS.match(sql) and not _CATALOG.search(sql)
                if asks and not self.notes and _asked_by(sys._getframe(1), file):  # noqa: SLF001
                    self.notes.append(_READS_ROWS)
            else:
                self.statements.append(sql.strip())

        driver.set_trace_callback(note)
        try:
            yield
        finally:
            driver.set_trace_callback(None)

    def finish(self, version_table: str) -> None:
        """Take away the transaction round it, and what is said of the version table."""
        quoted = re.escape(version_table)
        own = re.compile(rf"(?:INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE)\s+[\"'`]?{quoted}\b", re.IGNORECASE)
        kept = [sql for sql in self.statements if not own.match(sql)]
        while kept and _BEGINS.fullmatch(kept[0]):
            kept.pop(0)
        while kept and _ENDS.fullmatch(kept[-1]):
            kept.pop()
        self.statements = kept


def _driver(copy: sa.Connection) -> sqlite3.Connection:
    driver: sqlite3.Connection = copy.connection.driver_connection  # type: ignore[assignment]
    return driver


def _asked_by(frame: FrameType | None, file: str) -> bool:
    """Whether the revision itself asks, and not the engine on its behalf."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name == file:
            return True
        if name.startswith(_PACKAGE) and name != __file__:
            return False
        frame = frame.f_back
    return False


def _unknown(rendered: Rendered) -> str | None:
    if rendered.failure is None:
        return None
    where = "" if rendered.failed_at is None else f" at line {rendered.failed_at}"
    return f"It needs the database itself{where} ({rendered.failure})."
