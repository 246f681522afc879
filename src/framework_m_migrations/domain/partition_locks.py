"""The locks that an operation on a partitioned table takes on its partitions."""

from __future__ import annotations

from collections.abc import Mapping

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.plan import LockLevel
from framework_m_migrations.domain.schema import Table, TableName

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
