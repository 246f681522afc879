"""Which difference of the catalogue a withheld change stands for, and by what a change is the same in two adapters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from framework_m_migrations.domain import changes as c
from tests.histories.traits import Key

COLUMN_FACTS = ("type", "null", "default", "comment", "generated")

FACTS_ALONE = ("type", "null", "comment")
"""The facts of a column in which no other column has a part."""

type Renames = Mapping[tuple[str, str], str]
"""Table and new name of a column to its former one, for renames that nobody has made yet."""


def renames_of(changes: Iterable[c.Change]) -> Renames:
    """The renames among changes."""
    return {
        (change.table.name, change.column.name): change.before.name
        for change in changes
        if isinstance(change, c.ColumnRenamed)
    }


def explained(change: c.Change, key: Key, pair: tuple[object, object], renames: Renames) -> bool:
    """Whether a fact differs because this change was not made.

    Args:
        change: what is withheld.
        key: the fact.
        pair: its value in the database, and in one built from scratch.
        renames: those that are withheld: other changes speak of columns by their new names.
    """
    kind, table, name = change.table.name, key[1], key[2:]
    match change:
        case c.TableAdded() | c.TableRemoved():
            return table == kind
        case c.TableRenamed(before=before):
            # A foreign key follows the table that it refers to.
            return table in {kind, before.name} or (key[0] == "reference" and _targets(pair) == (before.name, kind))
        case c.EnumAdded(enum=enum) | c.EnumValuesIncompatible(after=enum):
            return key == ("enum", enum.name.name)
        case c.EnumValueAdded(enum=enum_name):
            return key == ("enum", enum_name.name)
        case c.ColumnRenamed(before=before_column, column=column) if table == kind and key[0] not in FACTS_ALONE:
            if _follows_rename(before_column.name, column.name, name, pair):
                return True
        case c.ColumnTypeChanged(column=column) if table == kind and key[0] in {"check", "index", "default"}:
            # PostgreSQL prints an expression with the casts that the types of its columns ask for.
            if _follows_rename(column.name, column.name, (), pair):
                return True
    if table != kind:
        return False
    facts = _facts(change)
    former = {(fact[0], *sorted(renames.get((table, part), part) for part in fact[1:])) for fact in facts}
    return (key[0], *name) in facts | former


def _targets(pair: tuple[object, object]) -> tuple[object, ...]:
    return tuple(one[0] for one in pair if isinstance(one, tuple))


def _follows_rename(before: str, after: str, name: tuple[str, ...], pair: tuple[object, object]) -> bool:
    """What stands on a column goes with it when it is renamed, so that it is no difference of its own."""
    if before in name or after in name:
        return True
    return all(
        one.replace('"', "") in str(value).replace('"', "") for one, value in zip((before, after), pair, strict=True)
    )


def _facts(change: c.Change) -> set[tuple[str, ...]]:
    match change:
        case c.ColumnAdded(column=column) | c.ColumnRemoved(column=column):
            return {(fact, column.name) for fact in COLUMN_FACTS}
        case c.ColumnRenamed(before=before, column=column):
            return {(fact, name) for fact in COLUMN_FACTS for name in (before.name, column.name)}
        case c.ColumnTypeChanged(column=column):
            # A default is spelled for its type, so that it may differ with it.
            return {("type", column.name), ("default", column.name)}
        case c.ColumnNullabilityChanged(column=column):
            return {("null", column.name)}
        case c.ColumnDefaultChanged(column=column):
            return {("default", column.name)}
        case c.ColumnGenerationChanged(column=column):
            return {("default", column.name), ("generated", column.name)}
        case c.CommentChanged(column=None):
            return {("comment",)}
        case c.CommentChanged(column=str(name)):
            return {("comment", name)}
        case c.PrimaryKeyChanged():
            return {("primary",)}
        case _:
            return _constraint_facts(change)


def _constraint_facts(change: c.Change) -> set[tuple[str, ...]]:
    match change:
        case c.IndexAdded(index=index) | c.IndexRemoved(index=index) | c.IndexInvalid(index=index):
            return _index_facts(index.name, index.plain_columns)
        case c.IndexChanged(before=before_index, index=index):
            return _index_facts(index.name, index.plain_columns) | _index_facts(index.name, before_index.plain_columns)
        case c.UniqueAdded(unique=unique) | c.UniqueRemoved(unique=unique):
            return {("unique", *sorted(unique.columns))}
        case c.UniqueChanged(before=before_unique, unique=unique):
            return {("unique", *sorted(before_unique.columns)), ("unique", *sorted(unique.columns))}
        case c.CheckAdded(check=check) | c.CheckRemoved(check=check) | c.CheckChanged(check=check):
            return {("check", str(check.name))}
        case c.ForeignKeyAdded(foreign_key=key) | c.ForeignKeyRemoved(foreign_key=key):
            return {("reference", *key.columns)}
        case c.ForeignKeyChanged(before=before_key, foreign_key=key):
            return {("reference", *key.columns), ("reference", *before_key.columns)}
        case _:
            return set()


def _index_facts(name: str, columns: tuple[str, ...] | None) -> set[tuple[str, ...]]:
    return {("index", name), ("unique", *sorted(columns or ()))}


def identity(change: c.Change) -> tuple[str, ...]:
    """What makes a change the same one in another adapter: its kind, its table and the object's name or columns."""
    kind = type(change).__name__
    match change:
        case c.TableRenamed(before=before):
            return (kind, change.table.name, before.name)
        case c.ColumnRenamed(before=before_column, column=column):
            return (kind, change.table.name, before_column.name, column.name)
        case c.EnumAdded(enum=enum):
            return (kind, enum.name.name)
        case c.EnumValueAdded(enum=enum_name, value=value):
            return (kind, enum_name.name, value)
        case c.EnumValuesIncompatible(after=enum):
            return (kind, enum.name.name)
        case c.IndexAdded(index=index) | c.IndexRemoved(index=index) if index.unique and index.plain_columns:
            # SQLite keeps a unique constraint on a table that exists as an index.
            return (kind.replace("Index", "Unique"), change.table.name, *sorted(index.plain_columns or ()))
    return (kind, change.table.name, *sorted({part for fact in _facts(change) for part in fact[1:]}))
