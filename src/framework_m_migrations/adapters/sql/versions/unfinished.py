"""What a revision has sent that commits by itself, kept where a killed process cannot take it along.

Where the database commits with each DDL statement, a revision that is killed or fails in its middle leaves a part of
itself, and its file says nothing of how far it came: run again from its beginning, it would do twice what it did once,
at every restart of a server that migrates when it boots. So each statement that commits is noted just before it is
sent. The note is in the transaction that the statement commits, so that the two cannot part: there may be a note
without its statement, but never a statement without its note. The notes go in the transaction that records the
revision as done, or when somebody has said by ``stamp`` what became of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from framework_m_migrations.adapters.sql.ledger_tables import KEY_LENGTH, TABLE_OPTIONS, UNFINISHED_TABLE
from framework_m_migrations.adapters.sql.url import redact
from framework_m_migrations.domain.errors import RevisionUnfinished

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
        schema: that of the version table, None for the connection's default.
    """

    def __init__(self, connection: sa.Connection, schema: str | None) -> None:
        self._connection = connection
        options: dict[str, Any] = {**TABLE_OPTIONS.get(connection.dialect.name, {})}
        self._table = sa.Table(
            UNFINISHED_TABLE,
            sa.MetaData(schema=schema),
            sa.Column("revision", sa.String(KEY_LENGTH), primary_key=True),
            sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("direction", sa.String(16), nullable=False),
            sa.Column("statement", sa.Text, nullable=False),
            **options,
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
            f"is begun anew, or do by hand what is missing and run `m-migrate stamp` with {revision} in its place. "
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
