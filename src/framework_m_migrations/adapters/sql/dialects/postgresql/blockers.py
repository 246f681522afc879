"""Which sessions hold what a statement waits for."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import TEXTS, text
from framework_m_migrations.adapters.sql.dialects.postgresql.errors import translate
from framework_m_migrations.adapters.sql.dialects.postgresql.text import qualified
from framework_m_migrations.adapters.sql.dialects.postgresql.transactions import known_to_be_pooled, taken_back
from framework_m_migrations.adapters.sql.errors import from_driver
from framework_m_migrations.domain.errors import DatabaseError, LockTimeout
from framework_m_migrations.domain.schema import TableName

_PIECE = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<escaped>(?<![\w$])[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z))
  | (?P<string>(?:(?<![\w$])(?:[bBxXnN]|[uU]&))?'(?:[^']|'')*(?:'|\Z))
  | (?P<dollar>(?<![\w$])\$(?P<tag>[^\W\d]\w*)\$.*?(?:\$(?P=tag)\$|\Z)|(?<![\w$])\$\$.*?(?:\$\$|\Z))
  | (?P<quoted>"(?:[^"]|"")*(?:"|\Z))
  | (?P<number>(?<![\w$.])(?:\d[\w.]*|\.\d\w*))
  | (?P<word>[^\W\d][\w$]*|\$\d+)
    """,
    re.VERBOSE | re.DOTALL,
)
_HIDDEN = {"escaped", "string", "dollar", "number"}


def without_values(sql: str) -> str:
    """The statement with a question mark for each literal and without its comments.

    It may be cut anywhere, as the server cuts what it shows: a literal without an end is a literal to the end.
    """

    def replaced(match: re.Match[str]) -> str:
        kind = "dollar" if match.lastgroup == "tag" else match.lastgroup
        if kind == "comment":
            return " "
        return "?" if kind in _HIDDEN else match[0]

    return _PIECE.sub(replaced, sql)


# Who holds what a step waited for.


_LONGEST = 200
_LATE = "57014"
_SESSIONS = """
SELECT a.pid, NULLIF(a.application_name, ''), a.state,
       EXTRACT(epoch FROM clock_timestamp() - a.xact_start)::float8,
       EXTRACT(epoch FROM clock_timestamp() - a.query_start)::float8,
       pg_catalog.array_remove(pg_catalog.array_agg(DISTINCT h.name), NULL),
       pg_catalog.array_remove(pg_catalog.array_agg(DISTINCT h.mode), NULL),
       NULLIF(pg_catalog.left(a.query, 2000), '')
FROM pg_catalog.pg_stat_activity a
LEFT JOIN (
    SELECT l.pid, c.oid, c.relname::text AS name, l.mode::text AS mode
    FROM pg_catalog.pg_locks l
    JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm')
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE l.granted AND l.locktype = 'relation'
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
) h ON h.pid = a.pid
WHERE a.pid <> pg_catalog.pg_backend_pid() AND """
_OLDEST_FIRST = """
GROUP BY a.pid, a.application_name, a.state, a.xact_start, a.query_start, a.query
ORDER BY a.xact_start NULLS LAST
LIMIT 10
"""
_HOLDS = """h.oid IS NOT NULL AND (CAST(:tables AS text[]) = '{}'
       OR h.oid IN (SELECT pg_catalog.to_regclass(t) FROM pg_catalog.unnest(CAST(:tables AS text[])) AS t))"""
_BLOCKING = text(f"{_SESSIONS} {_HOLDS} {_OLDEST_FIRST}", tables=TEXTS)
_WAITED_FOR = text(f"{_SESSIONS} a.pid = ANY (pg_catalog.pg_blocking_pids(CAST(:waiting AS int4))) {_OLDEST_FIRST}")


@dataclass(frozen=True, slots=True)
class BlockingSession:
    """A session that holds locks on tables.

    ``transaction_age`` and ``query_age`` are seconds since its transaction and its last query began, None where it has
    none or the role may not see them. ``query`` is that query without the values in it, which may be nobody's business:
    each literal is a question mark.
    """

    pid: int
    application: str | None
    state: str | None
    transaction_age: float | None
    query_age: float | None
    tables: tuple[str, ...]
    modes: tuple[str, ...]
    query: str | None = None

    def __str__(self) -> str:
        who = f"process {self.pid}" + (f" ({self.application})" if self.application else "")
        age = "" if self.transaction_age is None else f", in a transaction for {self.transaction_age:.0f} s"
        said = f"{who}, {self.state or 'state unknown'}{age}"
        if self.tables:
            said += f", holds {', '.join(self.tables)}"
        if self.query is None:
            return said
        since = "" if self.query_age is None else f" {self.query_age:.0f} s ago"
        return f"{said}; its last query began{since}: {self.query}"


def blocking_sessions(
    connection: sa.Connection, tables: Collection[TableName] = (), *, schema: str | None = None
) -> tuple[BlockingSession, ...]:
    """Sessions that hold locks on tables now, the oldest transaction first, at most ten.

    Args:
        connection: whose own session is left out.
        tables: only locks on these count; all when empty.
        schema: the session's schema.
    """
    with taken_back(connection):
        parameters = {"tables": [qualified(table, schema) for table in tables]}
        return _sessions(connection.execute(_BLOCKING, parameters).all())


def _sessions(rows: Iterable[Sequence[Any]]) -> tuple[BlockingSession, ...]:
    return tuple(
        BlockingSession(pid, name, state, age, query_age, tuple(held), tuple(modes), query and _shown(query))
        for pid, name, state, age, query_age, held, modes, query in rows
    )


class PostgresqlWaits:
    """Implements adapters.sql.watching.Waits."""

    def number(self, connection: sa.Connection) -> int | None:
        """See Waits. Behind a proxy that pools transactions a session has no number of its own."""
        driver: Any = connection.connection.driver_connection
        if known_to_be_pooled(connection):
            return None
        number = driver.get_server_pid() if hasattr(driver, "get_server_pid") else None  # asyncpg
        number = number or getattr(getattr(driver, "info", None), "backend_pid", None)  # psycopg
        return number if isinstance(number, int) else None

    def holders(self, connection: sa.Connection, waiting: int) -> tuple[str, ...] | None:
        """See Waits."""
        found = _sessions(connection.execute(_WAITED_FOR, {"waiting": waiting}).all())
        return tuple(map(str, found)) or None


def _shown(query: str) -> str:
    """A statement in one line without its values, cut to what can be read at a glance."""
    text = " ".join(without_values(query).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


@contextmanager
def blockers_named(connection: sa.Connection) -> Iterator[None]:
    """Adds to a LockTimeout that leaves the scope who holds locks now, where the database tells.

    Where the statement that waited is known, only sessions count that hold a table which it names, if there are any.
    Who held the lock may have gone since, and others may hold locks that were not waited for: it is a hint.

    Raises:
        LockTimeout: for a driver's error that means one, too.
    """
    try:
        yield
    except (LockTimeout, sa.exc.DBAPIError) as error:
        if isinstance(error, LockTimeout):
            _name(connection, error)
            raise
        known = from_driver(error, translate) if isinstance(translate(error), LockTimeout) else None
        if not isinstance(known, LockTimeout):
            raise
        _name(connection, known)
        raise known from error


@contextmanager
def lateness_as_waiting() -> Iterator[None]:
    """For statements that do nothing long but wait for locks: one that took too long has waited for too many.

    The lock timeout is about one lock, and a statement may need those of two tables or of a hundred partitions. Each
    may be had just in time, while those had already are held and others queue behind them.

    Raises:
        LockTimeout: in the place of the error about a statement's time limit.
    """
    try:
        yield
    except DatabaseError as error:
        if error.details.get("sqlstate") != _LATE:
            raise
        raise LockTimeout(
            "The step was rolled back: it reached the lock timeout.", details=dict(error.details)
        ) from error


def _name(connection: sa.Connection, error: LockTimeout) -> None:
    if "sessions" in error.details or connection.invalidated:
        return
    with contextlib.suppress(sa.exc.DBAPIError):
        found = blocking_sessions(connection)
        words = set(re.findall(r"\w+", str(error.details.get("statement", ""))))
        named = [one for one in found if words & set(one.tables)]
        chosen = named or list(found)
        if chosen:
            error.what = f"{error.what} Sessions that hold locks: {'; '.join(str(one) for one in chosen)}."
            error.details["sessions"] = [asdict(one) for one in chosen]
