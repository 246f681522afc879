"""create: what goes and what comes may be one rename. Only a person knows; here is what to ask and what follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.errors import ConfigurationError
from framework_m_migrations.domain.plan import Plan, PlannedChange
from framework_m_migrations.domain.renames import Rename, column_candidates, parsed_rename, table_candidates
from framework_m_migrations.domain.schema import Column, TableName
from framework_m_migrations.ports.session import Session


def parsed_renames(session: Session, texts: Iterable[str]) -> tuple[Rename, ...]:
    """The renames that were asked for.

    Args:
        session: the ports.
        texts: each as ``table.old:new`` or ``old_table:new_table``.

    Raises:
        ConfigurationError: no model has the new name, or two renames have a name in common.
    """
    texts = tuple(texts)
    if not texts:
        return ()
    wanted = [table for doctype in session.source.load() for table in doctype.tables]
    found: list[Rename] = []
    for text in texts:
        rename = parsed_rename(text, wanted)
        if rename is None:
            raise ConfigurationError(
                f"--rename {text}: no model has this new name.",
                next_step="Write table.old:new for a column, old_table:new_table for a table.",
            )
        if any(rename.clashes(other) for other in found):
            raise ConfigurationError(f"--rename {text}: another rename has one of these names already.")
        found.append(rename)
    return tuple(found)


def require_renamed(renames: Sequence[Rename], chosen: Sequence[PlannedChange], app: str) -> None:
    """Raise ConfigurationError for a rename that is none of the app's differences."""
    names = _new_names(chosen)
    made = {_renamed(planned.change, names) for planned in chosen}
    for rename in renames:
        if rename not in made:
            what = (
                f"table {rename.old} is not there, or {rename.table} is"
                if rename.new is None
                else f"{rename.table} has no column {rename.old} without a field, or it has {rename.new}"
            )
            raise ConfigurationError(
                f"--rename {rename.text} is no difference between the models of app {app!r} and the database: {what}.",
                next_step="Compare with `m-migrate plan`.",
            )


def candidates(session: Session, made: Plan, app: str) -> tuple[Rename, ...]:
    """Pairs of a column or table that goes and one of a compatible type that comes.

    Args:
        session: to read the tables that go.
        made: all differences.
        app: whose.
    """
    gone: dict[TableName, list[Column]] = {}
    come: dict[TableName, list[Column]] = {}
    new_tables = []
    former: set[TableName] = set(made.unmanaged)
    names = _new_names(made.changes)
    for planned in made.changes:
        if planned.app not in {app, None}:
            continue
        match planned.change:
            case c.ColumnRemoved(table=table, column=column, superseded_by=None):
                gone.setdefault(names.get(table, table), []).append(column)
            case c.ColumnAdded(table=table, column=column):
                come.setdefault(names.get(table, table), []).append(column)
            case c.TableAdded(definition=definition):
                new_tables.append(definition)
            case c.TableRemoved(table=table):
                former.add(table)
            case _:
                pass
    found = [one for table, columns in gone.items() for one in column_candidates(table, columns, come.get(table, ()))]
    if new_tables and former:
        with session.reading():
            read = session.inspector.read(sorted(former)).tables
        found = [*table_candidates((read[name] for name in sorted(former) if name in read), new_tables), *found]
    return tuple(found)


def possible(rename: Rename) -> str:
    """A rename that was not asked for, in words for the review list."""
    if rename.new is None:
        what = f"table {TableName(rename.old, rename.table.schema)} goes and {rename.table} comes"
    else:
        what = f"{rename.table}.{rename.old} goes and {rename.new} comes"
    return f"{what} ({rename.detail}): if that is a rename, write the revision with `--rename {rename.text}`."


def differing(chosen: Sequence[PlannedChange]) -> list[str]:
    """Renamed columns that differ in more than the name, in words for the review list."""
    found: list[str] = []
    for planned in chosen:
        match planned.change:
            case c.ColumnRenamed(table=table, before=before, column=column) if (
                before.type != column.type or before.nullable != column.nullable or before.default != column.default
            ):
                found.append(
                    f"{table}.{column.name} differs from {before.name} in more than the name: check the conversion of "
                    "its values."
                )
            case _:
                pass
    return found


def _new_names(changes: Sequence[PlannedChange]) -> dict[TableName, TableName]:
    """Of each table that is renamed the name that its other changes go by, and its new one."""
    return {one.change.before: one.change.table for one in changes if isinstance(one.change, c.TableRenamed)}


def _renamed(change: c.Change, names: Mapping[TableName, TableName]) -> Rename | None:
    match change:
        case c.TableRenamed(table=table, before=before):
            return Rename(table, before.name)
        case c.ColumnRenamed(table=table, before=before, column=column):
            return Rename(names.get(table, table), before.name, column.name)
        case _:
            return None
