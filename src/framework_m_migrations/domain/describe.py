"""Changes and steps in words and plain values, the same for the terminal, JSON and errors."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, assert_never

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.schema import Check, Column, ForeignKey, Index, Table, Unique

if TYPE_CHECKING:
    from framework_m_migrations.domain.plan import PlannedChange, Step

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


def sentence(change: c.Change) -> str:
    """What a change is, in a few words, without the table's name."""
    match change:
        case c.EnumAdded(enum=enum):
            return f"new enumeration {enum.name} ({', '.join(enum.values)})"
        case c.EnumValueAdded(enum=name, value=value):
            return f"new label {value!r} of enumeration {name}"
        case c.EnumValuesIncompatible(before=before, after=after):
            return f"labels of {after.name}: ({', '.join(before.values)}) to ({', '.join(after.values)})"
        case c.ObjectAdded() | c.ObjectChanged():
            return _object(change)
        case c.TableAdded(definition=table):
            return f"new table, {_many(table.columns, 'column', 'columns')}, {_many(table.indexes, 'index', 'indexes')}"
        case c.TableRemoved():
            return "table without a model"
        case c.TableRenamed(before=former):
            return f"table renamed from {former}"
        case c.PrimaryKeyChanged(before=old_key, primary_key=new_key):
            old, new = (", ".join(key.columns) if key else "none" for key in (old_key, new_key))
            if old == new:
                return f"primary key ({old}) has other options"
            return f"primary key ({old}) to ({new})"
        case c.TableOptionsChanged(before=had, options=options):
            return f"options of the table: {_options(had)} to {_options(options)}"
        case c.CommentChanged(constraint=str(constraint)):
            return f"comment of constraint {constraint}"
        case c.CommentChanged(column=column):
            return f"comment of {column}" if column else "comment of the table"
        case (
            c.ColumnAdded()
            | c.ColumnUnfilled()
            | c.ColumnRemoved()
            | c.ColumnRenamed()
            | c.ColumnTypeChanged()
            | c.ColumnNullabilityChanged()
            | c.ColumnDefaultChanged()
            | c.ColumnGenerationChanged()
        ):
            return _column(change)
        case _:
            return _constraint(change)


def _object(change: c.ObjectAdded | c.ObjectChanged) -> str:
    wanted = change.object
    called = wanted.kind if wanted.kind == str(wanted.name) else f"{wanted.kind} {wanted.name}"
    if isinstance(change, c.ObjectAdded):
        return f"new {called}"
    if wanted.definition is not None:
        return f"{called} has another definition"
    names = sorted({name for name, _ in set(change.before.options) ^ set(wanted.options)})
    return f"{called} has other options ({', '.join(names)})"


def _options(options: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} = {value}" for name, value in options) or "none"


def _many(items: Sequence[object], one: str, several: str) -> str:
    return f"{len(items)} {one if len(items) == 1 else several}"


def _column(
    change: c.ColumnAdded
    | c.ColumnUnfilled
    | c.ColumnRemoved
    | c.ColumnRenamed
    | c.ColumnTypeChanged
    | c.ColumnNullabilityChanged
    | c.ColumnDefaultChanged
    | c.ColumnGenerationChanged,
) -> str:
    name = change.column.name
    match change:
        case c.ColumnAdded(column=column):
            return f"new column {definition(column)}"
        case c.ColumnUnfilled(written=written):
            return f"column {name} {'may still hold' if written else 'waits for values in rows with'} NULL"
        case c.ColumnRemoved(superseded_by=str(successor)):
            return f"column {name}, whose place {successor} has taken"
        case c.ColumnRemoved():
            return f"column {name} without a field"
        case c.ColumnRenamed(before=before):
            return f"column {before.name} renamed to {name}"
        case c.ColumnTypeChanged(before=before, column=column):
            return f"type of {name}: {before.type} to {column.type}"
        case c.ColumnNullabilityChanged(column=column):
            return f"{name} {'allows' if column.nullable else 'forbids'} NULL"
        case c.ColumnDefaultChanged(before=before, column=column):
            return f"default of {name}: {before.default or 'none'} to {column.default or 'none'}"
        case c.ColumnGenerationChanged():
            return f"generation of {name}"


def _constraint(
    change: c.IndexAdded
    | c.IndexInvalid
    | c.IndexChanged
    | c.IndexRemoved
    | c.UniqueAdded
    | c.UniqueChanged
    | c.UniqueRemoved
    | c.CheckAdded
    | c.CheckChanged
    | c.CheckRemoved
    | c.ForeignKeyAdded
    | c.ForeignKeyChanged
    | c.ForeignKeyRemoved
    | c.ConstraintNotValidated,
) -> str:
    match change:
        case c.IndexAdded(index=index):
            keys = ", ".join(str(key) for key in index.keys)
            return f"new {'unique ' if index.unique else ''}index {index.name} ({keys})"
        case c.IndexInvalid(index=index):
            return f"invalid index {index.name}"
        case c.IndexChanged(index=index):
            return f"index {index.name} has another definition"
        case c.IndexRemoved(index=index):
            return f"index {index.name} is no longer wanted"
        case c.UniqueAdded(unique=unique):
            return f"new unique constraint ({', '.join(unique.columns)})"
        case c.UniqueChanged(unique=unique):
            return f"unique constraint {unique.name} has another definition"
        case c.UniqueRemoved(unique=unique):
            return f"unique constraint ({', '.join(unique.columns)}) is no longer wanted"
        case c.CheckAdded(check=check):
            return f"new {_rule(check)} {check.name or ''} ({check.expression})"
        case c.CheckChanged(check=check):
            return f"{_rule(check)} {check.name} has another definition"
        case c.CheckRemoved(check=check):
            return f"{_rule(check)} {check.name or check.expression} is no longer wanted"
        case c.ForeignKeyAdded(foreign_key=key):
            return f"new foreign key {reference(key)}"
        case c.ForeignKeyChanged(before=before, foreign_key=key):
            return f"foreign key {reference(before)} to {reference(key)}"
        case c.ForeignKeyRemoved(foreign_key=key):
            return f"foreign key {reference(key)} is no longer wanted"
        case c.ConstraintNotValidated(constraint=constraint):
            return f"constraint {constraint.name} is not validated"
        case _ as unreachable:
            assert_never(unreachable)


def _rule(check: Check) -> str:
    return "exclusion constraint" if check.exclusion else "check"


def surplus(item: Index | Unique | Check | ForeignKey) -> str:
    """An index or constraint that no model declares, as a person would write it."""
    match item:
        case Index():
            keys = ", ".join(str(key) for key in item.keys)
            return f"{'unique ' if item.unique else ''}index {item.name} ({keys})"
        case Unique():
            return " ".join(filter(None, ("unique constraint", item.name, f"({', '.join(item.columns)})")))
        case Check():
            return " ".join(filter(None, (_rule(item), item.name, f"({item.expression})")))
        case ForeignKey():
            return " ".join(filter(None, ("foreign key", item.name, reference(item))))


def surplus_options(wanted: Table, actual: Table, usual: Collection[tuple[str, str]] = ()) -> Iterator[str]:
    """The options of a table that no model names, without the ``usual`` ones, as a person would write them."""
    named = dict(wanted.options)
    for name, value in actual.options:
        if name not in named and (name, value) not in usual:
            yield f"option {name.removeprefix('with.')}{'' if value == 'true' else f' = {value}'}"
    declared = {index.name: {name for name, _ in index.options} for index in wanted.indexes}
    for index in actual.indexes:
        for pair in index.options:
            # Where it lies is the one option of an index that is not compared unless a model names it.
            if pair[0] == "tablespace" and pair not in usual and "tablespace" not in declared.get(index.name, pair):
                yield f"option tablespace of index {index.name} = {pair[1]}"


def definition(column: Column) -> str:
    """A column as a person would write it."""
    words = [column.name, str(column.type)]
    if not column.nullable:
        words.append("NOT NULL")
    if column.default is not None:
        words.append(f"DEFAULT {column.default}")
    if column.generated is not None:
        words.append(f"({column.generated.kind})")
    return " ".join(words)


def reference(key: ForeignKey) -> str:
    """A foreign key as a person would write it."""
    actions = "".join(
        f" ON {event} {action}"
        for event, action in (("DELETE", key.on_delete), ("UPDATE", key.on_update))
        if action is not None
    )
    return f"({', '.join(key.columns)}) -> {key.target} ({', '.join(key.target_columns)}){actions}"


def step_label(step: Step) -> str:
    """What a step does, in a few words."""
    labels = [operation_label(operation) for operation in step.operations[:3]]
    more = len(step.operations) - len(labels)
    return ", ".join(labels) + (f" and {more} more" if more > 0 else "")


def operation_label(operation: o.AdditiveOperation) -> str:
    """An operation in words: ``create index ix_item_code on item``."""
    words = _WORD.sub(" ", type(operation).__name__).lower()
    if isinstance(operation, o.CreateEnum):
        return f"{words} {operation.enum.name}"
    if isinstance(operation, o.AddEnumValue):
        return f"{words} {operation.value} to {operation.enum}"
    if isinstance(operation, o.CreateTable):
        return f"{words} {operation.table}"
    for part in ("index", "unique", "check", "foreign_key", "constraint", "column"):
        found: Any = getattr(operation, part, None)
        name = found if isinstance(found, str) else getattr(found, "name", None)
        if isinstance(name, str):
            return f"{words} {operation.table}.{name}" if part == "column" else f"{words} {name} on {operation.table}"
    return f"{words} {'of' if words.startswith('set') else 'on'} {operation.table}"


def describe_change(planned: PlannedChange) -> dict[str, Any]:
    """A planned change as plain values."""
    change, judgement = planned.change, planned.judgement
    return {
        "doctype": planned.doctype,
        "app": planned.app,
        "table": str(change.table),
        "kind": type(change).__name__,
        "what": sentence(change),
        "risk": judgement.risk.label,
        "rule": judgement.rule,
        "reason": judgement.reason,
        "handled_by": judgement.handled_by,
        "withheld": planned.withheld,
    }


def describe_step(step: Step) -> dict[str, Any]:
    """A step as plain values."""
    return {
        "transactional": step.transactional,
        "operations": [type(operation).__name__ for operation in step.operations],
        "locks": [{"table": str(lock.table), "level": lock.level.value} for lock in step.locks],
        "rewrites": step.rewrites,
        "scans": step.scans,
        "batch": step.batch,
        "hazards": list(step.hazards),
        "completes": [name for name, _ in step.completes],
    }
