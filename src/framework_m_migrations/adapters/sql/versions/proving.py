"""Tries a revision out: forwards, backwards and forwards on a scratch database. Implements ports.prover.Prover."""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.base import Rehearsal, SqlDialect
from framework_m_migrations.adapters.sql.dialects.sqlite import SqliteDialect
from framework_m_migrations.adapters.sql.ledger_tables import ENGINE_TABLES
from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.adapters.sql.url import parse_url, redact, secrets_of, show_url
from framework_m_migrations.adapters.sql.versions.failures import cause_of
from framework_m_migrations.adapters.sql.versions.proof_line import store_proof
from framework_m_migrations.adapters.sql.versions.sample_rows import SampleRows
from framework_m_migrations.adapters.sql.versions.squash import Squasher
from framework_m_migrations.adapters.sql.versions.track import AlembicTrack
from framework_m_migrations.adapters.sql.wanted import Target
from framework_m_migrations.domain.definitions import Dump, differences
from framework_m_migrations.domain.errors import ConfigurationError, MigrationError, RevisionFailed
from framework_m_migrations.domain.proof import Outcome, Proof
from framework_m_migrations.domain.schema import TableName
from framework_m_migrations.domain.squashing import SquashDraft, SquashResult

PREFIX = "fmm_scratch_"
_WAYS = (
    "Give the role the right to create databases, or name an empty database with --scratch-url; "
    "--no-prove leaves the proof out."
)
_BEFORE = "Prove it on a database that has the revisions before it and not this one."
type Rows = dict[TableName, list[dict[str, object]]]
type OpenEngine = Callable[[sa.URL], sa.Engine]


def scratch_prefix(database: str) -> str:
    """How the names of scratch databases beside a database begin."""
    return f"{PREFIX}{hashlib.sha256(database.encode()).hexdigest()[:8]}_"


class _NotTried(Exception):
    """There is no proof to be had; the reason, and what helps."""

    def __init__(self, reason: str, next_step: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.next_step = next_step


@dataclass(frozen=True, slots=True)
class _State:
    """What a scratch database holds at one moment."""

    dump: Dump
    rows: Rows


class SqlProver:
    """Implements ports.prover.Prover.

    Args:
        connection: the session's; read only.
        sql_dialect: its dialect.
        track: its revisions.
        open_engine: makes an engine for a URL, as container.engines.twin_engine does.
        schema: the session's schema, None for the connection's default.
    """

    def __init__(
        self,
        connection: sa.Connection,
        sql_dialect: SqlDialect,
        track: AlembicTrack,
        open_engine: Callable[[sa.URL], sa.Engine],
        *,
        schema: str | None = None,
    ) -> None:
        self._connection = connection
        self._sql_dialect = sql_dialect
        self._track = track
        self._open = open_engine
        self._schema = schema

    def prove(self, revision: str, *, scratch: str | None = None) -> Proof:
        """See Prover."""
        self._track.library().script(revision)
        rehearsal = self._sql_dialect.rehearsal()
        if rehearsal is None:
            reason = f"there are no scratch databases for {self._sql_dialect.name}"
            return Proof(revision, Outcome.NOT_TRIED, (reason,))
        try:
            with self._scratch(rehearsal, scratch) as engine:
                return _Trial(self, rehearsal, engine, revision).outcome()
        except _NotTried as error:
            return Proof(revision, Outcome.NOT_TRIED, (error.reason.rstrip("."),), next_step=error.next_step)

    def squash(self, draft: SquashDraft, *, scratch: str | None = None, dry_run: bool) -> SquashResult:
        """See Prover."""
        try:
            return self._squasher(self._sql_dialect, scratch).squash(draft, dry_run=dry_run)
        except _NotTried as error:
            found = self._squasher(SqliteDialect(), None).squash(draft, dry_run=dry_run)
            return replace(found, notes=(*found.notes, f"Proven on SQLite: {error.reason}. {error.next_step}".strip()))

    def _squasher(self, sql_dialect: SqlDialect, scratch: str | None) -> Squasher:
        rehearsal = sql_dialect.rehearsal()
        if rehearsal is None:
            raise _NotTried(f"there are no scratch databases for {sql_dialect.name}")
        own = sql_dialect.name == self._sql_dialect.name
        schema = self._schema if own else None
        name, version_schema = self._track._version_table_name()  # noqa: SLF001 - the track's own

        @contextmanager
        def empty() -> Iterator[sa.Engine]:
            with self._scratch(rehearsal, scratch) if own else self._scratch_file() as engine:
                if schema is not None:
                    with _autocommit(engine) as connection:
                        rehearsal.schema(connection, schema)
                yield engine

        def state(connection: sa.Connection) -> tuple[Dump, dict[str, list[str]]]:
            found = _state(connection, sql_dialect, rehearsal, schema, frozenset((*ENGINE_TABLES, name)))
            return found.dump, {str(table): sorted(map(repr, rows)) for table, rows in found.rows.items()}

        return Squasher(
            self._track.library(),
            self._connection,
            sql_dialect,
            self._track._surroundings,  # noqa: SLF001
            (name, version_schema if own else None),
            empty,
            state,
            {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "sqlite": "SQLite"}[sql_dialect.name],
        )

    def store(self, proof: Proof, day: str) -> Proof:
        """See Prover."""
        file = Path(self._track.library().script(proof.revision).path)
        try:
            store_proof(file, proof.line(day))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            return replace(proof, notes=(*proof.notes, f"the outcome is not stored in {file}: {reason}"))
        return replace(proof, stored=True)

    def text(self, revision: str) -> str:
        """See Prover."""
        return Path(self._track.library().script(revision).path).read_text(encoding="utf-8")

    @contextmanager
    def _scratch(self, rehearsal: Rehearsal, given: str | None) -> Iterator[sa.Engine]:
        """An engine for an empty database; what was made for it is gone afterwards."""
        if given is not None:
            with self._given(rehearsal, given) as engine:
                yield engine
        elif self._connection.dialect.name == "sqlite":
            with self._scratch_file() as engine:
                yield engine
        else:
            with self._made(rehearsal) as engine:
                yield engine

    @contextmanager
    def _scratch_file(self) -> Iterator[sa.Engine]:
        with (
            tempfile.TemporaryDirectory(prefix=PREFIX) as folder,
            self._engine(sa.URL.create("sqlite", database=str(Path(folder) / "scratch.db"))) as engine,
        ):
            yield engine

    @contextmanager
    def _given(self, rehearsal: Rehearsal, given: str) -> Iterator[sa.Engine]:
        url = parse_url(given)
        if url.get_backend_name() != self._connection.dialect.name:
            raise ConfigurationError(
                f"The scratch database {show_url(url)} is not of the same kind as the session's database, "
                f"{self._connection.dialect.name}.",
                next_step="Name a database of the same kind with --scratch-url.",
            )
        with self._engine(url) as engine:
            with _autocommit(engine) as connection:
                # A schema alone, PostgreSQL's public for one, holds nothing.
                held = sorted(name for name in rehearsal.dump(connection) if not name.startswith(("schema ", "ext")))
            if held:
                raise ConfigurationError(
                    f"The scratch database {show_url(url)} is not empty: it holds {held[0]}.",
                    next_step="Name an empty database with --scratch-url: it is cleared after each proof.",
                )
            try:
                yield engine
            finally:
                with _autocommit(engine) as connection:
                    rehearsal.clear(connection)

    @contextmanager
    def _made(self, rehearsal: Rehearsal) -> Iterator[sa.Engine]:
        url = self._connection.engine.url
        name = f"{scratch_prefix(url.database or '')}{secrets.token_hex(4)}"
        with self._engine(url) as own:
            with _autocommit(own) as connection:
                try:
                    rehearsal.make(connection, name)
                except sa.exc.DBAPIError as error:
                    reason = f"the server did not create a scratch database: {_short(error)}"
                    raise _NotTried(reason, _WAYS) from error
            try:
                with self._engine(url.set(database=name)) as engine:
                    yield engine
            finally:
                with _autocommit(own) as connection:
                    rehearsal.drop(connection, name)

    @contextmanager
    def _engine(self, url: sa.URL) -> Iterator[sa.Engine]:
        engine = self._open(url)
        try:
            try:
                engine.connect().close()
            # Drivers raise errors of their own beside SQLAlchemy's and OSErrors.
            except Exception as error:
                text = redact(" ".join(str(getattr(error, "orig", None) or error).split()), secrets_of(url))
                raise _NotTried(f"no connection to the scratch database {show_url(url)}: {text}", _WAYS) from error
            yield engine
        finally:
            engine.dispose()


class _Trial:
    """One revision on one empty database."""

    def __init__(self, prover: SqlProver, rehearsal: Rehearsal, engine: sa.Engine, revision: str) -> None:
        self._prover = prover
        self._rehearsal = rehearsal
        self._engine = engine
        self._revision = revision
        self._source = prover._connection  # noqa: SLF001 - one thing in two classes
        self._sql_dialect = prover._sql_dialect  # noqa: SLF001
        self._original = prover._track  # noqa: SLF001
        self._schema = prover._schema  # noqa: SLF001

    def outcome(self) -> Proof:
        """Run it, and judge what is left."""
        notes = list(self._prepare())
        with _autocommit(self._engine) as connection:
            count, empty = self._fill(connection)
            notes += empty
            blank = Proof(
                self._revision,
                Outcome.PROVED,
                database=self._rehearsal.product(connection),
                rows=count,
                notes=tuple(notes),
            )
        with self._engine.connect() as connection:
            return self._run(self._original.on(connection), connection, blank)

    def _prepare(self) -> tuple[str, ...]:
        """Bring the scratch database to the state from before the revision."""
        graph = self._original.graph()
        current = self._original.current()
        if unknown := sorted(current - graph.by_id.keys()):
            raise _NotTried(f"the database is at {', '.join(unknown)}, which no installed app has")
        applied = graph.closure(current)
        needed = graph.closure([self._revision]) - {self._revision}
        notes: tuple[str, ...] = ()
        if self._revision in applied:
            # The database is past it: only the revisions themselves lead to the state from before.
            applied = frozenset()
            with _autocommit(self._engine) as connection:
                if self._schema is not None:
                    self._rehearsal.schema(connection, self._schema)
        else:
            with _autocommit(self._engine) as connection:
                notes = self._rehearsal.copy(self._source, connection)
        missing = [name for name in graph.order if name in needed and name not in applied]
        with self._engine.connect() as connection:
            track = self._original.on(connection)
            try:
                track.stamp(sorted(applied))
                for name in missing:
                    track.upgrade(name)
            except (MigrationError, sa.exc.SQLAlchemyError) as error:
                raise _NotTried(
                    f"the revisions before it do not run on an empty database: {_short(error)}", _BEFORE
                ) from error
        return tuple(f"not copied: {note}" for note in notes)

    def _fill(self, connection: sa.Connection) -> tuple[int, tuple[str, ...]]:
        inspector = self._sql_dialect.inspector(connection, schema=self._schema, ignored=self._ignored())
        target = Target.of(connection.dialect, self._sql_dialect, schema=self._schema)
        text: SqlText = target.text

        def send(sql: str) -> str | None:
            try:
                connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).close()
            except sa.exc.DBAPIError as error:
                return " ".join(str(error.orig).split())
            return None

        return SampleRows(text, inspector.read(None), send).fill()

    def _ignored(self) -> frozenset[str]:
        name, _ = self._original._version_table_name()  # noqa: SLF001 - the track's own
        return frozenset((*ENGINE_TABLES, name))

    def _run(self, track: AlembicTrack, connection: sa.Connection, blank: Proof) -> Proof:
        before = self._state(connection)
        if (reason := _failure(track.upgrade, self._revision)) is not None:
            return replace(blank, outcome=Outcome.FAILED, reasons=(reason,))
        after = self._state(connection)
        if (reason := _failure(track.downgrade, self._revision)) is not None:
            return replace(blank, outcome=Outcome.ONE_WAY, reasons=(reason,))
        back = self._state(connection)
        losses = (*_lost(before.rows, back.rows), *_prefixed(differences(before.dump, back.dump)))
        if (reason := _failure(track.upgrade, self._revision)) is not None:
            said = f" (after backwards: {'; '.join(losses)})" if losses else ""
            return replace(blank, outcome=Outcome.FAILED, reasons=(f"forwards a second time: {reason}{said}",))
        again = self._state(connection)
        unlike = differences(after.dump, again.dump)
        if unlike and not losses:
            return replace(blank, outcome=Outcome.FAILED, reasons=(f"forwards a second time: {unlike[0]}", *unlike[1:]))
        return replace(blank, outcome=Outcome.LOSSY, reasons=losses) if losses else blank

    def _state(self, connection: sa.Connection) -> _State:
        return _state(connection, self._sql_dialect, self._rehearsal, self._schema, self._ignored())


def _state(
    connection: sa.Connection,
    sql_dialect: SqlDialect,
    rehearsal: Rehearsal,
    schema: str | None,
    ignored: frozenset[str],
) -> _State:
    try:
        dump = {
            name: definition
            for name, definition in rehearsal.dump(connection).items()
            if not ignored & {part.rpartition(".")[2] for part in name.split(" ")}
        }
        tables = sql_dialect.inspector(connection, schema=schema, ignored=ignored).read(None).tables
        rows = {name: rehearsal.rows(connection, _placed(name, schema)) for name in tables}
    finally:
        connection.rollback()
    return _State(dump, rows)


def _placed(name: TableName, schema: str | None) -> TableName:
    return name if name.schema is not None or schema is None else TableName(name.name, schema)


def _autocommit(engine: sa.Engine) -> AbstractContextManager[sa.Connection]:
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def _failure(step: Callable[[str], None], revision: str) -> str | None:
    """Run a step; why it failed, None where it did not."""
    try:
        step(revision)
    except Exception as error:  # noqa: BLE001 - a revision is the user's own code, which may raise anything
        return _short(error)
    return None


def _short(error: BaseException) -> str:
    """What went wrong, without where the file is and what became of the transaction."""
    cause = error.__cause__
    if isinstance(error, RevisionFailed) and cause is not None:
        return _short(cause)
    return cause_of(error).rstrip(".")


def _lost(before: Rows, after: Rows) -> list[str]:
    """Rows and values that are not there any more."""
    found: list[str] = []
    for table, was in before.items():
        now = after.get(table, [])
        if not was or _counted(was) == _counted(now):
            continue
        if len(was) != len(now):
            found.append(f"{len(was) - len(now) if len(now) < len(was) else 'more'} rows of {table}")
            continue
        columns = [name for name in was[0] if _column(was, name) != _column(now, name)]
        found.extend(f"{_part(was, now, name)} of {table}.{name}" for name in columns)
        if not columns and now and was[0].keys() == now[0].keys():
            found.append(f"which values of {table} belong together")
    return found


def _part(was: list[dict[str, object]], now: list[dict[str, object]], name: str) -> str:
    return "the NULLs" if set(_column(was, name) - _column(now, name)) == {repr(None)} else "the values"


def _counted(rows: list[dict[str, object]]) -> Counter[str]:
    return Counter(repr(sorted(row.items())) for row in rows)


def _column(rows: list[dict[str, object]], name: str) -> Counter[str]:
    return Counter(repr(row.get(name)) for row in rows)


def _prefixed(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Differences of definitions after "goes back with loss of"."""
    return tuple(f"the definition ({phrase})" for phrase in phrases)
