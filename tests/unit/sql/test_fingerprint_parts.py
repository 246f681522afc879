"""A fingerprint looks at what objects say now, and no name in it passes for something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.desired.fingerprint import Fingerprints
from framework_m_migrations.adapters.sql.desired.tables import Target
from tests.unit.sql.tables import target_of

POSTGRES, SQLITE = target_of("postgresql"), target_of("sqlite")


def indexed(columns: tuple[str, ...], *indexes: tuple[str, ...]) -> sa.Table:
    """A table with these columns, and indexes each given as its name and its keys."""
    made = [sa.Index(name, *keys) for name, *keys in indexes]
    return sa.Table("t", sa.MetaData(), *(sa.Column(name, sa.Integer) for name in columns), *made)


LOOKALIKES: list[tuple[Callable[[], sa.Table], Callable[[], sa.Table]]] = [
    # Names that hold what stands between the parts.
    (lambda: indexed(("a", "b")), lambda: indexed(("a\0b",))),
    (lambda: indexed(("a", "b"), ("i", "a", "b")), lambda: indexed(("a", "b", "a\0b"), ("i", "a\0b"))),
    (lambda: indexed(("a\0b", "c")), lambda: indexed(("a", "b\0c"))),
    # Names that read like other parts.
    (
        lambda: indexed(("x", "y", "index 1"), ("a", "x"), ("y", "index 1")),
        lambda: indexed(("x", "y", "index 1"), ("a", "x", "y", "index 1")),
    ),
    (
        lambda: indexed(("x", "i", "index 1"), ("i", "x")),
        lambda: indexed(("x", "i", "index 1"), ("i", "index 1"), ("x", "i")),
    ),
    (
        lambda: sa.Table("t", sa.MetaData(), sa.Column("x", sa.Integer), sa.Index("i", sa.text("x"))),
        lambda: indexed(("x",), ("i", "x")),
    ),
]


@pytest.mark.parametrize("pair", LOOKALIKES)
def test_no_name_passes_for_something_else(pair: tuple[Callable[[], sa.Table], Callable[[], sa.Table]]) -> None:
    one, other = pair
    prints = Fingerprints(SQLITE)
    assert prints.text(one()) != prints.text(other())
    assert prints.of(one()) != prints.of(other())


def _shorter(table: sa.Table) -> None:
    type_: Any = table.c.title.type
    type_.length = 20


def _unique(table: sa.Table) -> None:
    next(iter(table.indexes)).unique = True


CHANGES_IN_PLACE: list[Callable[[sa.Table], object]] = [
    lambda table: setattr(table.c.title, "nullable", False),
    lambda table: setattr(table.c.title, "type", sa.Text()),
    _shorter,
    lambda table: setattr(table.c.title, "server_default", sa.DefaultClause("x")),
    lambda table: setattr(table.c.title, "default", sa.ColumnDefault("x")),
    lambda table: setattr(table.c.title, "comment", "said"),
    lambda table: table.c.title.info.update(renamed_from="name"),
    lambda table: table.append_column(sa.Column("more", sa.Integer)),
    lambda table: table.append_constraint(sa.UniqueConstraint("title")),
    lambda table: table.append_constraint(sa.CheckConstraint("title <> ''")),
    lambda table: sa.Index("ix_more", table.c.title),
    _unique,
    lambda table: setattr(next(iter(table.indexes)), "name", "other"),
    lambda table: setattr(table, "name", "other"),
]


@pytest.mark.parametrize("target", [POSTGRES, SQLITE], ids=["postgresql", "sqlite"])
@pytest.mark.parametrize("change", CHANGES_IN_PLACE)
def test_a_change_of_the_same_objects_is_seen(target: Target, change: Callable[[sa.Table], object]) -> None:
    """MetaData can be edited at any time: nothing may be remembered of an object, only of what it says."""
    table = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.String(10)),
        sa.Index("ix", "title"),
    )
    prints = Fingerprints(target)
    before = prints.of(table)
    assert prints.of(table) == before
    change(table)
    assert prints.of(table) != before
