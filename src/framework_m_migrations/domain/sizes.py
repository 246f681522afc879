"""How large tables are, as far as a database can tell without reading them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.plan import Step
from framework_m_migrations.domain.schema import TableName


class Size(NamedTuple):
    """An estimate. ``rows`` is None where nobody has counted, ``bytes`` (with indexes) where they are not told.

    Those of a partitioned table are all of its partitions'.
    """

    rows: int | None
    bytes: int | None


def worked_on(steps: Iterable[Step]) -> tuple[TableName, ...]:
    """The tables that exist before a plan and that its steps work on, in order; of partitions their parents alone."""
    found: dict[TableName, None] = {}
    made: set[TableName] = set()
    for step in steps:
        for operation in step.operations:
            match operation:
                case o.CreateEnum() | o.CreateObject() | o.AddEnumValue() | o.AttachIndex() | o.CreateIndex(part=True):
                    continue
                case o.CreateTable(table=table, foreign_keys=keys):
                    made.add(table)
                    found.update(dict.fromkeys(key.target for key in keys))
                case o.AddForeignKey(table=table, foreign_key=key):
                    found.update(dict.fromkeys((table, key.target)))
                case _:
                    found[operation.table] = None
    return tuple(name for name in found if name not in made)
