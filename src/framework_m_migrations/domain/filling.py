"""Values for rows that were there before their column: written in batches, and remembered until all have theirs.

A column whose default is another for each row is added without a value for the rows that exist. Until these have
theirs, the ledger's state says so, in the transaction that adds the column: nothing in the catalog tells a row that
waits for its value from one whose value is NULL.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import LedgerCorrupt
from framework_m_migrations.domain.schema import Column, Table, TableName

PREFIX = "fill:"
"""The keys of the ledger's state that tell of columns to be filled begin with it."""
BATCH = 1000
"""Rows in a batch (postgres-online-ddl.md, "Backfill")."""
PAUSE = 0.05
"""Seconds between two batches, in which others have the disk."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch did: rows gone through, rows that got a value, and the last key as text, None without any row."""

    seen: int
    changed: int
    last: str | None


@dataclass(frozen=True, slots=True)
class Fill:
    """A column whose rows from before it wait for their values.

    ``after`` is the key of the last row that was gone through, in the columns ``by``; ``done`` and ``changed`` count
    the rows so far. ``written`` says that all of them have been gone through, and only NOT NULL is still to come.
    """

    table: TableName
    column: str
    after: str | None = None
    done: int = 0
    changed: int = 0
    written: bool = False
    by: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The key in the ledger's state, the same for a column of any name's length."""
        return state_key(self.table, self.column)

    def along(self, names: tuple[str, ...]) -> Fill:
        """By a key of these columns: where it is another one than before, the cursor means nothing."""
        return self if self.by == names else replace(self, by=names, after=None)

    def moved(self, batch: Batch) -> Fill:
        """After a batch."""
        return replace(
            self,
            after=self.after if batch.last is None else batch.last,
            done=self.done + batch.seen,
            changed=self.changed + batch.changed,
        )

    def dump(self) -> str:
        """The value in the ledger's state."""
        values = asdict(self)
        values["table"] = [self.table.schema, self.table.name]
        return json.dumps(values, separators=(",", ":"))


def state_key(table: TableName, column: str) -> str:
    """The state's key of one column."""
    named = json.dumps([table.schema, table.name, column])
    return f"{PREFIX}{hashlib.sha256(named.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def pending(state: Mapping[str, str]) -> dict[tuple[TableName, str], Fill]:
    """The columns that wait for values, by table and name.

    Args:
        state: of the ledger.

    Raises:
        LedgerCorrupt: an entry is not what ``Fill.dump`` writes.
    """
    found: dict[tuple[TableName, str], Fill] = {}
    for key, value in state.items():
        if key.startswith(PREFIX):
            fill = _parsed(key, value)
            found[fill.table, fill.column] = fill
    return found


def _parsed(key: str, value: str) -> Fill:
    try:
        values = json.loads(value)
        schema, name = values.pop("table")
        values["by"] = tuple(values["by"])
        typed = (
            {type(name), type(values["column"])} == {str}
            and {type(schema), type(values["after"])} <= {str, type(None)}
            and {type(values["done"]), type(values["changed"])} == {int}
            and type(values["written"]) is bool
            and {str}.issuperset(map(type, values["by"]))
        )
        fill = Fill(table=TableName(name, schema), **values)
        if not typed or fill.key != key:
            raise ValueError("it is of another column or form")  # noqa: TRY301 - told like all else that is wrong
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise LedgerCorrupt(
            f"The ledger's entry {key} about a column to be filled cannot be read: {error}.",
            details={"entry": key},
        ) from error
    return fill


def key_of(table: Table) -> tuple[Column, ...]:
    """What tells the rows apart and has an index: the primary key, else a unique key without NULLs, else nothing."""
    candidates = [None if table.primary_key is None else table.primary_key.columns]
    candidates += [unique.columns for unique in table.uniques]
    candidates += [index.plain_columns for index in table.indexes if index.unique and index.valid]
    for names in candidates:
        if not names:
            continue
        columns = [table.column(name) for name in names]
        found = tuple(column for column in columns if column is not None and not column.nullable)
        if len(found) == len(names):
            return found
    return ()


def opened(operations: Iterable[o.Operation]) -> dict[str, str | None]:
    """What the ledger's state is to hold once these operations are done: the columns that wait for values from then."""
    return {
        fill.key: fill.dump()
        for operation in operations
        if isinstance(operation, o.AddColumn) and operation.staged
        for fill in (Fill(operation.table, operation.column.name),)
    }


def closed(operations: Iterable[o.Operation]) -> dict[str, str | None]:
    """What the ledger's state is to lose once these operations are done."""
    return {
        state_key(operation.table, operation.column.name): None
        for operation in operations
        if isinstance(operation, o.ValidateNotNull)
    }
