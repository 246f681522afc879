"""Views as they are, as they are wanted, and the statements between the two.

What a query means the database alone knows: it is asked how it would keep the wanted one (``ViewCatalog.tried``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain.defined import mentions
from framework_m_migrations.domain.schema import SchemaObject, TableName


class ViewIndex(NamedTuple):
    """An index of a materialized view; ``create`` is its CREATE INDEX."""

    name: str
    columns: tuple[str, ...]
    unique: bool
    create: str


class View(NamedTuple):
    """A view: its query as the database prints it, and its columns as (name, type) pairs."""

    query: str
    columns: tuple[tuple[str, str], ...] = ()
    materialized: bool = False
    indexes: tuple[ViewIndex, ...] = ()


class ViewCatalog(Protocol):
    """What a dialect knows of views.

    Attributes:
        replaces: a view is replaced in place where it keeps its columns.
        keeps_columns: a view that is replaced in place cannot lose a column, or change the type of one.
    """

    replaces: bool
    keeps_columns: bool

    def standing(self, names: Collection[TableName] | None) -> Mapping[TableName, View]:
        """The views of these names that exist; all of the session's schema for None."""
        ...

    def tried(self, wanted: Mapping[TableName, View], standing: Mapping[TableName, View]) -> Mapping[TableName, View]:
        """The wanted views as the database would keep them; those that it refuses are left out.

        Args:
            wanted: with the queries as they are declared.
            standing: as they are; a dialect may ask about both.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One view that exists, and what is wanted of it."""

    item: SchemaObject
    wanted: View
    was: View
    new: View | None
    text: SqlText
    catalog: ViewCatalog

    @property
    def is_same(self) -> bool:
        return self.new is not None and (self.new.query, self.new.materialized) == (
            self.was.query,
            self.was.materialized,
        )

    def drop(self, view: View) -> str:
        return f"DROP {_kind(view)} {self.text.table(self.item.name)}"

    def create(self, view: View, *, replaced: bool = False) -> tuple[str, ...]:
        return created(self.item.name, view, self.text, replaced=replaced)

    @property
    def actual(self) -> SchemaObject:
        """What exists, with the statements that create and drop it."""
        options = self.item.options if self.is_same else (("definition", self.was.query),)
        return replace(self.item, options=options, native=None, up=self.create(self.was), down=(self.drop(self.was),))

    def changed(self) -> SchemaObject:
        """What is wanted, with the statements that bring it about."""
        if self.is_same:
            return self._indexed()
        lost, known = self._lost()
        in_place = self.catalog.replaces and not (self.wanted.materialized or self.was.materialized)
        if in_place and known and (not lost or not self.catalog.keeps_columns):
            again = not self.catalog.keeps_columns or len(self._names()) == len(self.was.columns)
            down = self.create(self.was, replaced=True) if again else (self.drop(self.wanted), *self.create(self.was))
            up = self.create(self.wanted, replaced=True)
        else:
            up = (self.drop(self.was), *self.create(self.wanted))
            down = (self.drop(self.wanted), *self.create(self.was))
        reason = None
        if lost:
            reason = f"The view loses or changes {', '.join(lost)}: queries that use it fail."
        elif not known:
            reason = "The columns of the new definition are not known before what it uses exists: run sync again."
        elif up[0].startswith("DROP"):
            reason = "The database cannot replace it in place: it is dropped and created again, without its privileges."
        return replace(self.item, up=up, down=down, reason=reason)

    def _names(self) -> Sequence[str]:
        if self.new is not None:
            return [name for name, _ in self.new.columns]
        return _selected(self.wanted.query)

    def _lost(self) -> tuple[list[str], bool]:
        """The columns that are no longer there, or not at the same place and of the same type; whether it is known."""
        if self.new is not None:
            after: Sequence[tuple[str, str]] = self.new.columns
            before: Sequence[tuple[str, str]] = self.was.columns
        else:
            after, before = [(name, "") for name in self._names()], [(name, "") for name, _ in self.was.columns]
        if not after or not before:
            return [], self.new is not None and not self.catalog.replaces
        if self.catalog.keeps_columns:
            return [one[0] for place, one in enumerate(before) if tuple(after[place : place + 1]) != (one,)], True
        names = {name for name, _ in after}
        return [name for name, _ in before if name not in names], True

    def _indexed(self) -> SchemaObject:
        """The same view, with the indexes that it lacks."""
        have = {index.name: index for index in self.was.indexes}
        missing = [one for one in self.wanted.indexes if one.name not in have]
        other = [one for one in self.wanted.indexes if one.name in have and one[:3] != have[one.name][:3]]
        if not missing and not other:
            return self.item
        place = self.item.name.schema

        def drop(index: ViewIndex) -> str:
            return f"DROP INDEX {self.text.table(TableName(index.name, place))}"

        return replace(
            self.item,
            up=(*map(drop, other), *(one.create for one in (*other, *missing))),
            down=(*map(drop, (*other, *missing)), *(have[one.name].create for one in other)),
            reason="An index of the view has another definition." if other else None,
        )


def _kind(view: View) -> str:
    return "MATERIALIZED VIEW" if view.materialized else "VIEW"


def created(name: TableName, view: View, text: SqlText, *, replaced: bool = False) -> tuple[str, ...]:
    """The statements that create a view, or replace it in place."""
    create = "CREATE OR REPLACE" if replaced else "CREATE"
    query = view.query.rstrip().rstrip(";")
    return (f"{create} {_kind(view)} {text.table(name)} AS {query}", *(index.create for index in view.indexes))


def compared_views(
    wanted: Mapping[SchemaObject, View], catalog: ViewCatalog, text: SqlText
) -> dict[SchemaObject, tuple[SchemaObject, SchemaObject | None]]:
    """See Inspector.objects.

    Args:
        wanted: with their queries as declared, each after those that it uses.
        catalog: of the database.
        text: writes names.
    """
    standing = catalog.standing([item.name for item in wanted])
    asked = {item.name: view for item, view in wanted.items() if item.name in standing}
    tried = catalog.tried(asked, standing) if asked else {}
    found: dict[SchemaObject, tuple[SchemaObject, SchemaObject | None]] = {}
    for item, view in wanted.items():
        was = standing.get(item.name)
        if was is None:
            up, down = created(item.name, view, text), (f"DROP {_kind(view)} {text.table(item.name)}",)
            found[item] = (replace(item, up=up, down=down), None)
            continue
        one = _Comparison(item, view, was, tried.get(item.name), text, catalog)
        actual, made = one.actual, one.changed()
        if one.is_same and made.up:
            actual = replace(actual, options=(("definition", was.query),))
        found[item] = (made, actual)
    return _with_users(found)


def _with_users(
    found: dict[SchemaObject, tuple[SchemaObject, SchemaObject | None]],
) -> dict[SchemaObject, tuple[SchemaObject, SchemaObject | None]]:
    """Views that are dropped and created again, with those over them that stay as they are."""
    result = dict(found)
    for item, (made, actual) in found.items():
        if actual is None or not (made.up and made.up[0].startswith("DROP") and "VIEW" in made.up[0]):
            continue
        users: list[SchemaObject] = []
        for other, (changed, there) in found.items():
            text = other.definition or ""
            if there is None or changed.up or other == item:
                continue
            if any(mentions(text, name) for name in (item.name.name, *(one.name.name for one in users))):
                users.append(there)
        first = tuple(line for one in reversed(users) for line in one.down)
        last = tuple(line for one in users for line in one.up)
        if users:
            up, down = (*first, *made.up, *last), (*first, *made.down, *last)
            result[item] = (replace(made, up=up, down=down), actual)
    return result


def _selected(query: str) -> Sequence[str]:
    """The names of the columns of a query, as far as they can be told by its text; empty where they cannot."""
    try:
        import sqlglot
    except ImportError:
        return []
    try:
        names: list[str] = getattr(sqlglot.parse_one(query), "named_selects", [])
    except sqlglot.errors.SqlglotError:
        return []
    return [] if "*" in names or "" in names else names


def squeezed(query: str) -> str:
    """A query without what white space and a last semicolon make of it."""
    return re.sub(r"\s+", " ", query).strip().rstrip(";").strip()
