"""What brings each change about: the operations that sync applies, `create` writes down and `--allow-drop` sends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.capabilities import Capabilities
from framework_m_migrations.domain.filling import BATCH
from framework_m_migrations.domain.lowering import Lowering, creation_order, reversal, stageable
from framework_m_migrations.domain.schema import (
    Check,
    Column,
    EnumType,
    Generated,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)
from tests.unit.domain.build import LOCAL, SERVER, column, index, key, table, unique

T, OLD, E = TableName("t"), TableName("old"), TableName("e")
BEFORE, AFTER = column("a", "smallint", nullable=False), column("a", "bigint", default="1", nullable=False)
RENAMED = replace(BEFORE, name="b")
CHECK, KEY, UNIQUE = Check("ck", "a > 0"), key("a", "u", "fk"), unique("a", "b", name="uq")
INDEX = index("i", "a")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (c.EnumAdded(T, EnumType(E, ("x",))), o.CreateEnum(EnumType(E, ("x",)))),
        (c.EnumValueAdded(T, E, "y", "x", None), o.AddEnumValue(E, "y", "x", None)),
        (c.EnumValueAdded(T, E, "w", None, "x"), o.AddEnumValue(E, "w", None, "x")),
        (c.ColumnAdded(T, AFTER), o.AddColumn(T, AFTER)),
        (c.ColumnTypeChanged(T, BEFORE, AFTER), o.AlterType(T, BEFORE, AFTER)),
        (c.ColumnNullabilityChanged(T, column("a"), AFTER), o.SetNotNull(T, AFTER)),
        (c.ColumnNullabilityChanged(T, AFTER, column("a")), o.DropNotNull(T, column("a"))),
        (c.ColumnDefaultChanged(T, BEFORE, AFTER), o.SetDefault(T, BEFORE, AFTER)),
        (c.CommentChanged(T, "a", "x", "y"), o.SetComment(T, "a", "y")),
        (c.CommentChanged(T, None, "x", None), o.SetComment(T, None, None)),
        (c.IndexInvalid(T, INDEX), o.RebuildIndex(T, INDEX)),
        (c.ConstraintNotValidated(T, CHECK), o.ValidateConstraint(T, CHECK)),
        (c.ConstraintNotValidated(T, KEY), o.ValidateConstraint(T, KEY)),
        (c.UniqueAdded(T, UNIQUE, via_index="i"), o.AddUnique(T, UNIQUE, "i")),
        (c.TableRemoved(T, owned=True), o.DropTable(T)),
        (c.ColumnRemoved(T, AFTER, owned=True), o.DropColumn(T, "a")),
        (c.IndexRemoved(T, INDEX), o.DropIndex(T, "i")),
        (c.UniqueRemoved(T, UNIQUE), o.DropConstraint(T, "uq", "unique")),
        (c.CheckRemoved(T, CHECK), o.DropConstraint(T, "ck", "check")),
        (c.ForeignKeyRemoved(T, KEY), o.DropConstraint(T, "fk", "foreign_key")),
        (c.TableRenamed(T, OLD, table("t")), o.RenameTable(OLD, T)),
        (c.ColumnRenamed(T, BEFORE, RENAMED), o.RenameColumn(T, BEFORE, RENAMED)),
        (c.ColumnGenerationChanged(T, BEFORE, AFTER), o.SetGenerated(T, BEFORE, AFTER)),
    ],
)
def test_a_change_that_one_operation_brings_about_wherever_it_is(change: c.Change, expected: o.Operation) -> None:
    for capabilities in (SERVER, LOCAL):
        for online in (False, True):
            assert Lowering(capabilities, online).operations(change) == (expected,)


@pytest.mark.parametrize(
    ("change", "dropped", "made"),
    [
        (c.IndexChanged(T, index("old", "a"), INDEX), o.DropIndex(T, "old"), o.CreateIndex(T, INDEX)),
        (c.UniqueChanged(T, unique("b", name="old"), UNIQUE), o.DropConstraint(T, "old", "unique"),
         o.AddUnique(T, UNIQUE)),
        (c.CheckChanged(T, Check("old", "b"), CHECK), o.DropConstraint(T, "old", "check"), o.AddCheck(T, CHECK)),
        (c.ForeignKeyChanged(T, key("b", "u", "old"), KEY), o.DropConstraint(T, "old", "foreign_key"),
         o.AddForeignKey(T, KEY)),
    ],
)  # fmt: skip
def test_another_definition_drops_the_old_one_before_it_makes_the_new(
    change: c.Change, dropped: o.Operation, made: o.Operation
) -> None:
    assert Lowering(SERVER, online=True).operations(change) == (dropped, made)


def test_a_constraint_without_a_name_cannot_be_dropped_by_it() -> None:
    assert Lowering(SERVER).operations(c.UniqueRemoved(T, unique("a"))) == ()
    assert Lowering(SERVER).operations(c.CheckRemoved(T, Check(None, "a"))) == ()
    assert Lowering(SERVER).operations(c.ForeignKeyRemoved(T, key("a", "u"))) == ()


def test_what_somebody_has_to_decide_has_no_operation() -> None:
    assert Lowering(SERVER, online=True).operations(c.PrimaryKeyChanged(T, None, PrimaryKey(("id",)))) == ()


def test_labels_that_go_take_another_type() -> None:
    old, new = EnumType(E, ("a",)), EnumType(E, ("b",))
    assert Lowering(SERVER, revision=True).operations(c.EnumValuesIncompatible(T, old, new)) == (o.SetLabels(old, new),)


def test_a_revision_gives_rows_a_value_before_it_forbids_null() -> None:
    lowering = Lowering(SERVER, revision=True)
    needed, filled = column("a", nullable=False), replace(column("a", nullable=False), fill="'x'")
    assert lowering.operations(c.ColumnAdded(T, needed)) == (
        o.AddColumn(T, replace(needed, nullable=True)),
        o.Backfill(T, needed, None),
        o.SetNotNull(T, needed),
    )
    assert lowering.operations(c.ColumnNullabilityChanged(T, column("a"), filled)) == (
        o.Backfill(T, filled, "'x'"),
        o.SetNotNull(T, filled),
    )
    assert lowering.operations(c.ColumnAdded(T, AFTER)) == (o.AddColumn(T, AFTER),), "a default is a value"


def test_what_else_a_renamed_column_changes_is_done_under_its_new_name() -> None:
    was = column("a", "integer", default="1")
    now = replace(column("b", "bigint", nullable=False), comment="how many")
    moved = replace(was, name="b")
    bare = replace(moved, default=None)
    change = c.ColumnRenamed(T, was, now)
    assert Lowering(SERVER, revision=True).operations(change) == (
        o.RenameColumn(T, was, now),
        o.SetDefault(T, moved, bare),
        o.AlterType(T, bare, now),
        o.Backfill(T, now, None),
        o.SetNotNull(T, now),
        o.SetComment(T, "b", "how many"),
    )
    assert reversal(change) == (
        o.AlterType(T, now, moved),
        o.SetDefault(T, now, moved),
        o.DropNotNull(T, moved),
        o.SetComment(T, "b", None),
        o.RenameColumn(T, moved, was),
    )


def test_a_revision_finds_a_constraint_without_a_name_by_its_definition() -> None:
    (dropped,) = Lowering(SERVER, revision=True).operations(c.CheckRemoved(T, Check(None, "a")))
    assert isinstance(dropped, o.DropConstraint)
    assert (dropped.constraint, dropped.kind, dropped.definition) == ("", "check", Check(None, "a"))


def server(**traits: object) -> Capabilities:
    return replace(SERVER, **traits)  # type: ignore[arg-type]


def test_writers_are_not_held_up_by_an_index_where_the_database_can_do_without() -> None:
    change = c.IndexAdded(T, INDEX)
    assert Lowering(SERVER, online=True).operations(change) == (o.CreateIndex(T, INDEX, online=True),)
    assert Lowering(SERVER).operations(change) == (o.CreateIndex(T, INDEX, online=False),)
    assert Lowering(server(online_index=False), online=True).operations(change) == (o.CreateIndex(T, INDEX),)


def test_a_unique_constraint_over_rows_adopts_an_index_that_was_built_without_holding_writers_up() -> None:
    change = c.UniqueAdded(T, UNIQUE)
    built = Index("uq", (IndexKey("a"), IndexKey("b")), unique=True)
    assert Lowering(SERVER, online=True).operations(change) == (
        o.CreateIndex(T, built, online=True),
        o.AddUnique(T, UNIQUE, "uq"),
    )
    nameless = Lowering(SERVER, online=True).operations(c.UniqueAdded(T, unique("a")))
    assert nameless == (
        o.CreateIndex(T, Index("t_a_key", (IndexKey("a"),), unique=True), online=True),
        o.AddUnique(T, unique("a"), "t_a_key"),
    )
    made_up = Lowering(SERVER, online=True).operations(c.UniqueAdded(T, unique("a" * 80)))[0]
    assert isinstance(made_up, o.CreateIndex)
    assert len(made_up.index.name) == 63, "the server would cut it, and the constraint would not find it"
    plain = (o.AddUnique(T, UNIQUE),)
    assert Lowering(SERVER).operations(change) == plain
    assert Lowering(server(online_index=False), online=True).operations(change) == plain
    late, nulls = ("deferrable", "true"), ("nulls_not_distinct", "true")
    both = Unique("uq", ("a",), (late, nulls))
    assert Lowering(SERVER, online=True).operations(c.UniqueAdded(T, both)) == (
        o.CreateIndex(T, Index("uq", (IndexKey("a"),), unique=True, options=(nulls,)), online=True),
        o.AddUnique(T, both, "uq"),
    )
    other = Unique("uq", ("a",), (late, ("include", "b")))
    assert Lowering(SERVER, online=True).operations(c.UniqueAdded(T, other)) == (o.AddUnique(T, other),)


@pytest.mark.parametrize(
    ("change", "whole", "staged"),
    [
        (c.CheckAdded(T, CHECK), o.AddCheck(T, CHECK, validate=True), o.AddCheck(T, CHECK, validate=False)),
        (c.ForeignKeyAdded(T, KEY), o.AddForeignKey(T, KEY, validate=True), o.AddForeignKey(T, KEY, validate=False)),
    ],
)
def test_a_constraint_over_rows_is_validated_after_it_stands(
    change: c.CheckAdded | c.ForeignKeyAdded, whole: o.Operation, staged: o.Operation
) -> None:
    constraint = change.check if isinstance(change, c.CheckAdded) else change.foreign_key
    assert Lowering(SERVER, online=True).operations(change) == (staged, o.ValidateConstraint(T, constraint))
    assert Lowering(SERVER).operations(change) == (whole,)
    assert Lowering(server(deferred_validation=False), online=True).operations(change) == (whole,)


def test_a_constraint_that_has_no_name_to_be_validated_by_is_added_at_once() -> None:
    check, foreign_key = Check(None, "a > 0"), key("a", "u")
    assert Lowering(SERVER, online=True).operations(c.CheckAdded(T, check)) == (o.AddCheck(T, check),)
    assert Lowering(SERVER, online=True).operations(c.ForeignKeyAdded(T, foreign_key)) == (
        o.AddForeignKey(T, foreign_key),
    )


def test_a_new_table_carries_the_foreign_keys_that_may_stand_at_once_and_gets_the_others_after() -> None:
    early, late = key("a", "p", "early"), key("b", "q", "late")
    new = table("t", foreign_keys=(early, late))
    assert Lowering(SERVER, inline=(early,)).operations(c.TableAdded(T, new)) == (
        o.CreateTable(new, (early,)),
        o.AddForeignKey(T, late),
    )


def made(tables: list[Table], *existing: str, apart: bool = True) -> list[tuple[str, list[str | None]]]:
    order = creation_order(tables, frozenset(TableName(name) for name in existing), apart_from_existing=apart)
    return [(one.name.name, [foreign_key.name for foreign_key in keys]) for one, keys in order]


def test_the_order_of_declaration_decides_among_tables_that_need_nothing_of_each_other() -> None:
    assert made([table("b"), table("a"), table("c")]) == [("b", []), ("a", []), ("c", [])]
    child = table("child", foreign_keys=(key("x", "z", "to_z"), key("y", "m", "to_m")))
    assert made([child, table("m"), table("z")]) == [("z", []), ("m", []), ("child", ["to_z", "to_m"])]


def test_a_table_that_two_others_need_is_made_once_and_first() -> None:
    left, right = (table(name, foreign_keys=(key("x", "base", name),)) for name in ("left", "right"))
    top = table("top", foreign_keys=(key("x", "left", "l"), key("y", "right", "r")))
    assert made([top, left, right, table("base")]) == [
        ("base", []),
        ("left", ["left"]),
        ("right", ["right"]),
        ("top", ["l", "r"]),
    ]


def test_a_key_to_a_table_that_nobody_has_is_never_carried_by_create_table() -> None:
    lost = table("lost", foreign_keys=(key("x", "nowhere", "fk"),))
    assert made([lost]) == [("lost", [])]
    assert made([lost], "nowhere") == [("lost", [])]
    assert made([lost], "nowhere", apart=False) == [("lost", ["fk"])]


def test_two_keys_to_one_table_and_circles_beside_it() -> None:
    double = table("double", foreign_keys=(key("x", "base", "one"), key("y", "base", "two")))
    one = table("one", foreign_keys=(key("x", "two", "to_two"), key("y", "base", "to_base")))
    two = table("two", foreign_keys=(key("x", "one", "to_one"), key("y", "double", "to_double")))
    assert made([one, two, double, table("base")]) == [
        ("base", []),
        ("double", ["one", "two"]),
        ("two", ["to_double"]),
        ("one", ["to_two", "to_base"]),
    ]


STAGES = replace(SERVER, staged_defaults=True)
ID = column("id", nullable=False)
DRAWN = column("a", default="random()", volatile_default=True)


def staged(change: c.Change, key: tuple[Column, ...] = (ID,), **traits: object) -> tuple[o.Operation, ...]:
    return Lowering(STAGES, **{"online": True, "rows": True, "key": key, **traits}).operations(change)  # type: ignore[arg-type]


def test_a_default_that_is_another_for_each_row_is_given_in_batches_where_rows_can_be_gone_through() -> None:
    assert staged(c.ColumnAdded(T, DRAWN)) == (o.AddColumn(T, DRAWN, staged=True), o.FillColumn(T, DRAWN, (ID,), BATCH))
    needed = replace(DRAWN, nullable=False)
    assert staged(c.ColumnAdded(T, needed)) == (
        o.AddColumn(T, DRAWN, staged=True),
        o.FillColumn(T, needed, (ID,), BATCH),
        o.SetNotNull(T, needed, validate=False),
        o.FillColumn(T, needed, (ID,), BATCH, late=True),
        o.ValidateNotNull(T, needed),
    )


def test_what_cannot_be_staged_is_added_at_once_and_says_whether_that_rewrites() -> None:
    at_once = (o.AddColumn(T, DRAWN, rewrites=True),)
    assert staged(c.ColumnAdded(T, DRAWN), key=()) == at_once
    assert staged(c.ColumnAdded(T, DRAWN), online=False) == at_once
    assert staged(c.ColumnAdded(T, DRAWN), online=False, rows=False) == (o.AddColumn(T, DRAWN),)
    for quiet in (column("a"), column("a", default="1"), column("a", nullable=False, fill="1")):
        assert staged(c.ColumnAdded(T, quiet)) == (o.AddColumn(T, quiet, rewrites=False),)
    elsewhere = Lowering(SERVER, online=True, rows=True, key=(ID,))
    assert elsewhere.operations(c.ColumnAdded(T, DRAWN)) == (o.AddColumn(T, DRAWN, rewrites=False),)


def test_only_a_default_of_the_column_itself_is_staged() -> None:
    assert stageable(DRAWN, STAGES)
    assert not stageable(DRAWN, SERVER)
    assert not stageable(column("a", default="1"), STAGES)
    assert not stageable(replace(DRAWN, default=None), STAGES)
    assert not stageable(replace(DRAWN, generated=Generated("serial")), STAGES)


@pytest.mark.parametrize(
    ("nullable", "not_null", "written", "kinds"),
    [
        (True, False, False, ["Fill"]),
        (False, False, False, ["Fill", "SetNotNull", "Fill late", "ValidateNotNull"]),
        (False, False, True, ["SetNotNull", "Fill late", "ValidateNotNull"]),
        (False, True, False, ["Fill late", "ValidateNotNull"]),
        (False, True, True, ["Fill late", "ValidateNotNull"]),
    ],
)
def test_what_was_interrupted_goes_on_where_it_stopped(
    nullable: bool, not_null: bool, written: bool, kinds: list[str]
) -> None:
    wanted = replace(DRAWN, nullable=nullable)
    made = staged(c.ColumnUnfilled(T, replace(DRAWN, nullable=not not_null), wanted, written))
    every: dict[str, o.Operation] = {
        "Fill": o.FillColumn(T, wanted, (ID,), BATCH),
        "SetNotNull": o.SetNotNull(T, wanted, validate=False),
        "Fill late": o.FillColumn(T, wanted, (ID,), BATCH, late=True),
        "ValidateNotNull": o.ValidateNotNull(T, wanted),
    }
    assert made == tuple(every[kind] for kind in kinds)
