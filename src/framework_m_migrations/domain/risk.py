"""The risk of each change, by rule.

The scale and its meaning come from design.md: SAFE is applied by sync, WARNING waits for a reviewed revision,
BREAKING fails verify. Every rule has a stable code (docs/risk.md). What is not known is judged by the careful class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.facts import FactKind, Facts, Question
from framework_m_migrations.domain.plan import Judgement, Risk
from framework_m_migrations.domain.schema import Check, Column, IndexKey, TableName
from framework_m_migrations.domain.type_change import TypeChange

CREATE, DROP, MANUAL, SYNC, CONTRACT = "create", "sync --allow-drop", "manual", "sync", "run --contract"


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What judging may use beside the change itself.

    ``facts`` are answers about rows; ``types`` the class of each change of type; ``new_columns`` the columns that the
    same plan adds to a table, so that a constraint over them is judged as if they were there.
    ``add_volatile_default``, ``staged_defaults`` and ``distinct_defaults``: of Capabilities. ``keyed`` are tables whose
    rows can be gone through in batches. ``online``: the forms that hold nobody up are used.
    """

    facts: Facts = field(default_factory=dict)
    types: Mapping[tuple[TableName, str], TypeChange] = field(default_factory=dict)
    new_columns: Mapping[TableName, tuple[Column, ...]] = field(default_factory=dict)
    add_volatile_default: bool = True
    staged_defaults: bool = False
    distinct_defaults: frozenset[str] = frozenset()
    keyed: frozenset[TableName] = frozenset()
    online: bool = True

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
        if column.name in columns or column.name in text
    )


def row_question(change: c.Change, new_columns: Mapping[TableName, tuple[Column, ...]]) -> Question | None:
    """The question beside HAS_ROWS whose answer decides the class of a change, None where there is none."""
    if _drawn(change, new_columns):
        return None  # What each row will hold is not known before it does.
    match change:
        case c.UniqueAdded(table=table, unique=unique) if change.via_index is None:
            assuming = assumed(new_columns.get(table, ()), unique.columns)
            return Question(FactKind.DUPLICATES, table, unique.columns, assuming=assuming)
        case c.IndexAdded(table=table, index=index) if index.unique:
            columns = tuple(key.column for key in index.keys if key.column is not None)
            if len(columns) != len(index.keys):
                return None
            assuming = assumed(new_columns.get(table, ()), columns, index.where or "")
            return Question(FactKind.DUPLICATES, table, columns, detail=index.where, assuming=assuming)
        case c.CheckAdded(table=table, check=check):
            assuming = assumed(new_columns.get(table, ()), (), check.expression)
            return Question(FactKind.VIOLATIONS, table, detail=check.expression, assuming=assuming)
        case c.ForeignKeyAdded(table=table, foreign_key=key):
            assuming = assumed(new_columns.get(table, ()), key.columns)
            return Question(
                FactKind.ORPHANS, table, key.columns, None, key.target, key.target_columns, assuming=assuming
            )
        case c.ConstraintNotValidated(table=table, constraint=constraint):
            return row_question(
                c.CheckAdded(table, constraint)
                if isinstance(constraint, Check)
                else c.ForeignKeyAdded(table, constraint),
                new_columns,
            )
        case _:
            return None


def _drawn(change: c.Change, new_columns: Mapping[TableName, tuple[Column, ...]]) -> tuple[Column, ...]:
    """The columns that a new constraint stands on and whose values the same plan draws or computes, row by row."""
    match change:
        case c.UniqueAdded(unique=unique):
            names, text = unique.columns, ""
        case c.IndexAdded(index=index) if index.unique:
            names = tuple(key.column for key in index.keys if key.column is not None)
            text = " ".join((index.where or "", *(key.expression or "" for key in index.keys)))
        case c.CheckAdded(check=check):
            names, text = (), check.expression
        case c.ForeignKeyAdded(foreign_key=key):
            names, text = key.columns, ""
        case _:
            return ()
    added = new_columns.get(change.table, ())
    return tuple(one for one in added if _is_drawn(one) and (one.name in names or one.name in text))


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
        case c.IndexAdded(index=index):
            return index.unique
        case c.ColumnTypeChanged() | c.UniqueAdded() | c.CheckAdded() | c.ForeignKeyAdded():
            return True
        case _:
            return False


def judge(change: c.Change, known: Knowledge) -> Judgement:
    """Class one change."""
    match change:
        case c.TableAdded():
            return _safe("table-added", "A new table touches nothing that exists.")
        case c.TableRemoved(owned=owned):
            return _breaking("table-removed", "No DocType wants this table any more; its rows would be lost.", owned)
        case c.TableRenamed(before=before):
            return Judgement(Risk.BREAKING, "table-renamed", f"Code that still says {before} would fail.", CREATE)
        case c.EnumAdded():
            return _safe("enum-added", "A new enumeration touches nothing that exists.")
        case c.EnumValueAdded():
            return _safe("enum-value-added", "A label is appended; no row changes.")
        case c.EnumValuesIncompatible():
            return Judgement(
                Risk.BREAKING,
                "enum-values-incompatible",
                "Labels were removed or reordered; rows may hold them.",
                MANUAL,
            )
        case c.ColumnUnfilled():
            return _unfilled(change, known)
        case c.ColumnAdded() | c.ColumnRemoved() | c.ColumnRenamed() | c.CommentChanged() | c.PrimaryKeyChanged():
            return _column(change, known)
        case (
            c.ColumnTypeChanged()
            | c.ColumnNullabilityChanged()
            | c.ColumnDefaultChanged()
            | c.ColumnGenerationChanged()
        ):
            return _column_changed(change, known)
        case c.IndexAdded() | c.UniqueAdded():
            return _unique(change, known)
        case c.CheckAdded() | c.ForeignKeyAdded() | c.ConstraintNotValidated():
            return _constraint(change, known)
        case c.IndexInvalid():
            return _safe("index-invalid", "A build that was killed left the index unusable; it is built again online.")
        case c.IndexChanged() | c.UniqueChanged() | c.CheckChanged() | c.ForeignKeyChanged():
            return Judgement(
                Risk.WARNING, "definition-changed", "The old definition must be dropped for the new one.", CREATE
            )
        case c.IndexRemoved() | c.UniqueRemoved() | c.CheckRemoved() | c.ForeignKeyRemoved():
            return Judgement(
                Risk.WARNING,
                "surplus",
                "No DocType wants it any more; dropping it loses no rows, but what it enforced or made quick.",
                DROP,
            )
        case _ as unreachable:
            assert_never(unreachable)


def _safe(rule: str, reason: str) -> Judgement:
    return Judgement(Risk.SAFE, rule, reason, SYNC)


def _review(rule: str, reason: str) -> Judgement:
    return Judgement(Risk.WARNING, rule, reason, CREATE)


def _breaking(rule: str, reason: str, owned: bool) -> Judgement:
    if owned:
        return Judgement(Risk.BREAKING, rule, reason, DROP)
    return Judgement(Risk.BREAKING, rule, f"{reason} It was not made by this engine and is never offered.", MANUAL)


def _column(
    change: c.ColumnAdded | c.ColumnRemoved | c.ColumnRenamed | c.CommentChanged | c.PrimaryKeyChanged,
    known: Knowledge,
) -> Judgement:
    match change:
        case c.ColumnAdded(table=table, column=column):
            return _column_added(table, column, known)
        case c.ColumnRemoved(superseded_by=str(successor)):
            return Judgement(
                Risk.WARNING,
                "contract-due",
                f"{successor} has taken its place; it goes with the contract revision, once no old code runs.",
                CONTRACT,
            )
        case c.ColumnRemoved(owned=owned):
            return _breaking("column-removed", "The DocType has no such field; its values would be lost.", owned)
        case c.ColumnRenamed(before=before):
            return Judgement(Risk.BREAKING, "column-renamed", f"Code that still says {before.name} would fail.", CREATE)
        case c.CommentChanged():
            return _safe("comment-changed", "A comment only.")
        case c.PrimaryKeyChanged():
            return Judgement(
                Risk.BREAKING, "primary-key-changed", "Foreign keys and rows depend on the primary key.", MANUAL
            )


def _column_added(table: TableName, column: Column, known: Knowledge) -> Judgement:
    if known.empty(table):
        return _safe("column-added", "The table is empty.")
    if column.generated is not None and (column.generated.kind != "computed" or column.generated.stored):
        return _review("column-rewrites", "The database fills the column row by row, which rewrites the table.")
    if column.generated is not None:
        return _safe("column-added", "The column is computed when it is read.")
    if column.volatile_default and column.default is not None:
        return _own_values(table, column.default, known)
    if column.default is not None:
        return _safe("column-added", f"Existing rows get the default {column.default}.")
    if column.nullable:
        return _safe("column-added", "A nullable column; existing rows get NULL.")
    if column.fill is not None:
        return _safe("column-added", f"Existing rows get the application's default {column.fill}.")
    return _review("column-required", "NOT NULL without a default, and the table holds rows: they need a value first.")


def _unfilled(change: c.ColumnUnfilled, known: Knowledge) -> Judgement:
    if change.table in known.keyed:
        return _safe("column-unfilled", "Rows from before the column get the values that they still lack.")
    return _review(
        "column-unfilled", "Rows lack their values, and the table has no key any more to go through them by."
    )


def _own_values(table: TableName, default: str, known: Knowledge) -> Judgement:
    """A new column whose default is another for each row, on a table that may hold rows."""
    if not known.add_volatile_default:
        return _review("column-rewrites", f"The default {default} cannot be given to rows that exist.")
    if known.staged_defaults and not known.online:
        return _safe("column-added", f"Each row gets a value of its own from {default}, under the table's lock.")
    if known.staged_defaults and table in known.keyed:
        return _safe("column-added", f"Each row gets a value of its own from {default}, in batches.")
    no_key = ", and the table has no key to go through its rows by" if known.staged_defaults else ""
    return _review("column-rewrites", f"The default {default} is evaluated for each row{no_key}.")


def _column_changed(
    change: c.ColumnTypeChanged | c.ColumnNullabilityChanged | c.ColumnDefaultChanged | c.ColumnGenerationChanged,
    known: Knowledge,
) -> Judgement:
    match change:
        case c.ColumnTypeChanged(table=table, before=before, column=column):
            return _type(table, before, column, known)
        case c.ColumnNullabilityChanged(table=table, column=column):
            if column.nullable:
                return _review("null-allowed", "Takes a constraint away, which the sync path has no code for.")
            if known.empty(table):
                return _safe("null-forbidden", "The table is empty.")
            return _review("null-forbidden", "Rows may hold NULL, and code from before may still write it.")
        case c.ColumnDefaultChanged(before=before, column=column):
            # A column that shall become optional is not so yet: that NOT NULL goes is withheld as well.
            if column.default is None and not (column.nullable and before.nullable):
                return _review("default-removed", "Code from before may rely on the default of a NOT NULL column.")
            return _safe("default-changed", "Only rows inserted later take the default.")
        case c.ColumnGenerationChanged():
            return _review("generation-changed", "How the database fills the column cannot be changed in place.")


def _type(table: TableName, before: Column, after: Column, known: Knowledge) -> Judgement:
    words = f"{before.type} to {after.type}"
    kind = known.types.get((table, after.name), TypeChange.INCOMPATIBLE)
    match kind:
        case TypeChange.EQUAL | TypeChange.WIDENING:
            return _safe("type-widened", f"{words} keeps every value and rewrites nothing.")
        case TypeChange.REWRITE:
            if known.empty(table):
                return _safe("type-rewritten", f"{words}, and the table is empty.")
            return _review("type-rewritten", f"{words} keeps every value but rewrites the table or an index.")
        case TypeChange.NARROWING:
            return _review("type-narrowed", f"{words} may cut or refuse values.")
        case TypeChange.INCOMPATIBLE:
            return Judgement(Risk.BREAKING, "type-incompatible", f"{words} needs a conversion that you decide.", CREATE)


def _keys_contain(keys: tuple[IndexKey, ...] | tuple[str, ...]) -> str:
    return ", ".join(str(key) for key in keys)


def _unique(change: c.IndexAdded | c.UniqueAdded, known: Knowledge) -> Judgement:
    if isinstance(change, c.IndexAdded) and not change.index.unique:
        return _safe("index-added", "An index changes no row.")
    if isinstance(change, c.UniqueAdded) and change.via_index is not None:
        return _safe("unique-added", f"The unique index {change.via_index} holds already what is wanted.")
    columns = (
        tuple(key.column for key in change.index.keys) if isinstance(change, c.IndexAdded) else change.unique.columns
    )
    # A predicate or an expression over such a column keeps nothing apart.
    drawn = [one for one in _drawn(change, known.new_columns) if one.name in columns]
    if any(one.default in known.distinct_defaults for one in drawn):
        return _safe("unique-added", "Each row gets a value that no other one has.")
    keys = _keys_contain(change.index.keys if isinstance(change, c.IndexAdded) else change.unique.columns)
    if known.empty(change.table):
        return _safe("unique-added", "The table is empty.")
    match known.clear(row_question(change, known.new_columns)):
        case True:
            return _safe("unique-added", f"No two rows agree in {keys}.")
        case False:
            return _review("unique-duplicates", f"Rows agree in {keys}: they must be told apart first.")
        case None:
            return _review("unique-unknown", f"Whether rows agree in {keys} is not known.")


def _constraint(change: c.CheckAdded | c.ForeignKeyAdded | c.ConstraintNotValidated, known: Knowledge) -> Judgement:
    if known.empty(change.table):
        return _safe("constraint-added", "The table is empty.")
    match known.clear(row_question(change, known.new_columns)):
        case True:
            return _safe("constraint-added", "Every row keeps it already.")
        case False:
            return _review("constraint-violated", "Rows break it: they must be mended first.")
        case None:
            return _review("constraint-unknown", "Whether every row keeps it is not known.")
