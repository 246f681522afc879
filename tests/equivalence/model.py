"""What a generated schema is made of: plain values that print as the Python that makes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True, repr=False)
class _Printed:
    """Prints what is not the default alone."""

    def __repr__(self) -> str:
        said = []
        for one in fields(self):
            value = getattr(self, one.name)
            if value != one.default:
                said.append(f"{one.name}={value!r}")
        return f"{type(self).__name__}({', '.join(said)})"


@dataclass(frozen=True, repr=False)
class Col(_Printed):
    """A column.

    Attributes:
        name: of the column.
        kind: a name of kinds.py.
        required: NOT NULL.
        default: which of the kind's defaults; None for none.
        comment: where the database has comments.
        extra: what else the column is, one of generating.EXTRAS.
        how: which of the ways of ``extra``.
        was: its name before.
    """

    name: str
    kind: str
    required: bool = False
    default: int | None = None
    comment: str | None = None
    extra: str = ""
    how: int = 0
    was: str | None = None


@dataclass(frozen=True, repr=False)
class Item(_Printed):
    """A constraint or an index.

    Attributes:
        what: ``unique``, ``check``, ``foreign``, ``exclude`` or ``index``.
        columns: names of columns.
        name: None leaves it to the database, or to the naming convention.
        option: one of those of items.py.
        target: the table that a foreign key refers to.
        comment: on PostgreSQL.
    """

    what: str
    columns: tuple[str, ...]
    name: str | None = None
    option: str = ""
    target: str = ""
    comment: str | None = None


@dataclass(frozen=True, repr=False)
class Tab(_Printed):
    """A table; it has the columns ``id`` and ``n``, an integer, beside those named here.

    Attributes:
        name: of the table.
        cols: without ``id`` and ``n``.
        items: constraints and indexes.
        key: how it is identified: a name of declaring.KEYS.
        options: names of declaring.TABLE_OPTIONS.
        comment: where the database has comments.
        was: its name before.
    """

    name: str
    cols: tuple[Col, ...]
    items: tuple[Item, ...] = ()
    key: str = "int"
    options: tuple[str, ...] = ()
    comment: str | None = None
    was: str | None = None

    def col(self, name: str) -> Col:
        """The column of that name."""
        return next(one for one in self.cols if one.name == name)


@dataclass(frozen=True, repr=False)
class Sch(_Printed):
    """A schema: its tables, and whether the MetaData names constraints by a convention."""

    tabs: tuple[Tab, ...]
    convention: bool = False

    def tab(self, name: str) -> Tab:
        """The table of that name."""
        return next(one for one in self.tabs if one.name == name)


def free(names: Iterable[str], taken: Iterable[str]) -> list[str]:
    """The names that are not taken."""
    used = set(taken)
    return [name for name in names if name not in used]
