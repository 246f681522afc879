"""Names of constraints that nobody named; tests/postgres/test_names.py holds them against the server."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from framework_m_migrations.adapters.sql.dialects.mariadb.ddl import NAMING
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.naming import STANDARD, Naming, Place, named, standard_name, unnamed_names
from framework_m_migrations.domain.schema import Check, ForeignKey, TableName, Unique
from tests.unit.domain.build import column, index, key, table, unique

T = TableName("t")
THERE = table("t", column("a"), column("b"), indexes=(index("t_a_key", "b"),), checks=(Check(None, "a > 0"),))


def test_a_plan_names_each_constraint_once_and_leaves_names_alone() -> None:
    changes: list[c.Change] = [
        c.UniqueAdded(T, unique("a")),
        c.UniqueAdded(T, unique("a", "b")),
        c.UniqueAdded(T, unique("b"), "built"),
        c.UniqueAdded(T, Unique("mine", ("a",))),
        c.CheckAdded(T, Check(None, "a > 1")),
        c.CheckAdded(T, Check(None, "a < b")),
        c.ColumnAdded(T, column("c")),
        c.CheckAdded(T, Check(None, "c in ('a')")),
        c.ForeignKeyAdded(T, key("a", "u")),
    ]

    def names(naming: Naming) -> list[str | None]:
        found = named(changes, {T: THERE}, naming)
        items = [
            getattr(one, kind) for one in found for kind in ("unique", "check", "foreign_key") if hasattr(one, kind)
        ]
        return [item.name or item.chosen for item in items]

    assert names(STANDARD) == (
        ["t_a_key1", "t_a_b_key", "built", "mine", "t_a_check1", "t_check", "t_c_check", "t_a_fkey"]
    )
    assert names(NAMING) == ["a", "a_2", "built", "mine", "CONSTRAINT_2", "CONSTRAINT_3", "CONSTRAINT_4", "t_ibfk_1"]


def test_a_name_that_ddl_does_not_say_is_kept_beside_the_constraint() -> None:
    changes = [c.ForeignKeyAdded(T, key("a", "u"))]
    (written,) = named(changes, {T: THERE}, STANDARD)
    (kept,) = named(changes, {T: THERE}, replace(STANDARD, written=(Unique,)))
    assert isinstance(written, c.ForeignKeyAdded)
    assert isinstance(kept, c.ForeignKeyAdded)
    assert (written.foreign_key.name, written.foreign_key.chosen) == ("t_a_fkey", None)
    assert (kept.foreign_key.name, kept.foreign_key.chosen) == (None, "t_a_fkey")


def test_constraints_without_a_name_are_told_apart_in_the_order_in_which_they_stand() -> None:
    checks = [Check(None, "a > 0"), Check("t_a_check1", "b > 0"), Check(None, "a > 1")]
    assert unnamed_names(T, ["a", "b"], checks) == ["t_a_check", None, "t_a_check2"]


@given(st.text(min_size=1, max_size=80), st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=4))
def test_names_fit_every_database(name: str, columns: list[str]) -> None:
    place = Place(TableName(name), columns)
    one = standard_name(Unique(None, tuple(columns)), place)
    other = standard_name(ForeignKey(None, tuple(columns), T, ("id",)), place._replace(own={one}))
    again = standard_name(Unique(None, tuple(columns)), place._replace(own={one}))
    assert all(len(made.encode()) <= 63 for made in (one, other, again))
    assert len({one, other, again}) == 3
