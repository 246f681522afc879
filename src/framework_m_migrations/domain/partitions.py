"""An index on a partitioned table without blocking writers, as operations that can be interrupted anywhere.

The parent gets an index of its own that is invalid until each partition has one that is attached to it (CREATE INDEX,
"Notes" of PostgreSQL's manual). What is there already is kept, so that the operations left after an interruption are
those that are missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.schema import Index, Partition, Table, TableName


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
