"""What takes each change back, in the downgrade of a revision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.lowering import reversal
from framework_m_migrations.domain.schema import Check, EnumType, Generated, Index, IndexKey, PrimaryKey, TableName
from tests.unit.domain.build import column, index, key, table, unique

T, OLD, E = TableName("t"), TableName("old"), TableName("e")
BEFORE, AFTER = column("a", "smallint", nullable=False), column("a", "bigint", default="1")
COMPUTED = replace(column("a"), generated=Generated("computed", "b + 1"))
INDEX, UNIQUE, CHECK, KEY = index("i", "a"), unique("a", "b", name="uq"), Check("ck", "a > 0"), key("a", "u", "fk")
ENUM = EnumType(E, ("x",))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (c.EnumAdded(T, ENUM), (o.DropEnum(E),)),
        (c.TableAdded(T, table("t")), (o.DropTable(T),)),
        (c.TableRenamed(T, OLD, table("t")), (o.RenameTable(T, OLD),)),
        (c.ColumnAdded(T, AFTER), (o.DropColumn(T, "a"),)),
        (c.ColumnRemoved(T, AFTER, owned=True), (o.AddColumn(T, AFTER),)),
        (c.ColumnTypeChanged(T, BEFORE, AFTER), (o.AlterType(T, AFTER, BEFORE),)),
        (c.ColumnDefaultChanged(T, BEFORE, AFTER), (o.SetDefault(T, AFTER, BEFORE),)),
        (c.ColumnNullabilityChanged(T, BEFORE, AFTER), (o.SetNotNull(T, BEFORE),)),
        (c.ColumnNullabilityChanged(T, AFTER, BEFORE), (o.DropNotNull(T, AFTER),)),
        (c.ColumnGenerationChanged(T, AFTER, COMPUTED), (o.SetGenerated(T, COMPUTED, AFTER),)),
        (c.CommentChanged(T, "a", "was", "is"), (o.SetComment(T, "a", "was"),)),
        (c.IndexAdded(T, INDEX), (o.DropIndex(T, "i"),)),
        (c.IndexRemoved(T, INDEX), (o.CreateIndex(T, INDEX),)),
        (c.IndexChanged(T, index("i", "b"), INDEX), (o.DropIndex(T, "i"), o.CreateIndex(T, index("i", "b")))),
        (c.UniqueAdded(T, UNIQUE), (o.DropConstraint(T, "uq", "unique"),)),
        (c.CheckRemoved(T, CHECK), (o.AddCheck(T, CHECK),)),
        (c.ForeignKeyAdded(T, KEY), (o.DropConstraint(T, "fk", "foreign_key"),)),
        (
            c.ForeignKeyChanged(T, key("a", "v", "fk"), KEY),
            (o.DropConstraint(T, "fk", "foreign_key"), o.AddForeignKey(T, key("a", "v", "fk"))),
        ),
    ],
)
def test_each_change_is_taken_back_by_its_mirror_image(change: c.Change, expected: tuple[o.Operation, ...]) -> None:
    assert reversal(change) == expected


def test_a_column_whose_values_are_gone_comes_back_nullable() -> None:
    assert reversal(c.ColumnRemoved(T, BEFORE, owned=True)) == (o.AddColumn(T, replace(BEFORE, nullable=True)),)


def test_an_adopted_index_is_an_index_again() -> None:
    made = Index("i", (IndexKey("a"), IndexKey("b")), unique=True)
    assert reversal(c.UniqueAdded(T, UNIQUE, via_index="i")) == (
        o.DropConstraint(T, "uq", "unique"),
        o.CreateIndex(T, made),
    )


def test_a_dropped_table_comes_back_where_its_definition_is_known() -> None:
    former = replace(table("t"), foreign_keys=(KEY,))
    assert reversal(c.TableRemoved(T, owned=True)) == ()
    assert reversal(c.TableRemoved(T, owned=True), former) == (o.CreateTable(former, (KEY,)),)


def test_labels_go_as_they_came() -> None:
    added = c.EnumValueAdded(T, E, "y", former=("x",))
    assert reversal(added) == (o.SetLabels(EnumType(E, ("x", "y")), EnumType(E, ("x",))),)
    other = EnumType(E, ("b",))
    assert reversal(c.EnumValuesIncompatible(T, ENUM, other)) == (o.SetLabels(other, ENUM),)


def test_constraints_of_a_renamed_table_get_their_names_back() -> None:
    renamed = c.TableRenamed(T, TableName("old"), table("t"), (("pk_old", "pk_t"),))
    assert reversal(renamed) == (o.RenameTable(T, TableName("old"), (("pk_t", "pk_old"),)),)


@pytest.mark.parametrize(
    "change",
    [
        c.PrimaryKeyChanged(T, None, PrimaryKey(("id",))),
        c.IndexInvalid(T, INDEX),
        c.ConstraintNotValidated(T, CHECK),
        c.ColumnUnfilled(T, BEFORE, AFTER),
    ],
)
def test_what_stays_has_no_reversal(change: c.Change) -> None:
    assert reversal(change) == ()
