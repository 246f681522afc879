"""What cannot be applied because something that it stands on is withheld.

An index over a column that sync does not add would fail, and a foreign key to a table that waits for its rename too.
Such changes are withheld as well, and say what they wait for; the rest of the plan goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.capabilities import Fits, fits_any
from framework_m_migrations.domain.defined import blocked
from framework_m_migrations.domain.plan import Judgement, PlannedChange, Risk
from framework_m_migrations.domain.renames import occurs
from framework_m_migrations.domain.risk.rules import DROP
from framework_m_migrations.domain.schema import Check, ColumnType, ForeignKey, Table, TableName

_WHOLE_NUMBERS = {"smallint", "integer", "int", "bigint"}


@dataclass(slots=True)
class _Standing:
    """What will not be there, or not be as wanted, after the plan."""

    names: frozenset[TableName]
    keys: Mapping[TableName, Sequence[frozenset[str]]]
    types: Mapping[TableName, Mapping[str, ColumnType]]
    fits: Fits
    missing: dict[TableName, set[str]] = field(default_factory=dict)
    retyped: dict[TableName, set[str]] = field(default_factory=dict)
    leaving: dict[TableName, dict[str, str]] = field(default_factory=dict)
    invalid: set[tuple[TableName, str | None]] = field(default_factory=set)

    def first_missing(self, table: TableName, columns: Iterable[str]) -> str | None:
        return next((f"{table}.{name}" for name in columns if name in self.missing.get(table, ())), None)

    def first_unready(self, table: TableName, columns: Sequence[str]) -> str | None:
        retyped = (f"{table}.{name}" for name in columns if name in self.retyped.get(table, ()))
        return self.first_missing(table, columns) or next(retyped, None)

    def mentioned(self, table: TableName, text: str) -> str | None:
        names = (*self.missing.get(table, ()), *self.retyped.get(table, ()))
        return next((f"{table}.{name}" for name in names if occurs(name, text)), None)

    def end_of(self, table: TableName, column: str) -> str | None:
        """The former column that a column is kept equal to until its contract step."""
        former = self.leaving.get(table, {}).get(column)
        return None if former is None else f"the end of {table}.{former}"

    def blocks_key(self, table: TableName, key: ForeignKey) -> Judgement | None:
        blocker = (
            str(key.target)
            if key.target not in self.names
            else self.first_unready(table, key.columns) or self.first_unready(key.target, key.target_columns)
        )
        if blocker is not None:
            return _waits(blocker)
        own, others = self.types.get(table, {}), self.types.get(key.target, {})
        for name, target in zip(key.columns, key.target_columns, strict=True):
            if name in own and target in others and not self.fits(own[name], others[target]):
                what = f"{table}.{name} is {own[name]} and {key.target}.{target} is {others[target]}"
                return Judgement(
                    Risk.WARNING, "target-other-type", f"{what}: a foreign key needs types that fit.", "manual"
                )
        # Of a table that was not read nothing is known.
        if frozenset(key.target_columns) in self.keys.get(key.target, (frozenset(key.target_columns),)):
            return None
        what = f"No primary key or unique constraint of {key.target} is over ({', '.join(key.target_columns)})"
        return Judgement(
            Risk.WARNING, "target-not-unique", f"{what}, which a foreign key needs: declare one.", "manual"
        )


def withhold_dependents(
    planned: Sequence[PlannedChange],
    existing: frozenset[TableName],
    tables: Collection[Table] = (),
    *,
    any_index: bool = False,
    fits: Fits = fits_any,
) -> list[PlannedChange]:
    """The same changes, those withheld too that need what is withheld.

    Args:
        planned: judged changes of one plan.
        existing: tables in the database before it.
        tables: what is known of them: a foreign key on a column stands in the way of another type, whether the key is
            still wanted or not.
        any_index: a foreign key may point to any indexed columns, be they unique or not.
        fits: see Capabilities.key_fits.
    """
    found = _without_types_under_keys(_with_renames(planned), tables)
    while True:
        result = _once_more(found, existing, tables, any_index=any_index, fits=fits)
        if sum(p.withheld for p in result) == sum(p.withheld for p in found):
            return result
        # What waits now is waited for in its turn: an index over a column that is computed of one of another type.
        found = result


def _with_renames(planned: Sequence[PlannedChange]) -> list[PlannedChange]:
    """What a table that gets another name changes beside it waits for the revision that renames it."""
    renames = {p.change.before: p.change.table for p in planned if isinstance(p.change, c.TableRenamed)}
    renames |= {name: name for name in renames.values()}

    def waiting(p: PlannedChange) -> PlannedChange:
        new = renames.get(p.change.table)
        if new is None or isinstance(p.change, c.TableRenamed) or (p.withheld and p.judgement.handled_by != DROP):
            return p
        waits = _waits(f"the rename to {new}")
        return replace(p, judgement=replace(p.judgement, handled_by=waits.handled_by) if p.withheld else waits)

    return [waiting(p) for p in planned]


def _stale_types(planned: Sequence[PlannedChange]) -> dict[str, str]:
    """Names of types that are not as wanted, as columns spell them, with what they are."""
    found: dict[str, str] = {}
    for p in planned:
        match p.change:
            case c.EnumValuesIncompatible(after=enum):
                found |= {str(enum.name): f"the enumeration {enum.name}"}
            case c.ObjectChanged(object=wanted) if wanted.kind == "domain":
                found |= {str(wanted.name): f"the domain {wanted.name}"}
            case _:
                pass
    return found


def _without_stale(p: PlannedChange, stale: Mapping[str, str]) -> PlannedChange:
    """A new table or column of a type that is not as wanted waits for that type."""
    match p.change:
        case c.TableAdded(definition=table):
            columns = table.columns
        case c.ColumnAdded(column=column):
            columns = (column,)
        case _:
            return p
    named = [str(one.type.enum or one.type.spelling).removesuffix("[]") for one in columns]
    held = next((stale[name] for name in named if name in stale), None)
    return p if held is None or p.withheld else replace(p, judgement=_waits(held))


def _keys(
    planned: Sequence[PlannedChange], tables: Iterable[Table], *, any_index: bool
) -> dict[TableName, list[frozenset[str]]]:
    """By table, the columns that are unique together once the plan is done."""
    found: dict[TableName, list[frozenset[str]]] = {}
    new = [p.change.definition for p in planned if isinstance(p.change, c.TableAdded) and not p.withheld]
    for table in (*tables, *new):
        unique = [table.primary_key.columns] if table.primary_key is not None else []
        unique += [item.columns for item in table.uniques]
        unique += [index.plain_columns for index in table.indexes if index.unique and index.plain_columns]
        if any_index:
            several = [index.plain_columns for index in table.indexes if index.plain_columns]
            unique += [columns[:end] for columns in (*several, *unique) for end in range(1, len(columns) + 1)]
        found[table.name] = [frozenset(columns) for columns in unique]
    for p in planned:
        match p.change:
            case c.UniqueAdded(table=name, unique=item) | c.UniqueChanged(table=name, unique=item) if not p.withheld:
                found.setdefault(name, []).append(frozenset(item.columns))
            case c.IndexAdded(table=name, index=index) if index.unique and not p.withheld:
                found.setdefault(name, []).append(frozenset(index.plain_columns or ()))
            case c.ColumnRenamed(table=name, before=before, column=column):
                found[name] = [
                    frozenset(column.name if one == before.name else one for one in columns)
                    for columns in found.get(name, [])
                ]
            case c.TableRenamed(table=name, definition=definition):
                # What it has beside its columns is compared once it has its name.
                found.pop(definition.name, None)
            case _:
                pass
    return found


def _types(planned: Sequence[PlannedChange], tables: Iterable[Table]) -> dict[TableName, dict[str, ColumnType]]:
    """By table, the types of the columns once the plan is done."""
    new = (p.change.definition for p in planned if isinstance(p.change, c.TableAdded) and not p.withheld)
    found = {table.name: {one.name: one.type for one in table.columns} for table in (*tables, *new)}
    for p in planned:
        if isinstance(p.change, c.ColumnAdded | c.ColumnTypeChanged | c.ColumnRenamed) and not p.withheld:
            found.setdefault(p.change.table, {})[p.change.column.name] = p.change.column.type
    return found


def _once_more(
    planned: Sequence[PlannedChange],
    existing: frozenset[TableName],
    tables: Iterable[Table],
    *,
    any_index: bool,
    fits: Fits,
) -> list[PlannedChange]:
    """The same changes, those withheld too that need one of those that are withheld already."""
    made = {p.change.table for p in planned if isinstance(p.change, c.TableAdded) and not p.withheld}
    stale = _stale_types(planned)
    if stale:
        planned = [_without_stale(p, stale) for p in planned]
    standing = _Standing(existing | made, _keys(planned, tables, any_index=any_index), _types(planned, tables), fits)
    for p in planned:
        if not p.withheld:
            continue
        match p.change:
            case c.ColumnAdded(table=table, column=column) | c.ColumnRenamed(table=table, column=column):
                standing.missing.setdefault(table, set()).add(column.name)
            case c.ColumnRemoved(table=table, column=column, superseded_by=str(successor)):
                standing.leaving.setdefault(table, {})[successor] = column.name
            case c.ColumnTypeChanged(table=table, column=column):
                standing.retyped.setdefault(table, set()).add(column.name)
            case c.IndexInvalid(table=table, index=index):
                standing.invalid.add((table, index.name))
            case _:
                pass
    result: list[PlannedChange] = []
    absent = [p.change.table for p in planned if p.withheld and isinstance(p.change, c.TableAdded | c.TableRenamed)]
    needs = {table: (*standing.missing.get(table, ()), *standing.retyped.get(table, ())) for table in standing.missing}
    for p in planned:
        if p.withheld:
            result.append(p)
        elif (needed := blocked(p.change, needs, absent)) is not None:
            result.append(replace(p, judgement=_waits(needed)))
        elif isinstance(p.change, c.TableAdded):
            result.extend(_without_blocked_keys(p, p.change.definition, standing))
        else:
            blocker = _blocker(p.change, standing)
            judgement = _waits(blocker) if isinstance(blocker, str) else blocker
            result.append(p if judgement is None else replace(p, judgement=judgement))
    return result


def _without_types_under_keys(planned: Sequence[PlannedChange], tables: Iterable[Table]) -> list[PlannedChange]:
    """Withhold other types for columns that a foreign key stands on: its two ends must always compare.

    Whole numbers compare whatever their size, and what is merely widened stays what it is.
    """
    ends: dict[tuple[TableName, str], ForeignKey] = {}
    for table in tables:
        for key in table.foreign_keys:
            ends.update({(table.name, name): key for name in key.columns})
            ends.update({(key.target, name): key for name in key.target_columns})
    result: list[PlannedChange] = []
    for p in planned:
        if isinstance(p.change, c.ColumnTypeChanged) and p.judgement.rule == "type-rewritten" and not p.withheld:
            before, after = p.change.before.type, p.change.column.type
            found = ends.get((p.change.table, p.change.column.name))
            if found is not None and not {before.base, after.base} <= _WHOLE_NUMBERS:
                what = f"The foreign key {found.name or found.columns} depends on it, and both its ends must compare."
                p = replace(p, judgement=Judgement(Risk.WARNING, "type-under-key", what, "create"))  # noqa: PLW2901
        result.append(p)
    return result


def _without_blocked_keys(p: PlannedChange, table: Table, standing: _Standing) -> Iterable[PlannedChange]:
    blocked = {key: why for key in table.foreign_keys if (why := standing.blocks_key(table.name, key)) is not None}
    if not blocked:
        yield p
        return
    kept = tuple(key for key in table.foreign_keys if key not in blocked)
    yield replace(p, change=c.TableAdded(table.name, replace(table, foreign_keys=kept)))
    for key, why in blocked.items():
        yield replace(p, change=c.ForeignKeyAdded(table.name, key), judgement=why)


def _blocker(change: c.Change, standing: _Standing) -> str | Judgement | None:
    table = change.table
    match change:
        case c.IndexAdded(index=index):
            text = " ".join((*(key.expression or "" for key in index.keys), index.where or ""))
            columns = (*(key.column for key in index.keys if key.column is not None), *index.include)
            return standing.first_missing(table, columns) or standing.mentioned(table, text)
        case c.UniqueAdded(via_index=via_index) if (table, via_index) in standing.invalid:
            return f"the index {via_index}"
        case c.UniqueAdded(unique=unique):
            return standing.first_missing(table, unique.columns)
        case c.ForeignKeyAdded(foreign_key=key):
            return standing.blocks_key(table, key)
        case c.CheckAdded(check=check):
            return standing.mentioned(table, check.expression)
        case c.ConstraintNotValidated(constraint=constraint) if isinstance(constraint, Check):
            return standing.mentioned(table, constraint.expression)
        case c.ColumnAdded(column=column) if column.generated is not None:
            return standing.mentioned(table, column.generated.expression or "")
        case c.ColumnDefaultChanged(column=column) | c.ColumnNullabilityChanged(column=column):
            if column.name in standing.retyped.get(table, ()):
                return f"{table}.{column.name}"
            # The trigger that keeps both columns equal tells by the defaults which of the two a writer left out.
            return standing.end_of(table, column.name)
        case c.ColumnTypeChanged(column=column):
            # What has room in the new column only could not be kept in the other one.
            return standing.end_of(table, column.name)
        case _:
            return None


def _waits(blocker: str) -> Judgement:
    return Judgement(Risk.WARNING, "waits", f"It waits for {blocker}, which is withheld.", "create")
