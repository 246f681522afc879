"""Names for constraints without one: those that the database itself would choose in CREATE TABLE.

They are chosen once, when a plan is made, by the rule of the database (``Capabilities.naming``), so that sync, plan,
``create`` and the helpers use the same one, and a schema is the same whichever way it came about.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.schema import Check, ForeignKey, Index, Table, TableName, Unique

type Constraint = Unique | Check | ForeignKey

IDENTIFIER_LIMIT = 63
"""PostgreSQL's limit in bytes; kept on every database, so that one revision fits all."""
_WORDS = re.compile(r"'(?:[^']|'')*'|\"((?:[^\"]|\"\")*)\"|`((?:[^`]|``)*)`|([^\W\d][\w$]*)(?!\s*\()")


class Place(NamedTuple):
    """Where a constraint gets its name.

    Attributes:
        table: the table's name.
        columns: the names of its columns.
        own: names of its indexes and constraints.
        others: those of all tables of its schema that are known, and the names of these tables.
    """

    table: TableName
    columns: Collection[str]
    own: Collection[str] = ()
    others: Collection[str] = ()


class Choice(Protocol):
    """The rule of a database."""

    def __call__(self, constraint: Constraint, place: Place) -> str:
        """The name of a constraint without one; none of those that are taken."""
        ...


@dataclass(frozen=True, slots=True)
class Naming:
    """How a database names constraints.

    Attributes:
        choose: its rule.
        written: the kinds of constraint whose DDL says the chosen name. What other kinds say would change more than
            the name (MariaDB names the index of a foreign key after it), or is no part of what is declared (SQLite).
    """

    choose: Choice
    written: tuple[type[Constraint], ...] = (Unique, Check, ForeignKey)


def standard_name(constraint: Constraint, place: Place) -> str:
    """PostgreSQL's rule (makeObjectName): ``t_a_b_key``, ``t_a_fkey``, ``t_a_check``; with a number where taken."""
    names, label = _says(constraint, place.columns)
    taken = {*place.own, *place.others}
    number = 0
    while (name := made_name(place.table.name, "_".join(names), f"{label}{number or ''}")) in taken:
        number += 1
    return name


def _says(constraint: Constraint, columns: Collection[str]) -> tuple[tuple[str, ...], str]:
    match constraint:
        case Unique():
            included = dict(constraint.options).get("include")
            return (*constraint.columns, *([] if included is None else included.split(", "))), "key"
        case ForeignKey():
            return constraint.columns, "fkey"
        case Check():
            return _of_one_column(constraint.expression, columns), "check"


def _of_one_column(expression: str, columns: Collection[str]) -> tuple[str, ...]:
    """The column of an expression that names one alone."""
    exact, folded = set(columns), {column.lower(): column for column in columns}
    named = set()
    for match in _WORDS.finditer(expression):
        quoted = next((one for one in match.groups()[:2] if one is not None), None)
        found = folded.get((match[3] or "").lower()) if quoted is None else quoted if quoted in exact else None
        named.add(found)
    named.discard(None)
    return tuple(name for name in named if name is not None) if len(named) == 1 else ()


def made_name(first: str, second: str, label: str) -> str:
    """PostgreSQL's name for something of a table (first) and its columns (second), cut to what fits."""
    one, two = first.encode(), second.encode()
    room = IDENTIFIER_LIMIT - len(label) - 1 - (1 if two else 0)
    sizes = [len(one), len(two)]
    while sum(sizes) > room:
        sizes[0 if sizes[0] > sizes[1] else 1] -= 1
    parts = (one[: sizes[0]].decode(errors="ignore"), two[: sizes[1]].decode(errors="ignore"), label)
    return "_".join(part for part in parts if part)


STANDARD = Naming(standard_name)


def named(changes: Sequence[c.Change], tables: Mapping[TableName, Table], naming: Naming) -> list[c.Change]:
    """The changes, each new constraint of a table that exists under a name, the checks of new tables with theirs.

    Args:
        changes: of one plan, in its order.
        tables: as they are, as far as they were read.
        naming: of the database.
    """
    changes = [_created(change, naming) if isinstance(change, c.TableAdded) else change for change in changes]
    if not any(constraint.name is None for change in changes for constraint in _new(change)):
        return changes
    own = {name: _names(one, naming) for name, one in tables.items()}
    leaving: dict[TableName, set[str]] = {}
    columns = {name: [column.name for column in one.columns] for name, one in tables.items()}
    for change in changes:
        if isinstance(change, c.ColumnAdded | c.ColumnRenamed):
            columns.setdefault(change.table, []).append(change.column.name)
        elif isinstance(change, c.TableRenamed):
            columns[change.table] = [column.name for column in change.definition.columns]
            own.setdefault(change.table, set()).update(own.get(change.before, ()))
        for constraint in _new(change):
            own.setdefault(change.table, set()).update(() if constraint.name is None else (constraint.name,))
    for change in changes:
        for gone in _gone(change):
            place = Place(change.table, columns.get(change.table, ()))
            own.get(change.table, set()).discard(known_as(gone) or naming.choose(gone, place))
        match change:
            case c.ForeignKeyRemoved(foreign_key=gone) | c.CheckRemoved(check=gone) if gone.name is not None:
                leaving.setdefault(change.table, set()).add(gone.name)
            case _:
                pass
    others: dict[str | None, set[str]] = {}
    for table, names in own.items():
        others.setdefault(table.schema, set()).update((table.name, *names))
    found: list[c.Change] = []
    for change in changes:
        place = Place(
            change.table,
            columns.get(change.table, ()),
            own.setdefault(change.table, set()),
            others.setdefault(change.table.schema, set()),
        )
        if any(not isinstance(one, naming.written) for one in _new(change)):
            # The name matters to a revision alone, which drops first what is no longer wanted.
            place = place._replace(own=own[change.table] - leaving.get(change.table, set()))
        found.append(_with_names(change, place, naming))
        own[change.table].update(name for one in _new(found[-1]) if (name := known_as(one)) is not None)
        others[change.table.schema] |= own[change.table]
    return found


def _created(change: c.TableAdded, naming: Naming) -> c.TableAdded:
    table = change.definition
    if all(check.name is not None for check in table.checks):
        return change
    named: tuple[Constraint | Index, ...] = (*table.indexes, *table.uniques, *table.checks, *table.foreign_keys)
    own = {item.name for item in named if item.name}
    columns = [column.name for column in table.columns]
    checks: list[Check] = []
    for check in table.checks:
        if check.name is None:
            check = replace(check, chosen=naming.choose(check, Place(table.name, columns, own)))  # noqa: PLW2901
            own.add(check.chosen or "")
        checks.append(check)
    return replace(change, definition=replace(table, checks=tuple(checks)))


def _new(change: c.Change) -> tuple[Constraint, ...]:
    match change:
        case c.UniqueAdded(unique=new) | c.UniqueChanged(unique=new):
            return (new,)
        case c.CheckAdded(check=new) | c.CheckChanged(check=new):
            return (new,)
        case c.ForeignKeyAdded(foreign_key=new) | c.ForeignKeyChanged(foreign_key=new):
            return (new,)
        case _:
            return ()


def _gone(change: c.Change) -> tuple[Constraint, ...]:
    """The constraint whose name a change makes free."""
    match change:
        case c.UniqueChanged(before=gone) | c.CheckChanged(before=gone) | c.ForeignKeyChanged(before=gone):
            return (gone,)
        case c.UniqueRemoved(unique=gone) | c.CheckRemoved(check=gone) | c.ForeignKeyRemoved(foreign_key=gone):
            # One with a name has it until sync is allowed to drop it.
            return (gone,) if gone.name is None else ()
        case _:
            return ()


def _with_names(change: c.Change, place: Place, naming: Naming) -> c.Change:
    match change:
        case c.UniqueAdded(unique=unique, via_index=str(index)) if unique.name is None:
            return replace(change, unique=replace(unique, name=index))
        case c.UniqueAdded(unique=unique) | c.UniqueChanged(unique=unique) if unique.name is None:
            return replace(change, unique=replace(unique, name=naming.choose(unique, place)))
        case c.CheckAdded(check=check) | c.CheckChanged(check=check) if check.name is None:
            return replace(change, check=replace(check, **_naming(check, place, naming)))
        case c.ForeignKeyAdded(foreign_key=key) | c.ForeignKeyChanged(foreign_key=key) if key.name is None:
            return replace(change, foreign_key=replace(key, **_naming(key, place, naming)))
        case _:
            return change


def _naming(constraint: Check | ForeignKey, place: Place, naming: Naming) -> dict[str, Any]:
    written = isinstance(constraint, naming.written)
    return {"name" if written else "chosen": naming.choose(constraint, place)}


def known_as(constraint: Constraint) -> str | None:
    """The name of a constraint, or what one without a name goes by; None where that is not known."""
    return constraint.name if isinstance(constraint, Unique) else constraint.name or constraint.chosen


def _names(table: Table, naming: Naming) -> set[str]:
    """The names of a table's indexes and constraints, with those that the ones without a name go by."""
    items: tuple[Constraint, ...] = (*table.uniques, *table.checks, *table.foreign_keys)
    names = {index.name for index in table.indexes} | {item.name for item in items if item.name is not None}
    columns = [column.name for column in table.columns]
    for item in items:
        if item.name is None:
            names.add(naming.choose(item, Place(table.name, columns, names)))
    return names


def unnamed_names(table: TableName, columns: Collection[str], items: Iterable[Constraint]) -> list[str | None]:
    """The name that each constraint without one goes by in a revision; None for those with a name.

    Args:
        table: the table's name.
        columns: the names of its columns.
        items: its constraints, in the order in which they are written.
    """
    known = list(items)
    taken = {item.name for item in known if item.name is not None}
    found: list[str | None] = []
    for item in known:
        found.append(None if item.name is not None else standard_name(item, Place(table, columns, taken)))
        taken.update(name for name in found[-1:] if name is not None)
    return found
