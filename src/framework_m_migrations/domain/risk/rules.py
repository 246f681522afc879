"""The risk of each change, by rule.

The scale and its meaning come from design.md: SAFE is applied by sync, WARNING waits for a reviewed revision,
BREAKING fails verify. Every rule has a stable code (docs/risk.md). What is not known is judged by the careful class.
"""

from __future__ import annotations

from typing import assert_never

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.plan import Judgement, Risk
from framework_m_migrations.domain.risk.facts import Knowledge as Knowledge
from framework_m_migrations.domain.risk.facts import TypeChange, drawn_columns
from framework_m_migrations.domain.risk.facts import needs_rows as needs_rows
from framework_m_migrations.domain.risk.facts import row_question as row_question
from framework_m_migrations.domain.schema import Check, Column, ForeignKey, IndexKey, TableName

CREATE, DROP, MANUAL, SYNC, CONTRACT = "create", "sync --allow-drop", "manual", "sync", "run --contract"


def judge(change: c.Change, known: Knowledge) -> Judgement:
    """Class one change."""
    match change:
        case c.TableAdded():
            return _safe("table-added", "A new table touches nothing that exists.")
        case c.TableRemoved(owned=owned):
            return _breaking("table-removed", "No model declares this table any more; its rows would be lost.", owned)
        case c.TableRenamed(before=before):
            return Judgement(Risk.BREAKING, "table-renamed", f"Code that still says {before} would fail.", CREATE)
        case c.EnumAdded() | c.EnumValueAdded() | c.EnumValuesIncompatible() | c.ObjectAdded() | c.ObjectChanged():
            return _beside(change)
        case c.ColumnAdded() | c.ColumnUnfilled() | c.ColumnRemoved() | c.ColumnRenamed():
            return _column(change, known)
        case c.CommentChanged() | c.PrimaryKeyChanged() | c.TableOptionsChanged():
            return _table(change)
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
            return _unusable(change, known)
        case c.IndexChanged() | c.UniqueChanged() | c.CheckChanged() | c.ForeignKeyChanged():
            return Judgement(
                Risk.WARNING, "definition-changed", "The old definition must be dropped for the new one.", CREATE
            )
        case c.IndexRemoved() | c.UniqueRemoved() | c.CheckRemoved() | c.ForeignKeyRemoved():
            return _surplus(change, known)
        case _ as unreachable:
            assert_never(unreachable)


def _safe(rule: str, reason: str) -> Judgement:
    return Judgement(Risk.SAFE, rule, reason, SYNC)


def _review(rule: str, reason: str) -> Judgement:
    return Judgement(Risk.WARNING, rule, reason, CREATE)


def _beside(
    change: c.EnumAdded | c.EnumValueAdded | c.EnumValuesIncompatible | c.ObjectAdded | c.ObjectChanged,
) -> Judgement:
    match change:
        case c.EnumAdded():
            return _safe("enum-added", "A new enumeration touches nothing that exists.")
        case c.EnumValueAdded():
            return _safe("enum-value-added", "A label is appended; no row changes.")
        case c.EnumValuesIncompatible():
            return Judgement(
                Risk.BREAKING,
                "enum-values-incompatible",
                "Labels were removed or reordered; rows may hold them.",
                CREATE,
            )
        case c.ObjectAdded(object=wanted):
            several = wanted.kind.endswith("s")
            what = f"New {wanted.kind} touch" if several else f"A new {wanted.kind} touches"
            return _safe("object-added", f"{what} nothing that exists.")
        case c.ObjectChanged(object=wanted) if wanted.definition is not None:
            if wanted.reason is None:
                return _safe("object-replaced", f"The {wanted.kind} is replaced in place.")
            return _review("object-replaced", wanted.reason)
        case c.ObjectChanged(before=was, object=wanted):
            if dict(was.options).get("type") != dict(wanted.options).get("type"):
                what = "The type of a domain cannot be changed: create another domain and change the columns to it."
                return Judgement(Risk.BREAKING, "object-changed", what, MANUAL)
            return _review("object-changed", f"A revision changes the options of a {wanted.kind}; sync does not.")


def _breaking(rule: str, reason: str, owned: bool) -> Judgement:
    if owned:
        return Judgement(Risk.BREAKING, rule, reason, DROP)
    return Judgement(Risk.BREAKING, rule, f"{reason} It was not made by this engine and is never offered.", MANUAL)


def _surplus(
    change: c.IndexRemoved | c.UniqueRemoved | c.CheckRemoved | c.ForeignKeyRemoved, known: Knowledge
) -> Judgement:
    """A constraint without a name, which no statement can name, goes with a copy of the table only."""
    match change:
        case c.UniqueRemoved(unique=item):
            in_place = known.drop_unique and item.name is not None
        case c.CheckRemoved(check=check) if check.name is None:
            what = (
                "No model declares it any more, but it has no name to drop it by: copy the table by hand, without it."
            )
            return Judgement(Risk.WARNING, "surplus", what, MANUAL)
        case c.ForeignKeyRemoved(foreign_key=key):
            in_place = key.name is not None
        case _:
            in_place = True
    if not in_place:
        return _review("surplus", "No model declares it any more; it goes with a copy of the table only.")
    what = "No model declares it any more; dropping it loses no rows, but what it enforced or made quick."
    return Judgement(Risk.WARNING, "surplus", what, DROP)


def _column(
    change: c.ColumnAdded | c.ColumnUnfilled | c.ColumnRemoved | c.ColumnRenamed,
    known: Knowledge,
) -> Judgement:
    match change:
        case c.ColumnUnfilled():
            return _unfilled(change, known)
        case c.ColumnAdded(table=table, column=column):
            return _column_added(table, column, known)
        case c.ColumnRemoved(superseded_by=str(successor)):
            return Judgement(
                Risk.WARNING,
                "contract-due",
                f"{successor} has taken its place; it goes with the contract revision, once no old code runs.",
                CONTRACT,
            )
        case c.ColumnRemoved(table=table, column=column, owned=True) if (table, column.name) in known.fixed:
            what = (
                f"Its values would be lost, and {known.fixed[table, column.name]} keeps it from being dropped in place."
            )
            return Judgement(Risk.BREAKING, "column-removed", f"The model has no such column. {what}", CREATE)
        case c.ColumnRemoved(owned=owned):
            return _breaking("column-removed", "The model has no such column; its values would be lost.", owned)
        case c.ColumnRenamed(before=before):
            return Judgement(Risk.BREAKING, "column-renamed", f"Code that still says {before.name} would fail.", CREATE)


def _table(change: c.CommentChanged | c.PrimaryKeyChanged | c.TableOptionsChanged) -> Judgement:
    match change:
        case c.CommentChanged():
            return _safe("comment-changed", "A comment only.")
        case c.TableOptionsChanged() if change.partitions:
            what = "A table cannot be partitioned, or be it no longer, in place: create another one and move its rows."
            return Judgement(Risk.BREAKING, "table-options-changed", what, MANUAL)
        case c.TableOptionsChanged():
            return _review("table-options-changed", "Other options may rewrite the table or refuse its rows.")
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
        case c.ColumnTypeChanged(table=table, before=before, column=column, views=views):
            judgement = _type(table, before, column, known)
            if views and judgement.risk is Risk.SAFE:
                names = ", ".join(str(view.name) for view in views)
                what = f"The database refuses it while {names} exists: a revision drops the view and creates it again."
                return _review("type-under-view", what)
            return judgement
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
            return _review("generation-changed", "A revision changes how the database fills the column; sync does not.")


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
    if isinstance(change, c.UniqueAdded) and change.via_index is not None and change.table not in known.partitioned:
        return _safe("unique-added", f"The unique index {change.via_index} holds already what is wanted.")
    if isinstance(change, c.UniqueAdded) and _is_parted(change.table, known) and not known.empty(change.table):
        return _review("partitioned", "A partitioned table adopts no index: its rows would be read under a lock.")
    columns = (
        tuple(key.column for key in change.index.keys) if isinstance(change, c.IndexAdded) else change.unique.columns
    )
    # A predicate or an expression over such a column keeps nothing apart.
    drawn = [one for one in drawn_columns(change, known.new_columns) if one.name in columns]
    if any(one.default in known.distinct_defaults for one in drawn):
        return _safe("unique-added", "Each row gets a value that no other one has.")
    keys = _keys_contain(change.index.keys if isinstance(change, c.IndexAdded) else change.unique.columns)
    if known.empty(change.table):
        return _safe("unique-added", "The table is empty.")
    match known.clear(row_question(change, known.new_columns)):
        case True:
            return _safe("unique-added", f"No two rows have equal values in {keys}.")
        case False:
            return _review("unique-duplicates", f"Rows have equal values in {keys}: remove the duplicates first.")
        case None:
            return _review("unique-unknown", f"Whether rows have equal values in {keys} is not known.")


def _unusable(change: c.IndexInvalid, known: Knowledge) -> Judgement:
    """Two equal rows may be what left it so: a build that fails again would fail at every sync."""
    found = _unique(c.IndexAdded(change.table, change.index), known)
    if found.risk is not Risk.SAFE:
        return found
    return _safe("index-invalid", "A build that was killed left the index unusable; it is built again online.")


def _is_parted(table: TableName, known: Knowledge) -> bool:
    """A partitioned table that nobody is to be held up on."""
    return known.online and table in known.partitioned


def _constraint(change: c.CheckAdded | c.ForeignKeyAdded | c.ConstraintNotValidated, known: Knowledge) -> Judgement:
    if known.empty(change.table):
        return _safe("constraint-added", "The table is empty.")
    added: Check | ForeignKey | None = change.check if isinstance(change, c.CheckAdded) else None
    added = change.foreign_key if isinstance(change, c.ForeignKeyAdded) else added
    if added is not None and not added.valid:
        return _safe("constraint-added", "It is declared NOT VALID: existing rows are not checked.")
    if isinstance(added, Check) and added.exclusion:
        return _review("constraint-unknown", "Its index is built under a lock that blocks writers.")
    if isinstance(change, c.ForeignKeyAdded) and _is_parted(change.table, known) and not known.unvalidated_parts:
        return _review("partitioned", "A foreign key of a partitioned table is validated at once, under its locks.")
    match known.clear(row_question(change, known.new_columns)):
        case True:
            return _safe("constraint-added", "Every row keeps it already.")
        case False:
            return _review("constraint-violated", "Existing rows violate it; fix them first.")
        case None:
            return _review("constraint-unknown", "Whether every row keeps it is not known.")
