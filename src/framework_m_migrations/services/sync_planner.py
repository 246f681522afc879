"""SyncPlanner: from the wanted schema, the catalog and the ledger to a plan.

Reads only. The cheap question (did anything change at all?) comes first and costs two statements; a DocType that
changed costs the reading of its own tables; only a new ledger, a foreign change or ``force`` costs a full comparison.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.defined import with_views
from framework_m_migrations.domain.describe import surplus
from framework_m_migrations.domain.diff import Item, diff_doctype
from framework_m_migrations.domain.errors import NoTables
from framework_m_migrations.domain.filling import Fill, pending
from framework_m_migrations.domain.ownership import CATALOG_TOKEN, LedgerForm, LedgerSnapshot, Ownership, carried
from framework_m_migrations.domain.plan import Judgement, Note, Plan, PlannedChange, Risk
from framework_m_migrations.domain.renames import Rename, leaving, through_renames, with_renames
from framework_m_migrations.domain.risk.rules import CONTRACT, DROP, MANUAL
from framework_m_migrations.domain.schema import (
    Catalog,
    Column,
    DocTypeSchema,
    ForeignKey,
    SchemaObject,
    Table,
    TableName,
)
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.assessor import Assessor
from framework_m_migrations.services.drops import table_drops
from framework_m_migrations.services.hash_cache import GHOSTS, CacheVerdict, HashCache
from framework_m_migrations.services.plan_builder import Comparison, PlanBuilder, is_elsewhere
from framework_m_migrations.services.version_resolver import resolver

type Fills = Mapping[tuple[TableName, str], Fill]

SPELLING_SENSITIVE = (
    c.ColumnTypeChanged,
    c.ColumnDefaultChanged,
    c.ColumnGenerationChanged,
    c.IndexChanged,
    c.CheckChanged,
    c.CheckAdded,
    c.TableOptionsChanged,
)
"""Differences that may be differences of spelling only, so that the database is asked before they are believed."""


@dataclass(frozen=True, slots=True)
class SyncPlanner:
    """Makes plans over one session.

    Args:
        session: the ports to read through.
        online: use non-blocking DDL on tables with rows, where the database has it.
        renames: counted as declared, beside those that the models declare.
    """

    session: Session
    online: bool = True
    renames: tuple[Rename, ...] = ()

    def plan(self, *, force: bool = False) -> Plan:
        """What sync would do now.

        Args:
            force: compare every DocType with the catalog, whatever the ledger says.

        Returns:
            The plan; an empty one with ``touches_database`` False when the ledger and the catalog token say that
            nothing changed.

        Raises:
            InvalidMetadata, AppBroken: the wanted schema cannot be told.
            NoTables: nothing is wanted, where something has to be.
            LedgerCorrupt: the ledger cannot be read.
        """
        for name in self.session.source.absent():
            raise NoTables(f"The MetaData {name} has no table.", details={"metadata": name})
        wanted = self.session.source.checksums()
        with self.session.reading():
            snapshot = self.session.ledger.snapshot(token=True)
            token = self.session.inspector.catalog_token() if snapshot.token is None else snapshot.token
            verdict = HashCache().judge(wanted, snapshot, token, force=force)
            if verdict.hit:
                return Plan(token=token)
            plan = self._compare(verdict, wanted, snapshot, token)
        plan = self._with_contracts(plan)
        ghosts_known = GHOSTS in snapshot.state
        return replace(plan, refresh=snapshot.state.get(CATALOG_TOKEN) != token or ghosts_known != bool(plan.withheld))

    def _compare(
        self, verdict: CacheVerdict, checksums: Mapping[str, str], snapshot: LedgerSnapshot, token: str | None
    ) -> Plan:
        doctypes = self._load(None if verdict.full else verdict.changed)
        catalog = self.session.inspector.read(None if verdict.full else tuple(_tables_of(doctypes)))
        ownership = self.session.ledger.objects() if snapshot.form is LedgerForm.CURRENT else {}
        fills = pending(snapshot.state)
        drift: dict[TableName, list[Item]] = {}
        found = self._differences(doctypes, catalog, ownership, drift)
        found = self._objects(doctypes, found)
        found = _without_inherited(_with_unfilled(found, doctypes, catalog, fills), doctypes)
        ghosts = self._ghosts(doctypes, catalog, ownership, checksums)
        catalog = self._with_targets(catalog, found)
        changes = Assessor(self.session, catalog, self.online).assess(doctypes, found, ghosts)
        builder = PlanBuilder(self.session.capabilities, self.session.executor.lock_levels, online=self.online)
        compared = Comparison(
            doctypes,
            catalog,
            ownership,
            checksums,
            snapshot.checksums,
            verdict.removed,
            full=verdict.full,
            token=token,
            apps=self.session.source.apps(),
            voids=_voids(fills, doctypes, catalog),
        )
        made = builder.build(compared, changes)
        objects = [item for doctype in doctypes for item in doctype.objects]
        return replace(made, notes=self._notes(doctypes, catalog, drift, objects)) if verdict.full else made

    def _notes(
        self,
        doctypes: Sequence[DocTypeSchema],
        catalog: Catalog,
        drift: Mapping[TableName, Sequence[Item]],
        objects: Sequence[SchemaObject],
    ) -> tuple[Note, ...]:
        """What was added to our tables by hand, and what is declared and not managed."""
        triggers = {(one.on, f"trigger {one.name.name}") for one in objects if one.on is not None}
        tables = [table for doctype in doctypes for table in doctype.tables if table.name in drift]
        held = self.session.inspector.surplus([(one, catalog.tables[one.name]) for one in tables], objects)
        words = {name: [*map(surplus, drift.get(name, ())), *held.get(name, ())] for name in {**drift, **held}}
        words = {name: [one for one in said if (name, one) not in triggers] for name, said in words.items()}
        listed = [Note("listener", what) for what in self.session.source.unmanaged()]
        return (
            *(Note("drift", f"{name}: {what} is in no model") for name, several in words.items() for what in several),
            *listed,
        )

    def _with_contracts(self, plan: Plan) -> Plan:
        """The plan, with removals that a contract revision is due to make left to that revision.

        Between the two halves of an online change old code still uses what the second half drops.
        """
        offered = {
            found: planned
            for planned in plan.changes
            if planned.judgement.handled_by == DROP and (found := c.removal(planned.change)) is not None
        }
        if not offered:
            return plan
        versions = resolver(self.session)
        due = {removal: name for name in versions.contract_due() for removal in versions.graph.by_id[name].drops}
        left = {id(offered[removal]): name for removal, name in due.items() if removal in offered}
        return replace(
            plan,
            changes=tuple(
                replace(one, judgement=_contract_due(left[id(one)]), operations=()) if id(one) in left else one
                for one in plan.changes
            ),
        )

    def _load(self, names: Collection[str] | None = None) -> Sequence[DocTypeSchema]:
        return with_renames(self.session.source.load(names), self.renames)

    def _with_targets(self, catalog: Catalog, found: Mapping[str, Sequence[c.Change]]) -> Catalog:
        """The catalog, with the tables that new foreign keys point at.

        They need a unique key there; on a server that locks tables their partitions, if any, are locked too.
        """
        targets = {key.target for changes in found.values() for change in changes for key in _new_keys(change)}
        unread = targets & catalog.names - catalog.tables.keys()
        if not unread:
            return catalog
        return replace(catalog, tables={**catalog.tables, **self.session.inspector.read(tuple(unread)).tables})

    def _differences(
        self,
        doctypes: Sequence[DocTypeSchema],
        catalog: Catalog,
        ownership: Ownership,
        drift: dict[TableName, list[Item]],
    ) -> dict[str, list[c.Change]]:
        """Differences by DocType, those of mere spelling taken out by asking the database; ``drift`` gets the rest."""
        capabilities = self.session.capabilities
        read, catalog = catalog, through_renames(doctypes, catalog, capabilities.spell)
        ownership = carried(ownership, read, catalog)
        found = {one.name: diff_doctype(one, catalog, ownership, capabilities, drift) for one in doctypes}
        suspects = {
            change.table for changes in found.values() for change in changes if isinstance(change, SPELLING_SENSITIVE)
        }
        if not suspects:
            return found
        pairs = [
            (table, read.tables[table.name])
            for doctype in doctypes
            for table in doctype.tables
            if table.name in suspects and table.name in catalog.tables
        ]
        respelt = {table.name: table for table in self.session.inspector.normalise(pairs)}
        for doctype in doctypes:
            if any(table.name in respelt for table in doctype.tables):
                again = _with(doctype, respelt)
                found[doctype.name] = diff_doctype(again, catalog, ownership, capabilities, drift)
        return found

    def _objects(
        self, doctypes: Sequence[DocTypeSchema], found: dict[str, list[c.Change]]
    ) -> dict[str, list[c.Change]]:
        """The differences, those of sequences, domains and schemas first."""
        retyped = any(isinstance(one, c.ColumnTypeChanged) for changes in found.values() for one in changes)
        held = retyped and self.session.capabilities.views_hold_types
        views = [item for doctype in self._load() for item in doctype.objects if item.is_view] if held else []
        wanted = list(dict.fromkeys((*(item for doctype in doctypes for item in doctype.objects), *views)))
        if not wanted:
            return found
        known = dict(zip(wanted, self.session.inspector.objects(wanted), strict=True))
        found = with_views(found, [actual for item in views if (actual := known[item][1]) is not None])
        return {
            doctype.name: [*object_changes(doctype, [known[item] for item in doctype.objects]), *found[doctype.name]]
            for doctype in doctypes
        }

    def _ghosts(
        self,
        doctypes: Sequence[DocTypeSchema],
        catalog: Catalog,
        ownership: Ownership,
        checksums: Mapping[str, str],
    ) -> list[PlannedChange]:
        """Tables of ours that no DocType wants any more and that still stand."""
        wanted_tables = {table.name for doctype in doctypes for table in doctype.tables}
        # The former name of a table that waits for its rename is wanted as well. Where the new name stands too, nothing
        # is left to be renamed, and the old table must not be passed over in silence.
        former = _former_names(doctypes)
        waiting = leaving(doctypes, catalog)
        wanted_tables |= {old for old, name in former.items() if name not in catalog.names or name in waiting}
        compared = {doctype.name for doctype in doctypes}
        apps = self.session.source.apps()
        unwanted = [
            owned
            for owned in ownership.values()
            if owned.table not in wanted_tables
            and not is_elsewhere(owned, apps)
            # A DocType that did not change still wants its tables.
            and (owned.doctype not in checksums or owned.doctype in compared)
        ]
        # The catalog names what is in the schemas of wanted tables: a ghost may be the last of ours in its own.
        beyond = [one.table for one in unwanted if one.table.schema is not None and one.table not in catalog.names]
        standing = catalog.names.union(self.session.inspector.read(beyond).tables if beyond else ())
        ghosts = [owned for owned in unwanted if owned.table in standing]
        if not ghosts:
            return []
        names = [owned.table for owned in ghosts]
        read = catalog.tables if set(names) <= catalog.tables.keys() else self.session.inspector.read(names).tables
        # By its declaration a DocType says that its rows were here: such a table is never offered to be dropped.
        declared = self._load()
        enums = {enum.name for doctype in declared for enum in doctype.enums}
        drops = table_drops([read[name] for name in names if name in read], self.session.capabilities, enums)
        owners = {owned.table: owned.doctype for owned in ghosts}
        assessor = Assessor(self.session, catalog)
        found = [
            replace(assessor.plain(owners[name], None, c.TableRemoved(name, owned=True)), operations=operations)
            for name, operations in drops.items()
        ]
        former = _former_names(declared)
        return [
            replace(one, judgement=_overtaken(former[one.change.table])) if one.change.table in former else one
            for one in found
        ]


def _contract_due(revision: str) -> Judgement:
    what = f"Old code may use it; the contract revision {revision} drops it."
    return Judgement(Risk.WARNING, "contract-due", what, CONTRACT)


def object_changes(
    doctype: DocTypeSchema, pairs: Iterable[tuple[SchemaObject, SchemaObject | None]]
) -> Iterator[c.Change]:
    """What a DocType changes of objects beside tables, given each with what the inspector found of it."""
    for wanted, actual in pairs:
        table = wanted.on or (doctype.tables[0].name if doctype.tables else wanted.name)
        if actual is None:
            yield c.ObjectAdded(table, wanted)
        elif actual.options != wanted.options:
            yield c.ObjectChanged(table, actual, wanted)


def _new_keys(change: c.Change) -> tuple[ForeignKey, ...]:
    match change:
        case c.TableAdded(definition=table):
            return table.foreign_keys
        case c.ForeignKeyAdded(foreign_key=key):
            return (key,)
        case _:
            return ()


def _with_unfilled(
    found: dict[str, list[c.Change]], doctypes: Sequence[DocTypeSchema], catalog: Catalog, fills: Fills
) -> dict[str, list[c.Change]]:
    """The differences, with those columns that an interrupted sync added and whose rows still wait for values.

    Their NOT NULL is not a change of its own: it comes with the values.
    """
    for doctype in doctypes if fills else ():
        for table in doctype.tables:
            for column in table.columns:
                fill = fills.get((table.name, column.name))
                before = _actual(catalog, table.name, column.name)
                if fill is None or before is None or _is_settled(fill, before, column):
                    continue
                not_null = c.ColumnNullabilityChanged(table.name, before, column)
                rest = [change for change in found[doctype.name] if column.nullable or change != not_null]
                found[doctype.name] = [*rest, c.ColumnUnfilled(table.name, before, column, fill.written)]
    return found


def _without_inherited(
    found: dict[str, list[c.Change]], doctypes: Sequence[DocTypeSchema]
) -> dict[str, list[c.Change]]:
    """The differences, without what a table has from a parent: new columns, and defaults that no model names."""
    tables = {table.name: table for doctype in doctypes for table in doctype.tables}
    if not any(table.parents for table in tables.values()):
        return found
    changes = [one for several in found.values() for one in several]
    new = {(one.table, one.column.name) for one in changes if isinstance(one, c.ColumnAdded)}

    def inherited(change: c.Change) -> bool:
        parents = tables[change.table].parents if change.table in tables else ()
        match change:
            case c.ColumnAdded(column=column):
                return any((parent, column.name) in new for parent in parents)
            case c.ColumnDefaultChanged(column=column) if column.default is None:
                above = [tables[parent].column(column.name) for parent in parents if parent in tables]
                return any(one is not None and (one.default or one.generated) for one in above)
        return False

    return {name: [one for one in several if not inherited(one)] for name, several in found.items()}


def _is_settled(fill: Fill, before: Column, wanted: Column) -> bool:
    """Nothing is left to be done: there is no default to fill with, or no row that waits for it."""
    return wanted.default is None or (wanted.nullable and (fill.written or not before.nullable))


def _actual(catalog: Catalog, table: TableName, column: str) -> Column | None:
    return catalog.tables[table].column(column) if table in catalog.tables else None


def _voids(fills: Fills, doctypes: Sequence[DocTypeSchema], catalog: Catalog) -> tuple[str, ...]:
    """Notes about columns that are gone, or that need no values any more."""
    wanted = {(table.name, column.name): column for one in doctypes for table in one.tables for column in table.columns}
    gone: list[str] = []
    for (table, name), fill in fills.items():
        column = wanted.get((table, name))
        read = table in catalog.tables or table not in catalog.names
        before = _actual(catalog, table, name)
        if (read and before is None) or (before and column and _is_settled(fill, before, column)):
            gone.append(fill.key)
    return tuple(gone)


def _tables_of(doctypes: Iterable[DocTypeSchema]) -> Iterable[TableName]:
    for doctype in doctypes:
        for table in doctype.tables:
            yield table.name
            former = _former(table)
            if former is not None:
                yield former


def _former_names(doctypes: Iterable[DocTypeSchema]) -> dict[TableName, TableName]:
    return {old: table.name for doctype in doctypes for table in doctype.tables if (old := _former(table)) is not None}


def _overtaken(name: TableName) -> Judgement:
    what = f"It is declared as the former name of {name}, and both exist: move its rows, or leave the declaration out."
    return Judgement(Risk.BREAKING, "table-removed", what, MANUAL)


def _former(table: Table) -> TableName | None:
    return None if table.renamed_from is None else TableName(table.renamed_from, table.name.schema)


def _with(doctype: DocTypeSchema, respelt: dict[TableName, Table]) -> DocTypeSchema:
    tables = tuple(respelt.get(table.name, table) for table in doctype.tables)
    return replace(doctype, tables=tables)
