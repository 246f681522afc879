"""A database in memory, and connections to it that behave as connections do.

One writer at a time, as in SQLite: a transaction sees its own changes at once and others see them after its commit;
whoever would have to wait for the writer is told so at once, since nobody could wake it in a single thread.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.errors import ConnectionFailed, DatabaseError, DatabaseReadOnly, LockTimeout
from framework_m_migrations.domain.schema import Table, TableName
from tests.fakes.memory import additive, destructive, rules
from tests.fakes.memory.revised import revise
from tests.fakes.memory.state import MemoryState

CAPABILITIES = Capabilities(
    dialect="memory",
    named_enums=True,
    comments=True,
    schemas=True,
    online_index=True,
    deferred_validation=True,
    unique_via_index=True,
)
"""What a memory database can do unless a test says otherwise."""

_DESTRUCTIVE = (o.DropTable, o.DropColumn, o.DropIndex, o.DropConstraint, o.DropNotNull)


class MemoryDatabase:
    """Tables with their rows, enumerations, the engine's ledger and version table.

    Args:
        capabilities: what it can do; it refuses what it cannot.

    Attributes:
        state: what is committed.
        reachable: False makes every new connection fail with ConnectionFailed.
        read_only: True makes every write fail with DatabaseReadOnly.
        missing_rights: rights that the role is to lack, as sentences, whatever is asked for.
        unfinished: revisions that were left in their middle, as long as nobody has stamped.
        before_operation: called with each operation before it is carried out; what it raises is the database's
            answer. This is how a test makes the third statement fail.
    """

    def __init__(self, capabilities: Capabilities = CAPABILITIES) -> None:
        self.capabilities = capabilities
        self.state = MemoryState()
        self.reachable = True
        self.read_only = False
        self.missing_rights: tuple[str, ...] = ()
        self.unfinished: tuple[str, ...] = ()
        self.before_operation: Callable[[o.Operation], None] | None = None
        self.writer: MemoryConnection | None = None
        self.lock_owner: MemoryConnection | None = None
        self._tokens = itertools.count(1)
        self._names = itertools.count(1)

    def connect(self) -> MemoryConnection:
        """A new connection; raises ConnectionFailed where the database cannot be reached."""
        if not self.reachable:
            raise ConnectionFailed("The memory database cannot be reached.")
        return MemoryConnection(self, f"memory session {next(self._names)}")

    def next_token(self) -> int:
        """A catalog token that no state had before, not even one that was rolled back."""
        return next(self._tokens)

    @contextmanager
    def _own_connection(self) -> Iterator[MemoryConnection]:
        connection = MemoryConnection(self, "the database's owner")
        try:
            with connection.autocommit():
                yield connection
        finally:
            connection.close()

    def apply(self, *operations: o.Operation) -> None:
        """Carry out operations as somebody else would, on a connection of their own."""
        with self._own_connection() as connection:
            for operation in operations:
                connection.apply(operation)

    def create(self, *tables: Table) -> None:
        """Create tables with all that belongs to them."""
        self.apply(*(o.CreateTable(table, table.foreign_keys) for table in tables))

    def insert(self, table: TableName | str, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert rows, or none of them; raises DatabaseError where a rule is broken."""
        with self._own_connection() as connection:
            connection.insert(_table_name(table), rows)

    def rows(self, table: TableName | str) -> list[dict[str, object]]:
        """The committed rows of a table, in the order in which they came."""
        name = _table_name(table)
        rules.need_table(self.state, name)
        return [dict(row) for row in self.state.rows[name]]


class MemoryConnection:
    """One connection. Writes need ``transaction`` or ``autocommit`` round them."""

    def __init__(self, database: MemoryDatabase, name: str) -> None:
        self.database = database
        self.name = name
        self._open = True
        self._autocommit = False
        self._stack: list[MemoryState] = []

    @property
    def is_open(self) -> bool:
        """False after ``close``."""
        return self._open

    @property
    def in_transaction(self) -> bool:
        """True within ``transaction``."""
        return bool(self._stack)

    @property
    def state(self) -> MemoryState:
        """What this connection sees. To be read only: changes go through ``changing``."""
        self._require_open()
        return self._stack[-1] if self._stack else self.database.state

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end, roll back on an exception; within another one, a savepoint.

        Raises:
            LockTimeout: another connection writes.
            DatabaseReadOnly: the database takes no writes.
        """
        self._require_writable()
        outermost = not self._stack
        self.database.writer = self
        self._stack.append(self.state.copy())
        try:
            yield
            self._require_open()
        except BaseException:
            if self._stack:
                self._stack.pop()
            raise
        else:
            done = self._stack.pop()
            if self._stack:
                self._stack[-1] = done
            else:
                self.database.state = done
        finally:
            if outermost and self.database.writer is self:
                self.database.writer = None

    @contextmanager
    def autocommit(self) -> Iterator[None]:
        """Each change is committed by itself. Not to be had within a transaction."""
        self._require_open()
        if self._stack:
            raise DatabaseError("A transaction is open: it must end before statements can stand for themselves.")
        before, self._autocommit = self._autocommit, True
        try:
            yield
        finally:
            self._autocommit = before

    @contextmanager
    def changing(self) -> Iterator[MemoryState]:
        """A state to change: kept when the block ends well, thrown away when it raises.

        Raises:
            DatabaseError: neither a transaction nor autocommit is open.
        """
        self._require_writable()
        if not self._stack and not self._autocommit:
            raise DatabaseError("A write needs a transaction, or autocommit, round it.")
        state = self.state.copy()
        yield state
        if self._stack:
            self._stack[-1] = state
        else:
            self.database.state = state

    def apply(self, operation: o.Operation) -> None:
        """Carry out one operation; raises DatabaseError where the database refuses it."""
        self._require_open()
        if self.database.before_operation is not None:
            self.database.before_operation(operation)
        capabilities = self.database.capabilities
        if isinstance(operation, o.RebuildIndex) or (isinstance(operation, o.CreateIndex) and operation.online):
            if not capabilities.online_index:
                raise DatabaseError("This database cannot build an index without blocking writers.")
            if self._stack:
                raise DatabaseError("An index cannot be built online within a transaction.")
        with self.changing() as state:
            if isinstance(operation, _DESTRUCTIVE):
                destructive.remove(state, operation, capabilities)
            elif isinstance(operation, o.RevisionOperation):
                revise(state, operation)
            else:
                additive.add(state, operation, capabilities)
            state.token = self.database.next_token()
        if not capabilities.transactional_ddl and self._stack:
            # As such databases do: DDL commits the transaction that it finds, and another one goes on from there.
            self.database.state = self._stack[-1]
            self._stack = [self.database.state.copy() for _ in self._stack]

    def insert(self, table: TableName, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert rows, or none of them; raises DatabaseError where a rule is broken."""
        with self.changing() as state:
            rules.insert_rows(state, table, rows)

    def close(self) -> None:
        """End, however far things are: what is not committed is gone, and so is the migration lock."""
        self._open = False
        self._stack.clear()
        if self.database.writer is self:
            self.database.writer = None
        if self.database.lock_owner is self:
            self.database.lock_owner = None

    def _require_open(self) -> None:
        if not self._open:
            raise ConnectionFailed("The connection to the memory database is closed.")

    def _require_writable(self) -> None:
        self._require_open()
        if self.database.read_only:
            raise DatabaseReadOnly("The memory database takes no writes.")
        writer = self.database.writer
        if writer is not None and writer is not self:
            raise LockTimeout(f"{writer.name} is writing.", details={"holder": writer.name})


def _table_name(table: TableName | str) -> TableName:
    return TableName(table) if isinstance(table, str) else table
