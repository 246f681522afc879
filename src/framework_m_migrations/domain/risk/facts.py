"""What the risk of a change is judged by beside the change itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.plan import Step
from framework_m_migrations.domain.renames import occurs
from framework_m_migrations.domain.schema import Check, Column, ForeignKey, TableName


class TypeChange(StrEnum):
    """What a change of type does to the rows."""

    EQUAL = "equal"
    """No difference but of spelling."""
    WIDENING = "widening"
    """Every value fits, no row is rewritten, no index rebuilt."""
    REWRITE = "rewrite"
    """Every value fits, but the table or an index is rewritten."""
    NARROWING = "narrowing"
    """Values may not fit, or lose digits."""
    INCOMPATIBLE = "incompatible"
    """Values have no obvious counterpart in the new type."""


# How large tables are, as far as a database can tell without reading them.


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


# Questions about rows, asked of the database only where the answer decides a risk.


class FactKind(StrEnum):
    """What can be asked."""

    HAS_ROWS = "has_rows"
    """1 when the table holds a row, else 0."""
    NULLS = "nulls"
    """1 when a row has NULL in the column, else 0."""
    DUPLICATES = "duplicates"
    """1 when two rows agree in all the columns (NULLs are distinct unless ``nulls_agree``), else 0."""
    LONGEST = "longest"
    """The longest value of the column in characters, 0 when there is none."""
    VIOLATIONS = "violations"
    """1 when a row breaks the check expression in ``detail``, else 0."""
    ORPHANS = "orphans"
    """1 when a row has no partner in the table named by ``target`` over ``target_columns``, else 0."""


class Question(NamedTuple):
    """One question about the rows of a table.

    ``detail`` is the check expression of VIOLATIONS, or the predicate of a partial unique index for DUPLICATES.
    ``assuming`` lists columns that do not exist yet as (name, type, SQL constant): the question is answered as if each
    row had them with that value, i.e. over ``(SELECT t.*, CAST(constant AS type) AS name FROM t)``.
    ``nulls_agree`` is asked for a rule that is NULLS NOT DISTINCT: two rows with NULL agree too.
    """

    kind: FactKind
    table: TableName
    columns: tuple[str, ...] = ()
    detail: str | None = None
    target: TableName | None = None
    target_columns: tuple[str, ...] = ()
    assuming: tuple[tuple[str, str, str], ...] = ()
    nulls_agree: bool = False


Facts = Mapping[Question, int]
"""Answers. A question that could not be answered cheaply is absent, and the careful class stands."""


# What the risk of a change is judged by beside the change itself: answers about rows, and which questions to
# ask.


_NULLS_AGREE = ("nulls_not_distinct", "true")


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What judging may use beside the change itself.

    ``facts`` are answers about rows; ``types`` the class of each change of type; ``new_columns`` the columns that the
    same plan adds to a table, so that a constraint over them is judged as if they were there.
    ``add_volatile_default``, ``staged_defaults`` and ``distinct_defaults``: of Capabilities. ``keyed`` are tables whose
    rows can be gone through in batches, ``partitioned`` those that have partitions. ``online``: the forms that hold
    nobody up are used. ``unvalidated_parts``: a foreign key of a partitioned table can be validated later.
    ``drop_unique``: of Capabilities. ``fixed`` are columns that cannot be dropped in place, with what stands on each.
    """

    facts: Facts = field(default_factory=dict)
    types: Mapping[tuple[TableName, str], TypeChange] = field(default_factory=dict)
    new_columns: Mapping[TableName, tuple[Column, ...]] = field(default_factory=dict)
    add_volatile_default: bool = True
    staged_defaults: bool = False
    distinct_defaults: frozenset[str] = frozenset()
    keyed: frozenset[TableName] = frozenset()
    partitioned: frozenset[TableName] = frozenset()
    unvalidated_parts: bool = True
    online: bool = True
    drop_unique: bool = True
    fixed: Mapping[tuple[TableName, str], str] = field(default_factory=dict)

    def empty(self, table: TableName) -> bool:
        """True only when the table is known to hold no row."""
        return self.facts.get(Question(FactKind.HAS_ROWS, table)) == 0

    def clear(self, question: Question | None) -> bool | None:
        """True when the answer is no, False when it is yes, None when it is not known."""
        answer = None if question is None else self.facts.get(question)
        return None if answer is None else answer == 0


def assumed(added: tuple[Column, ...], columns: tuple[str, ...], text: str = "") -> tuple[tuple[str, str, str], ...]:
    """Columns to be added that a question is about, with the value that existing rows will have.

    Args:
        added: the columns that the plan adds to the table.
        columns: names that the question names.
        text: an expression; every added column whose name occurs in it counts.
    """
    return tuple(
        (column.name, column.type.spelling, column.default or (None if column.nullable else column.fill) or "NULL")
        for column in added
        if column.name in columns or occurs(column.name, text)
    )


def row_question(change: c.Change, new_columns: Mapping[TableName, tuple[Column, ...]]) -> Question | None:
    """The question beside HAS_ROWS whose answer decides the class of a change, None where there is none."""
    if drawn_columns(change, new_columns):
        return None  # What each row will hold is not known before it does.
    match change:
        case c.UniqueAdded(table=table, unique=unique) if change.via_index is None:
            assuming = assumed(new_columns.get(table, ()), unique.columns)
            agree = _NULLS_AGREE in unique.options
            return Question(FactKind.DUPLICATES, table, unique.columns, assuming=assuming, nulls_agree=agree)
        case c.IndexAdded(table=table, index=index) | c.IndexInvalid(table=table, index=index) if index.unique:
            columns = tuple(key.column for key in index.keys if key.column is not None)
            if len(columns) != len(index.keys):
                return None
            assuming = assumed(new_columns.get(table, ()), columns, index.where or "")
            agree = _NULLS_AGREE in index.options
            return Question(FactKind.DUPLICATES, table, columns, index.where, assuming=assuming, nulls_agree=agree)
        case c.CheckAdded(check=Check(exclusion=True) | Check(valid=False)):
            return None
        case c.CheckAdded(table=table, check=check):
            assuming = assumed(new_columns.get(table, ()), (), check.expression)
            return Question(FactKind.VIOLATIONS, table, detail=check.expression, assuming=assuming)
        case c.ForeignKeyAdded(table=table, foreign_key=key) if key.valid:
            assuming = assumed(new_columns.get(table, ()), key.columns)
            return Question(
                FactKind.ORPHANS, table, key.columns, None, key.target, key.target_columns, assuming=assuming
            )
        case c.ConstraintNotValidated(table=table, constraint=Check() as check):
            return row_question(c.CheckAdded(table, replace(check, valid=True)), new_columns)
        case c.ConstraintNotValidated(table=table, constraint=ForeignKey() as key):
            return row_question(c.ForeignKeyAdded(table, replace(key, valid=True)), new_columns)
        case _:
            return None


def drawn_columns(change: c.Change, new_columns: Mapping[TableName, tuple[Column, ...]]) -> tuple[Column, ...]:
    """The columns that a new constraint stands on and whose values the same plan draws or computes, row by row."""
    match change:
        case c.UniqueAdded(unique=unique):
            names, text = unique.columns, ""
        case c.IndexAdded(index=index) | c.IndexInvalid(index=index) if index.unique:
            names = tuple(key.column for key in index.keys if key.column is not None)
            text = " ".join((index.where or "", *(key.expression or "" for key in index.keys)))
        case c.CheckAdded(check=check):
            names, text = (), check.expression
        case c.ForeignKeyAdded(foreign_key=key):
            names, text = key.columns, ""
        case _:
            return ()
    added = new_columns.get(change.table, ())
    return tuple(one for one in added if _is_drawn(one) and (one.name in names or occurs(one.name, text)))


def _is_drawn(column: Column) -> bool:
    return column.volatile_default or column.generated is not None


def needs_rows(change: c.Change) -> bool:
    """True when it matters for the class of a change whether its table holds rows."""
    match change:
        case c.ColumnAdded(column=column):
            costly = column.volatile_default or column.generated is not None
            return costly or (not column.nullable and column.default is None and column.fill is None)
        case c.ColumnNullabilityChanged(column=column):
            return not column.nullable
        case c.IndexAdded(index=index) | c.IndexInvalid(index=index):
            return index.unique
        case c.ColumnTypeChanged() | c.UniqueAdded() | c.CheckAdded() | c.ForeignKeyAdded():
            return True
        case _:
            return False
