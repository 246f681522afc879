"""Objects that a definition makes, and what a database says of its objects in its own words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.schema import DocTypeSchema, SchemaObject, TableName


@dataclass(frozen=True, slots=True)
class Definition:
    """One object of a database.

    Attributes:
        columns: of a table, by name, each with its definition, in their order; empty for other objects.
        rest: everything else that the database says of it, sorted: constraints, options, comments, or the text of an
            index, a trigger, a view.
    """

    columns: tuple[tuple[str, str], ...] = ()
    rest: tuple[str, ...] = ()


type Dump = Mapping[str, Definition]
"""Every object by kind and name: ``table customer``, ``index ix_customer_email``, ``type mood``."""


def differences(before: Dump, after: Dump) -> tuple[str, ...]:
    """What is not as before, one phrase each, in order of the objects; empty where the dumps are the same."""
    found: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            found.append(f"{name} is missing")
        elif name not in before:
            found.append(f"{name} is left over")
        else:
            found.extend(f"{name}: {text}" for text in _changed(before[name], after[name]))
    return tuple(found)


def _changed(before: Definition, after: Definition) -> list[str]:
    if before == after:
        return []
    was, now = dict(before.columns), dict(after.columns)
    found = [f"column {name} is missing" for name in was if name not in now]
    found += [f"column {name} is left over" for name in now if name not in was]
    found += [
        f"column {name} is {now[name]} and was {was[name]}" for name in was if name in now and was[name] != now[name]
    ]
    gone = [text for text in before.rest if text not in after.rest]
    come = [text for text in after.rest if text not in before.rest]
    found += [f"{text} is missing" for text in gone]
    found += [f"{text} is left over" for text in come]
    # The order is worth a word only where it is all that differs.
    return found or ["the order of its columns differs"]


# Objects that a definition makes: views, functions, procedures, triggers, roles, grants, rows.
#
# A definition is a text that nothing here parses. It counts as using whatever it names. That is never too
# little: an object that seems to use another one is only created later, or waits with it.


FIRST = ("roles", "default grants")
"""Kinds that come before tables, which are then created with the default grants."""
CALLED = ("function", "procedure")
"""Kinds that a default, a check or an index may use."""
DEFINED = (*FIRST, *CALLED, "view", "materialized view", "trigger", "grants", "rows")
"""All kinds, in the order in which they are created where no definition says otherwise."""


def mentions(text: str, name: str) -> bool:
    """Whether a name occurs in a text as a word, in any case of letters."""
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text, re.IGNORECASE) is not None


def in_order(doctypes: Sequence[DocTypeSchema]) -> tuple[DocTypeSchema, ...]:
    """The same DocTypes; those of objects with a definition come last, each after those that it uses."""
    defined = {item: doctype for doctype in doctypes for item in doctype.objects if item.definition is not None}
    if not defined:
        return tuple(doctypes)
    last = {doctype.name for doctype in defined.values()}
    ordered = dict.fromkeys(defined[item].name for item in _sorted(tuple(defined)))
    by_name = {doctype.name: doctype for doctype in doctypes}
    return (*(one for one in doctypes if one.name not in last), *(by_name[name] for name in ordered))


def _sorted(objects: Sequence[SchemaObject]) -> tuple[SchemaObject, ...]:
    """Objects in the order of their kinds, each after those that it uses, as far as they do not use each other."""
    ordered = sorted(objects, key=lambda one: DEFINED.index(one.kind))
    named = [one for one in ordered if one.kind in CALLED or one.is_view]
    placed: dict[SchemaObject, None] = {}
    seen: set[SchemaObject] = set()

    def place(one: SchemaObject) -> None:
        if one in seen:
            return
        seen.add(one)
        for other in named:
            if mentions(one.definition or "", other.name.name):
                place(other)
        placed[one] = None

    for one in ordered:
        place(one)
    return tuple(placed)


def needed_first(objects: Iterable[SchemaObject], operations: Iterable[o.Operation]) -> frozenset[TableName]:
    """The functions that tables of a plan use, and those that these use: they are created before the tables.

    Args:
        objects: that the plan creates or replaces.
        operations: all of the plan; looked at where a function is among the objects.
    """
    called = [one for one in objects if one.kind in CALLED]
    if not called:
        return frozenset()
    texts = [repr(one) for one in operations if not isinstance(one, o.CreateObject)]
    found: set[TableName] = set()
    while True:
        new = {one.name for one in called if one.name not in found and any(mentions(t, one.name.name) for t in texts)}
        if not new:
            return frozenset(found)
        found |= new
        texts = [one.definition or "" for one in called if one.name in new]


def with_views(found: Mapping[str, Sequence[c.Change]], standing: Sequence[SchemaObject]) -> dict[str, list[c.Change]]:
    """The changes, those of a column's type with the views that exist over it, and the views over these.

    Args:
        found: by DocType.
        standing: the declared views as they are, each after those that it uses.
    """
    return {
        name: [
            replace(one, views=_over(one, standing)) if isinstance(one, c.ColumnTypeChanged) else one for one in several
        ]
        for name, several in found.items()
    }


def _over(change: c.ColumnTypeChanged, standing: Sequence[SchemaObject]) -> tuple[SchemaObject, ...]:
    over: list[SchemaObject] = []
    for view in standing:
        text = view.definition or ""
        column = mentions(text, change.table.name) and (mentions(text, change.before.name) or "*" in text)
        if column or any(mentions(text, other.name.name) for other in over):
            over.append(view)
    return tuple(over)


def blocked(change: c.Change, missing: Mapping[TableName, Iterable[str]], tables: Iterable[TableName]) -> str | None:
    """The first thing withheld that an object needs: a table that is not there, or a column of one; None for none.

    Args:
        change: a new object, or another definition of one.
        missing: by table, columns that will not be there.
        tables: that will not be there.
    """
    if not isinstance(change, c.ObjectAdded | c.ObjectChanged) or change.object.definition is None:
        return None
    text = "\n".join((change.object.definition, *change.object.up))
    for table in tables:
        if mentions(text, table.name):
            return str(table)
    for table, columns in missing.items():
        if mentions(text, table.name):
            named = next((name for name in columns if mentions(text, name)), None)
            if named is not None:
                return f"{table}.{named}"
    return None
