"""From operations to steps: in which order, and what shares a transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.defined import FIRST, needed_first
from framework_m_migrations.domain.ownership import OwnedTable, constraint_identities
from framework_m_migrations.domain.plan import LockLevel, Step, TableLock
from framework_m_migrations.domain.schema import Index, Partition, Table, TableName

type Levels = tuple[tuple[TableName, LockLevel], ...]


def with_partitions(operation: o.AdditiveOperation, levels: Levels, tables: Mapping[TableName, Table]) -> Levels:
    """The locks of an operation, with those that it takes on the partitions of the tables that it locks.

    Each is as strong as the one on the table itself, but where rows are only looked up to validate a foreign key.
    A comment, and an index ON ONLY the parent or of one partition, touch no other table
    (observed by tests/online/test_partition_locks.py).

    Args:
        operation: what is done.
        levels: on the tables that it names.
        tables: as they are, with their partitions.
    """
    if isinstance(operation, o.SetComment | o.AttachIndex) or (isinstance(operation, o.CreateIndex) and operation.only):
        return levels
    found = list(levels)
    for name, level in levels:
        looked_up = isinstance(operation, o.ValidateConstraint) and name != operation.table
        there = tables.get(name)
        parts = () if there is None else there.partitions
        found += [(part.name, LockLevel.ACCESS_SHARE if looked_up else level) for part in parts]
    return tuple(found)


# An index on a partitioned table without blocking writers, as operations that can be interrupted anywhere.
#
# The parent gets an index of its own that is invalid until each partition has one that is attached to it
# (CREATE INDEX, "Notes" of PostgreSQL's manual). What is there already is kept, so that the operations left
# after an interruption are those that are missing.


def part_name(index: str, partition: str, limit: int | None) -> str:
    """The name of a partition's own index: readable, distinct where names had to be cut to ``limit`` bytes."""
    name = f"{partition}_{index}"
    if limit is None or len(name.encode()) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return name.encode()[: limit - 9].decode(errors="ignore") + f"_{digest}"


def index_operations(table: Table, index: Index, limit: int | None) -> Iterator[o.AdditiveOperation]:
    """What is missing of an index: on the parent, on each partition beside writers, and the link between the two.

    Args:
        table: as it is, with its partitions.
        index: what is wanted.
        limit: bytes of an identifier.
    """
    if all(one.name != index.name for one in table.indexes):
        yield o.CreateIndex(table.name, index, only=True)
    made = {table.name: TableName(index.name, table.name.schema)}
    for part in table.partitions:
        above = made[part.parent]
        attached = next((one for one in part.indexes if one.parent == above.name), None)
        own = attached.name if attached is not None else part_name(index.name, part.name.name, limit)
        made[part.name] = TableName(own, part.name.schema)
        yield from _on_partition(part, replace(index, name=own, native=None), above, linked=attached is not None)


def _on_partition(part: Partition, index: Index, above: TableName, *, linked: bool) -> Iterator[o.AdditiveOperation]:
    there = next((one for one in part.indexes if one.name == index.name), None)
    if there is None:
        yield o.CreateIndex(part.name, index, online=part.holds_rows, only=not part.holds_rows, part=True)
    elif not there.valid and part.holds_rows:
        yield o.RebuildIndex(part.name, index)
    if not linked:
        yield o.AttachIndex(part.name, index.name, above)


# From operations to steps: in which order, and what shares a transaction.


LockLevels = Callable[[o.AdditiveOperation], tuple[tuple[TableName, LockLevel], ...]]


@dataclass(frozen=True, slots=True)
class Work:
    """An operation, and the DocType and app it is done for."""

    operation: o.AdditiveOperation
    doctype: str
    app: str | None = None


def phase(operation: o.AdditiveOperation) -> int:
    """Where an operation stands in the order: types, tables, columns, values, indexes, then what refers to them.

    A column's new type comes before new columns: one of these may be computed of it, and would hold the type fast.
    """
    match operation:
        case o.CreateObject(object=wanted):
            late = 0 if wanted.definition is None or wanted.kind in FIRST else 14
            return {"roles": -2, "schema": -1}.get(wanted.kind, late)
        case o.CreateEnum():
            return 0
        case o.AddEnumValue():
            return 1
        case o.CreateTable():
            return 2
        case o.AlterType():
            return 3
        case o.AddColumn():
            return 4
        case o.SetNotNull(validate=False):
            return 7
        case o.SetDefault() | o.SetNotNull() | o.SetComment():
            return 5
        case o.FillColumn(late=late):
            return 8 if late else 6
        case o.CreateIndex() | o.RebuildIndex():
            return 9
        case o.AttachIndex():
            return 10
        case o.AddUnique():
            return 11
        case o.AddCheck() | o.AddForeignKey():
            return 12
        case o.ValidateConstraint() | o.ValidateNotNull():
            return 13


def build_steps(
    work: Sequence[Work], checksums: dict[str, str], capabilities: Capabilities, lock_levels: LockLevels
) -> tuple[Step, ...]:
    """Cut the work into steps.

    Args:
        work: operations in any order; among equals of one phase the order given is kept.
        checksums: of the DocTypes that will match once their last operation is done.
        capabilities: of the database: how much a transaction may hold, and whether tables are locked one by one.
        lock_levels: the locks an operation takes on tables that exist.
    """
    groups: list[list[Work]] = []
    weight = 0
    made = (item.operation.object for item in work if isinstance(item.operation, o.CreateObject))
    first = needed_first(made, (item.operation for item in work))
    for item in sorted(work, key=lambda item: _place(item.operation, first)):
        cost = _weight(item.operation)
        joins = groups and _may_share(groups[-1][-1].operation, item.operation, capabilities)
        if joins and weight + cost <= capabilities.step_weight:
            groups[-1].append(item)
            weight += cost
        else:
            groups.append([item])
            weight = cost
    last_of = {item.doctype: number for number, group in enumerate(groups) for item in group}
    created = {item.operation.table for item in work if isinstance(item.operation, o.CreateTable)}
    return tuple(
        _step(
            group,
            [(name, checksums[name]) for name, last in last_of.items() if last == number and name in checksums],
            created,
            lock_levels,
            capabilities,
        )
        for number, group in enumerate(groups)
    )


def _place(operation: o.AdditiveOperation, first: Collection[TableName]) -> int:
    """The phase of an operation; what tables use comes with the types."""
    return 0 if isinstance(operation, o.CreateObject) and operation.table in first else phase(operation)


def _step(
    group: list[Work],
    completes: list[tuple[str, str]],
    created: set[TableName],
    lock_levels: LockLevels,
    capabilities: Capabilities,
) -> Step:
    operations = tuple(item.operation for item in group)
    locks: dict[TableName, LockLevel] = {}
    order = list(LockLevel)
    for operation in operations:
        for table, level in lock_levels(operation):
            if table not in created and order.index(level) > order.index(locks.get(table, LockLevel.NONE)):
                locks[table] = level
    return Step(
        operations=operations,
        transactional=not is_solitary(operations[0]),
        completes=tuple(completes),
        owns=_owns(group),
        locks=tuple(TableLock(table, level) for table, level in locks.items()),
        rewrites=any(isinstance(operation, o.AddColumn) and operation.rewrites for operation in operations),
        scans=any(_scans(operation) for operation in operations),
        hazards=tuple(
            dict.fromkeys(hazard for operation in operations for hazard in _hazards(operation, capabilities))
        ),
        batch=operations[0].size if isinstance(operations[0], o.FillColumn) else None,
    )


def is_solitary(operation: o.AdditiveOperation) -> bool:
    """True for what a database refuses to do inside a transaction, or what takes many of them."""
    return isinstance(operation, o.RebuildIndex | o.FillColumn) or (
        isinstance(operation, o.CreateIndex) and operation.online
    )


def _may_share(before: o.AdditiveOperation, after: o.AdditiveOperation, capabilities: Capabilities) -> bool:
    if is_solitary(before) or is_solitary(after) or not capabilities.transactional_ddl:
        return False
    if isinstance(before, o.AddEnumValue) != isinstance(after, o.AddEnumValue):
        return False  # a new label cannot be used before its own commit
    if not capabilities.table_locks:
        return True
    made = (o.CreateEnum, o.CreateObject, o.CreateTable)
    if isinstance(before, made) or isinstance(after, made):
        return isinstance(before, made) and isinstance(after, made) and _trigger_of(before) == _trigger_of(after)
    slow = (o.ValidateConstraint, o.ValidateNotNull)
    if isinstance(before, slow) or isinstance(after, slow):
        return False
    if isinstance(before, o.AddForeignKey) or isinstance(after, o.AddForeignKey):
        # What one of them holds must not be kept while the other waits for another table.
        return _ends(before) is not None and _ends(before) == _ends(after)
    return _table(before) is not None and _table(before) == _table(after)


def _trigger_of(operation: o.AdditiveOperation) -> TableName | None:
    """The table that a new trigger locks."""
    return operation.object.on if isinstance(operation, o.CreateObject) else None


def _ends(operation: o.AdditiveOperation) -> tuple[TableName, TableName] | None:
    return (operation.table, operation.foreign_key.target) if isinstance(operation, o.AddForeignKey) else None


def _table(operation: o.AdditiveOperation) -> TableName | None:
    return None if isinstance(operation, o.CreateEnum | o.CreateObject | o.AddEnumValue) else operation.table


def _weight(operation: o.AdditiveOperation) -> int:
    """Roughly how many objects the transaction holds locked for it."""
    if isinstance(operation, o.CreateTable):
        table = operation.definition
        return 4 + len(table.indexes) + len(table.uniques) + 2 * len(operation.foreign_keys)
    return 3


def _scans(operation: o.AdditiveOperation) -> bool:
    match operation:
        case o.CreateIndex(only=only):
            return not only
        case o.RebuildIndex() | o.ValidateConstraint() | o.ValidateNotNull() | o.FillColumn():
            return True
        case o.AddCheck(validate=validate) | o.AddForeignKey(validate=validate) | o.SetNotNull(validate=validate):
            return validate
        case o.AddUnique(via_index=via_index):
            return via_index is None
        case _:
            return False


def _hazards(operation: o.AdditiveOperation, capabilities: Capabilities) -> Iterable[str]:
    if capabilities.typed_plans and isinstance(operation, o.AddColumn | o.AlterType):
        widened = isinstance(operation, o.AlterType)
        read = f"return {operation.column.name}" if widened else f"say SELECT * of {operation.table}"
        yield f"prepared statements of running applications that {read} fail once or until they reconnect"
    match operation:
        case o.CreateIndex(online=True) | o.RebuildIndex():
            yield "waits for transactions that are older than itself"
        case o.AttachIndex(index=index):
            yield f"locks the index {index} against everybody for a moment"
        case o.AddForeignKey(foreign_key=key):
            yield f"locks {key.target} too"
        case o.FillColumn(late=False):
            yield "the table's own triggers fire for each row that gets its value"
        case o.AddColumn(rewrites=True):
            yield "every row gets a value of its own under the lock"
        case o.AlterType() if capabilities.column_statistics:
            yield "statistics of the column are lost: ANALYZE afterwards"
        case _:
            return


def _owns(group: list[Work]) -> tuple[OwnedTable, ...]:
    owned: dict[TableName, OwnedTable] = {}
    for item in group:
        part = _part(item)
        if part is not None:
            part = replace(part, app=item.app)
            before = owned.get(part.table)
            owned[part.table] = part if before is None else before.merge(part)
    return tuple(owned.values())


def _part(item: Work) -> OwnedTable | None:
    """What of the database becomes ours with an operation."""
    match item.operation:
        case o.CreateTable(definition=table, foreign_keys=inline):
            return OwnedTable.of(replace(table, foreign_keys=inline), item.doctype, "created")
        case o.AddColumn(table=name, column=column):
            return OwnedTable(name, item.doctype, "adopted", columns=frozenset({column.name}))
        case o.CreateIndex(table=name, index=index, part=False):
            return OwnedTable(name, item.doctype, "adopted", indexes=frozenset({index.name}))
        case o.AddUnique(table=name, unique=constraint):
            return OwnedTable(
                name,
                item.doctype,
                "adopted",
                constraints=frozenset(constraint_identities(constraint)),
                indexes=frozenset({constraint.name} if constraint.name else ()),
            )
        case o.AddCheck(table=name, check=check):
            return OwnedTable(name, item.doctype, "adopted", constraints=frozenset(constraint_identities(check)))
        case o.AddForeignKey(table=name, foreign_key=key):
            return OwnedTable(name, item.doctype, "adopted", constraints=frozenset(constraint_identities(key)))
        case _:
            return None
