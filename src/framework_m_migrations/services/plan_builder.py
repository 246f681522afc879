"""Puts a plan together: operations for each change, steps, and what the ledger learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.filling import key_of
from framework_m_migrations.domain.lowering import Lowering, creation_order
from framework_m_migrations.domain.ownership import OwnedTable, Ownership, constraint_identities
from framework_m_migrations.domain.plan import Plan, PlannedChange
from framework_m_migrations.domain.risk.rules import Knowledge
from framework_m_migrations.domain.schema import (
    Catalog,
    Check,
    DocTypeSchema,
    ForeignKey,
    Index,
    Table,
    TableName,
    Unique,
)
from framework_m_migrations.domain.steps import Levels, LockLevels, Work, build_steps, with_partitions
from framework_m_migrations.services.assessor import Assessed

type Mark = tuple[str, str | None]
"""The kind of an index or constraint, and its name or shape."""


def is_elsewhere(owned: OwnedTable, apps: frozenset[str]) -> bool:
    """True for a table of an app that this run does not look at: it is no ghost and its checksum stays."""
    return owned.app is not None and owned.app not in apps


VERSION_COLUMN = "version_num"
"""The one column of Alembic's version tables."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared with what.

    Attributes:
        doctypes: the wanted schema, as far as it was loaded.
        catalog: what the database has of it.
        ownership: what is ours.
        checksums: of every DocType declared.
        stored: checksums in the ledger.
        removed: DocTypes of the ledger that are not declared any more.
        full: every DocType was loaded.
        token: the catalog's token before the comparison.
        apps: the apps that the wanted schema speaks for.
        voids: entries of the ledger's state about columns that are gone.
    """

    doctypes: Sequence[DocTypeSchema]
    catalog: Catalog
    ownership: Ownership
    checksums: Mapping[str, str]
    stored: Mapping[str, str]
    removed: frozenset[str]
    full: bool
    token: str | None
    apps: frozenset[str] = frozenset()
    voids: tuple[str, ...] = ()

    @property
    def elsewhere(self) -> set[str]:
        """DocTypes of apps that this run does not look at."""
        return {owned.doctype for owned in self.ownership.values() if is_elsewhere(owned, self.apps)}

    @property
    def wanted(self) -> dict[str, str]:
        """The checksums of the DocTypes compared."""
        return {one.name: self.checksums[one.name] for one in self.doctypes if one.name in self.checksums}

    @property
    def unmanaged(self) -> tuple[TableName, ...]:
        """Tables that are neither wanted nor ours; none are told of unless the comparison is full.

        A version table of Alembic's is none of them, whatever name a project's env.py gave it.
        """
        if not self.full:
            return ()
        wanted = {table.name for doctype in self.doctypes for table in doctype.tables}
        versions = {
            name
            for name, table in self.catalog.tables.items()
            if [column.name for column in table.columns] == [VERSION_COLUMN]
        }
        others = self.catalog.names - self.catalog.excluded
        return tuple(sorted(others - wanted - self.ownership.keys() - versions, key=str))


@dataclass(frozen=True, slots=True)
class PlanBuilder:
    """Builds plans for a database.

    Args:
        capabilities: of the database.
        lock_levels: Executor.lock_levels.
        online: use non-blocking DDL.
    """

    capabilities: Capabilities
    lock_levels: LockLevels
    online: bool = True

    def build(self, compared: Comparison, changes: Assessed) -> Plan:
        """A plan from a comparison, its judged changes and its ghosts, whose operations stand; see Plan."""
        ghosts = changes.ghosts
        planned = self._lower(changes.changes, compared.catalog, changes.knowledge)
        # A table that a DocType no longer has keeps its checksum out of the ledger, so that the next plan tells it too.
        withheld = {p.doctype for p in planned if p.withheld} | {p.doctype for p in ghosts} & compared.wanted.keys()
        work = [
            Work(cast("o.AdditiveOperation", operation), p.doctype, p.app)
            for p in planned
            if not p.withheld
            for operation in p.operations
        ]
        busy = {item.doctype for item in work}
        complete = {name: checksum for name, checksum in compared.wanted.items() if name not in withheld}
        return Plan(
            changes=(*planned, *ghosts),
            steps=build_steps(work, complete, self.capabilities, partial(self._locks, compared.catalog.tables)),
            settled=tuple(
                (name, checksum)
                for name, checksum in complete.items()
                if name not in busy and compared.stored.get(name) != checksum
            ),
            adopts=tuple(_adopted(compared, changes.changes)),
            forgets=tuple(sorted(compared.removed - compared.elsewhere)),
            token=compared.token,
            complete=compared.full,
            unmanaged=compared.unmanaged,
            voids=compared.voids,
            ghosts=tuple(p.change.table for p in ghosts),
            revokes=tuple(sorted(withheld & compared.stored.keys())),
        )

    def _locks(self, tables: Mapping[TableName, Table], operation: o.AdditiveOperation) -> Levels:
        return with_partitions(operation, self.lock_levels(operation), tables)

    def _lower(self, judged: Sequence[PlannedChange], catalog: Catalog, known: Knowledge) -> list[PlannedChange]:
        definitions = [p.change.definition for p in judged if isinstance(p.change, c.TableAdded)]
        order = creation_order(definitions, catalog.names, apart_from_existing=self.capabilities.table_locks)
        inline: dict[TableName, tuple[ForeignKey, ...]] = {}
        position: dict[TableName, int] = {}
        for number, (table, keys) in enumerate(order):
            inline[table.name] = table.foreign_keys if self.capabilities.forward_references else keys
            position[table.name] = number
        result = []
        for planned in judged:
            name = planned.change.table
            there = catalog.tables.get(name)
            rows = there is not None and not known.empty(name)
            # What is withheld is shown as a revision does it: in one transaction, with the values that rows need.
            lowering = Lowering(
                self.capabilities,
                self.online and rows and not planned.withheld,
                inline.get(name, ()),
                key=() if there is None else key_of(there),
                there=there,
                rows=rows,
                revision=planned.withheld,
            )
            result.append(replace(planned, operations=lowering.operations(planned.change)))
        # Stable: only new tables move among themselves, into an order in which each finds what it references.
        new = sorted((p for p in result if isinstance(p.change, c.TableAdded)), key=lambda p: position[p.change.table])
        queue = iter(new)
        return [next(queue) if isinstance(p.change, c.TableAdded) else p for p in result]


def _adopted(compared: Comparison, judged: Sequence[PlannedChange]) -> list[OwnedTable]:
    """What exists as wanted and is not yet known to be ours."""
    adopted = []
    declared: set[tuple[TableName, str | None]] = set()
    for table in (table for doctype in compared.doctypes for table in doctype.tables):
        constraints: tuple[Unique | Check | ForeignKey, ...] = (*table.uniques, *table.checks, *table.foreign_keys)
        declared.update((table.name, item.name) for item in constraints)
    absent = _absent(judged, declared)
    for doctype in compared.doctypes:
        for table in doctype.tables:
            actual = compared.catalog.tables.get(table.name)
            before = compared.ownership.get(table.name)
            if actual is None or (before is not None and _is_known(before, table, doctype)):
                continue
            ours = OwnedTable.of(
                _common(table, actual, absent.get(table.name, frozenset())), doctype.name, "adopted", doctype.app
            )
            merged = ours if before is None else before.merge(ours)
            if merged != before:
                adopted.append(ours)
    return adopted


def _is_known(before: OwnedTable, table: Table, doctype: DocTypeSchema) -> bool:
    """Whether all that is wanted is ours already, so that nothing that exists of it can be new to the ledger."""
    constraints: tuple[Unique | Check | ForeignKey, ...] = (*table.uniques, *table.checks, *table.foreign_keys)
    return (
        before.doctype == doctype.name
        and before.app == (doctype.app if doctype.app is not None else before.app)
        and before.columns.issuperset([column.name for column in table.columns])
        and before.indexes.issuperset([index.name for index in table.indexes])
        and before.constraints.issuperset([name for item in constraints for name in constraint_identities(item)])
    )


def _common(wanted: Table, actual: Table, absent: AbstractSet[Mark]) -> Table:
    """What of the wanted table exists already and is as wanted; columns and indexes go by their names.

    What is absent or differs is not ours by being wanted: a database administrator may yet make it, by this name or
    over these columns, and what the ledger holds for ours may be dropped.
    """
    columns = {column.name for column in actual.columns}
    indexes = {index.name for index in actual.indexes}
    return replace(
        wanted,
        columns=tuple(column for column in wanted.columns if column.name in columns),
        indexes=tuple(one for one in wanted.indexes if one.name in indexes and _mark(one) not in absent),
        uniques=tuple(one for one in wanted.uniques if columns.issuperset(one.columns) and _mark(one) not in absent),
        checks=tuple(one for one in wanted.checks if _mark(one) not in absent),
        foreign_keys=tuple(
            one for one in wanted.foreign_keys if columns.issuperset(one.columns) and _mark(one) not in absent
        ),
    )


def _absent(
    judged: Sequence[PlannedChange], declared: AbstractSet[tuple[TableName, str | None]]
) -> dict[TableName, set[Mark]]:
    """By table, the indexes and constraints that the comparison did not find as they are wanted."""
    found: dict[TableName, set[Mark]] = {}
    for planned in judged:
        item: Index | Unique | Check | ForeignKey
        match planned.change:
            case (
                c.IndexAdded(index=item)
                | c.IndexChanged(index=item)
                | c.UniqueAdded(unique=item)
                | c.UniqueChanged(unique=item)
                | c.CheckAdded(check=item)
                | c.CheckChanged(check=item)
                | c.ForeignKeyAdded(foreign_key=item)
                | c.ForeignKeyChanged(foreign_key=item)
            ):
                table = planned.change.table
                if not isinstance(item, Index) and (table, item.name) not in declared:
                    # The plan gave it the name.
                    item = replace(item, name=None)
                found.setdefault(table, set()).add(_mark(item))
            case _:
                pass
    return found


def _mark(item: Index | Unique | Check | ForeignKey) -> Mark:
    """What an index or constraint of one table is known by among its changes.

    The comparison may have spelled a check as the database does, so that those without a name are taken for one
    another: where one is absent, none of them is adopted.
    """
    if item.name is not None or isinstance(item, Check | Index):
        return type(item).__name__, item.name
    return type(item).__name__, constraint_identities(item)[0]
