"""How a wanted index or constraint finds what does its work already: a wrong match hides a rule that is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.diff import diff_table
from framework_m_migrations.domain.ownership import OwnedTable
from framework_m_migrations.domain.schema import Check, ForeignKey, Index, IndexKey, Table, TableName, Unique
from tests.unit.domain.build import LOCAL, SERVER, column, index, key, table, unique

T = TableName("t")
PLAIN = Capabilities("other")
"""A database where an index is no constraint and never becomes one."""
Part = Index | Unique | Check | ForeignKey


def made(*parts: Part) -> Table:
    return table(
        "t", column("a"), column("b"), column("A"),
        indexes=tuple(one for one in parts if isinstance(one, Index)),
        uniques=tuple(one for one in parts if isinstance(one, Unique)),
        checks=tuple(one for one in parts if isinstance(one, Check)),
        foreign_keys=tuple(one for one in parts if isinstance(one, ForeignKey)),
    )  # fmt: skip


def found(
    wanted: tuple[Part, ...], actual: tuple[Part, ...], capabilities: Capabilities = SERVER, *, ours: bool = False
) -> list[c.Change]:
    there = made(*actual)
    return diff_table(made(*wanted), there, OwnedTable.of(there, "T", "created") if ours else None, capabilities)


def ux(name: str, *columns: str, **traits: object) -> Index:
    return index(name, *columns, unique=True, **traits)


def keyed(name: str, modifiers: str) -> Index:
    return Index(name, (IndexKey("a", modifiers=modifiers),), unique=True)


NULLS = (("nulls_not_distinct", "true"),)
LATE = (("deferrable", "true"), ("initially", "DEFERRED"))
UQ = unique("a", name="uq")
DESC, OPS, PREFIX = keyed("i", "DESC"), keyed("i", "text_pattern_ops"), keyed("i", "(10)")


@pytest.mark.parametrize(
    ("wanted", "there", "adopts"),
    [
        (UQ, ux("i", "a"), True),
        (UQ, ux("i", "a", options=(("with.fillfactor", "70"), ("tablespace", "fast"))), True),
        (unique("b", "a", name="uq"), ux("i", "a", "b"), True),
        (replace(UQ, options=NULLS), ux("i", "a", options=NULLS), True),
        (replace(UQ, options=LATE), ux("i", "a"), True),
        (unique("a"), ux("i", "a"), True),
        (UQ, ux("i", "b"), False),
        (UQ, ux("i", "a", "b"), False),
        (unique("a", "b", name="uq"), ux("i", "a"), False),
        (UQ, index("i", "a"), False),
        (UQ, ux("i", "a", where="a > 0"), False),
        (UQ, ux("i", "a", include=("b",)), False),
        (UQ, ux("i", "a", valid=False), False),
        (UQ, ux("i", "a", options=NULLS), False),
        (UQ, Index("i", (IndexKey(None, "lower(a)"),), unique=True), False),
        (UQ, DESC, False),
        (UQ, OPS, False),
        (UQ, PREFIX, False),
        (replace(UQ, options=NULLS), ux("i", "a"), False),
        (replace(UQ, options=(("include", "b"),)), ux("i", "a"), False),
    ],
)
def test_a_constraint_is_made_of_an_index_that_is_what_it_would_be(wanted: Unique, there: Index, adopts: bool) -> None:
    assert found((wanted,), (there,)) == [c.UniqueAdded(T, wanted, "i" if adopts else None)]
    assert found((wanted,), (there,), PLAIN) == [c.UniqueAdded(T, wanted)]
    assert found((wanted,), (there,), LOCAL) == ([] if adopts else [c.UniqueAdded(T, wanted)])


def test_the_index_of_its_own_name_comes_first_and_is_built_again_where_a_build_was_killed() -> None:
    own, invalid, other = ux("uq", "a"), ux("uq", "a", valid=False), ux("i", "a")
    assert found((UQ,), (other, own)) == [c.UniqueAdded(T, UQ, "uq")]
    assert found((UQ,), (other, invalid)) == [c.IndexInvalid(T, invalid), c.UniqueAdded(T, UQ, "uq")]
    unnamed = ux("t_a_key", "a", valid=False)
    assert found((unique("a"),), (unnamed,)) == [c.IndexInvalid(T, unnamed), c.UniqueAdded(T, unique("a"), "t_a_key")]


def test_an_index_that_is_wanted_as_such_is_adopted_by_no_constraint() -> None:
    assert found((UQ, ux("i", "a")), (ux("i", "a"),)) == [c.UniqueAdded(T, UQ)]
    both = found((UQ, unique("a", "b", name="uq2")), (ux("i", "a"), ux("j", "a", "b")))
    assert both == [c.UniqueAdded(T, UQ, "i"), c.UniqueAdded(T, unique("a", "b", name="uq2"), "j")]


@pytest.mark.parametrize("capabilities", [SERVER, LOCAL, PLAIN])
def test_an_index_that_is_adopted_is_no_surplus_and_any_other_of_ours_is(capabilities: Capabilities) -> None:
    told = found((UQ,), (ux("i", "a"), index("j", "a"), index("k", "b")), capabilities, ours=True)
    assert [one for one in told if isinstance(one, c.IndexRemoved)] == [
        c.IndexRemoved(T, index("j", "a")),
        c.IndexRemoved(T, index("k", "b")),
    ]


@pytest.mark.parametrize(
    ("wanted", "there", "told"),
    [
        (ux("i", "a"), unique("a", name="u"), False),
        (ux("i", "b", "a"), unique("a", "b", name="u"), False),
        (ux("i", "a", options=NULLS), Unique("u", ("a",), NULLS), False),
        (ux("i", "a", options=(("with.fillfactor", "70"),)), unique("a", name="u"), False),
        (index("i", "a"), unique("a", name="u"), True),
        (ux("i", "a"), unique("a", "b", name="u"), True),
        (ux("i", "a"), Unique("u", ("a",), NULLS), True),
        (ux("i", "a"), Unique("u", ("a",), LATE), True),
        (ux("i", "a", options=NULLS), unique("a", name="u"), True),
        (ux("i", "a", include=("b",)), unique("a", name="u"), True),
        (ux("i", "a", where="a > 0"), unique("a", name="u"), True),
        (DESC, unique("a", name="u"), True),
    ],
)
@pytest.mark.parametrize("capabilities", [SERVER, LOCAL])
def test_a_constraint_does_the_work_of_a_wanted_index_that_is_no_more_than_it(
    wanted: Index, there: Unique, told: bool, capabilities: Capabilities
) -> None:
    assert found((wanted,), (there,), capabilities) == ([c.IndexAdded(T, wanted)] if told else [])


@pytest.mark.parametrize("capabilities", [SERVER, LOCAL, PLAIN])
@pytest.mark.parametrize("name", ["u", None])
def test_a_constraint_that_is_wanted_as_such_does_no_index_work(capabilities: Capabilities, name: str | None) -> None:
    wanted = (ux("i", "a"), unique("a", name=name))
    assert found(wanted, (unique("a", name="u"),), capabilities) == [c.IndexAdded(T, ux("i", "a"))]


def test_one_constraint_does_the_work_of_one_index() -> None:
    two = (ux("i", "a"), ux("j", "a"))
    assert found(two, (unique("a", name="u"),)) == [c.IndexAdded(T, ux("j", "a"))]
    assert found(two, (unique("a", name="u"), unique("a", name="v"))) == []


def test_where_a_constraint_is_an_index_its_name_is_taken() -> None:
    there = unique("a", name="u")
    assert found((ux("u", "a"),), (there,), LOCAL) == []
    before = ux("u", "a")
    for other in (ux("u", "b"), index("u", "a"), ux("u", "a", where="a > 0")):
        assert found((other,), (there,), LOCAL) == [c.IndexChanged(T, before, other)]
        assert found((other,), (there,)) == [c.IndexAdded(T, other)]
    assert found((ux("u", "a"),), (unique("a", name="u"),), LOCAL, ours=True) == [], "nor is it a surplus"


@pytest.mark.parametrize(
    ("wanted", "there", "expected"),
    [
        (unique("a", "b", name="u"), unique("b", "a", name="u"), []),
        (UQ, unique("b", name="uq"), [c.UniqueChanged(T, unique("b", name="uq"), UQ)]),
        (UQ, replace(UQ, options=NULLS), [c.UniqueChanged(T, replace(UQ, options=NULLS), UQ)]),
        (unique("a", name="u"), unique("a", name="v"), []),
        (unique("a", name="u"), unique("a"), []),
        (unique("a"), Unique("v", ("a",), NULLS), [c.UniqueAdded(T, unique("a"))]),
        (unique("a", name="u"), Unique("v", ("a",), LATE), [c.UniqueAdded(T, unique("a", name="u"))]),
    ],
)  # fmt: skip
def test_constraints_match_by_name_and_then_by_rule(wanted: Unique, there: Unique, expected: list[c.Change]) -> None:
    assert found((wanted,), (there,)) == expected


def test_each_constraint_that_is_there_is_taken_once() -> None:
    assert found((unique("a", name="u"), unique("b", name="v")), (unique("a", name="v"),)) == [
        c.UniqueChanged(T, unique("a", name="v"), unique("b", name="v")),
        c.UniqueAdded(T, unique("a", name="u")),
    ], "one of the wanted name is no other's"
    assert found((Check(None, "a > 0"), Check(None, "a > 0")), (Check("k", "a > 0"),)) == [
        c.CheckAdded(T, Check(None, "a > 0"))
    ]
    assert found((key("a", "p"), key("a", "p")), (key("a", "p", "f"),)) == [c.ForeignKeyAdded(T, key("a", "p"))]


CK = Check("ck", "a > 0")
QUOTED = Check("ck", '"a" > 0', valid=False)
OTHER = Check("other", "a > 0", valid=False)


@pytest.mark.parametrize(
    ("wanted", "there", "expected"),
    [
        ((CK,), (), [c.CheckAdded(T, CK)]),
        ((CK,), (Check("ck", '"a" > 0'),), []),
        ((CK,), (Check("ck", "b > 0"),), [c.CheckChanged(T, Check("ck", "b > 0"), CK)]),
        ((CK,), (QUOTED,), [c.ConstraintNotValidated(T, QUOTED)]),
        ((CK,), (Check("ck", "b > 0", valid=False),), [c.CheckChanged(T, Check("ck", "b > 0", valid=False), CK)]),
        ((CK,), (Check("other", "a > 0"),), []),
        ((CK,), (OTHER,), [c.ConstraintNotValidated(T, OTHER)]),
        ((Check(None, "a > 0"),), (Check("other", "a > 0"),), []),
        ((Check(None, "a > 0"), CK), (Check("ck", "a > 0"), Check("other", "a > 0")), []),
        ((Check(None, "a > 0"),), (Check(None, "a > 1"),), [c.CheckAdded(T, Check(None, "a > 0"))]),
        # A name comes before an expression, whatever the order: the other one is missing then.
        ((Check("x", "a > 0"), CK), (Check("ck", "a > 0"),), [c.CheckAdded(T, Check("x", "a > 0"))]),
    ],
)  # fmt: skip
def test_checks(wanted: tuple[Part, ...], there: tuple[Part, ...], expected: list[c.Change]) -> None:
    assert found(wanted, there) == expected


def two(columns: tuple[str, ...], targets: tuple[str, ...], name: str | None = None, **traits: object) -> ForeignKey:
    return ForeignKey(name, columns, TableName("p"), targets, **traits)  # type: ignore[arg-type]


FK = key("a", "p", "fk")
CASCADE = key("a", "p", "x", on_delete="CASCADE")


@pytest.mark.parametrize(
    ("wanted", "there", "expected"),
    [
        ((FK,), (), [c.ForeignKeyAdded(T, FK)]),
        ((FK,), (key("a", "p", "other"),), []),
        ((FK,), (key("b", "p", "other"),), [c.ForeignKeyAdded(T, FK)]),
        ((FK,), (key("b", "p", "fk"),), [c.ForeignKeyChanged(T, key("b", "p", "fk"), FK)]),
        ((key("a", "p"),), (key("b", "p"),), [c.ForeignKeyAdded(T, key("a", "p"))]),
        ((FK,), (key("a", "q", "other"),), [c.ForeignKeyChanged(T, key("a", "q", "other"), FK)]),
        ((FK,), (key("a", "p", "x", options=LATE),), [c.ForeignKeyChanged(T, key("a", "p", "x", options=LATE), FK)]),
        ((FK,), (CASCADE,), [c.ForeignKeyChanged(T, CASCADE, FK)]),
        ((FK,), (key("a", "p", "x", valid=False),), [c.ConstraintNotValidated(T, key("a", "p", "x", valid=False))]),
        ((two(("a", "b"), ("x", "y")),), (two(("b", "a"), ("y", "x"), "f"),), []),
        ((two(("a", "b"), ("x", "y")),), (two(("a", "b"), ("y", "x"), "f"),),
         [c.ForeignKeyChanged(T, two(("a", "b"), ("y", "x"), "f"), two(("a", "b"), ("x", "y")))]),
        # One that is as wanted is nobody else's former self, though it comes later.
        ((key("a", "q"), FK), (key("a", "p", "fk"),), [c.ForeignKeyAdded(T, key("a", "q"))]),
    ],
)  # fmt: skip
def test_foreign_keys(wanted: tuple[Part, ...], there: tuple[Part, ...], expected: list[c.Change]) -> None:
    assert found(wanted, there) == expected


@pytest.mark.parametrize(
    ("wanted", "there", "kind"),
    [
        (index("i", "a"), index("i", "a", valid=False), "IndexInvalid"),
        (index("i", "a"), index("i", "b", valid=False), "IndexChanged"),
        (index("i", "a"), index("i", "a", "b"), "IndexChanged"),
        (index("i", "a", "b"), index("i", "b", "a"), "IndexChanged"),
        (index("i", "a"), index("i", "a", method="hash"), "IndexChanged"),
        (index("i", "a"), index("i", "a", include=("b",)), "IndexChanged"),
        (index("i", "a"), index("i", "a", options=NULLS), "IndexChanged"),
        (index("i", "a"), ux("i", "a"), "IndexChanged"),
        (index("i", "a"), Index("i", (IndexKey("a", modifiers="DESC"),)), "IndexChanged"),
        (index("i", "a", where="a > 0"), index("i", "a"), "IndexChanged"),
        (index("i", "a", where="a > 0"), index("i", "a", where='"a" > 0'), None),
        (index("i", "a", where="a > 0"), index("i", "a", where='"A" > 0'), "IndexChanged"),
    ],
)
def test_an_index_of_the_wanted_name_is_compared_in_full(wanted: Index, there: Index, kind: str | None) -> None:
    expected: dict[str | None, list[c.Change]] = {
        None: [], "IndexInvalid": [c.IndexInvalid(T, wanted)], "IndexChanged": [c.IndexChanged(T, there, wanted)],
    }  # fmt: skip
    assert found((wanted,), (there,)) == expected[kind]


def test_what_is_wanted_is_told_in_the_order_of_its_kinds() -> None:
    wanted = (key("a", "p"), CK, UQ, index("i", "b"))
    assert found(wanted, ()) == [
        c.IndexAdded(T, index("i", "b")),
        c.UniqueAdded(T, UQ),
        c.CheckAdded(T, CK),
        c.ForeignKeyAdded(T, key("a", "p")),
    ]
