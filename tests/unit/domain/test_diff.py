"""Every kind of difference is found, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.diff import diff_doctype, diff_table
from framework_m_migrations.domain.ownership import OwnedTable
from framework_m_migrations.domain.schema import (
    Check,
    EnumType,
    Generated,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
)
from tests.unit.domain.build import LOCAL, SERVER, catalog, column, doctype, index, key, table, unique

T = TableName("t")


def kinds(wanted: Table, actual: Table, owned: OwnedTable | None = None) -> list[str]:
    return [type(change).__name__ for change in diff_table(wanted, actual, owned, SERVER)]


def test_equal_tables_have_no_difference_whatever_the_order_of_their_parts() -> None:
    one = table("t", column("a"), column("b"), indexes=(index("i", "a"), index("j", "b")))
    other = table("t", column("b"), column("a"), indexes=(index("j", "b"), index("i", "a")))
    assert diff_table(one, other, None, SERVER) == []


@pytest.mark.parametrize(
    ("wanted", "actual", "kind"),
    [
        (column("a"), column("a", "text"), "ColumnTypeChanged"),
        (column("a"), column("a", nullable=False), "ColumnNullabilityChanged"),
        (column("a", default="1"), column("a"), "ColumnDefaultChanged"),
        (column("a"), column("a", default="1"), "ColumnDefaultChanged"),
        (column("a", generated=Generated("identity")), column("a"), "ColumnGenerationChanged"),
        (column("a", comment="x"), column("a"), "CommentChanged"),
    ],
)
def test_each_trait_of_a_column_is_compared(wanted: object, actual: object, kind: str) -> None:
    assert kinds(table("t", wanted), table("t", actual)) == [kind]  # type: ignore[arg-type]


def test_several_traits_of_one_column_are_changes_of_their_own() -> None:
    found = kinds(table("t", column("a", nullable=False, default="1")), table("t", column("a", "text")))
    assert found == ["ColumnTypeChanged", "ColumnNullabilityChanged", "ColumnDefaultChanged"]


def test_a_default_of_the_application_that_sync_left_in_the_database_is_no_difference() -> None:
    assert kinds(table("t", column("a", fill="'x'")), table("t", column("a", default="'x'"))) == []
    assert kinds(table("t", column("a", fill="'x'")), table("t", column("a", default="'y'"))) == [
        "ColumnDefaultChanged"
    ]


def test_a_default_of_the_application_that_changes_is_followed_by_the_one_left_for_old_code() -> None:
    wanted = table("t", column("a", fill="'new'", nullable=False), column("b", fill="'new'"))
    actual = table("t", column("a", default="'old'", nullable=False), column("b", default="'old'"))
    found = diff_table(wanted, actual, None, SERVER)
    assert [(type(one).__name__, getattr(one, "column").default) for one in found] == [  # noqa: B009
        ("ColumnDefaultChanged", "'new'"),
        ("ColumnDefaultChanged", None),
    ]


def test_a_missing_column_is_added_and_a_surplus_one_reported_with_its_owner() -> None:
    owned = OwnedTable.of(table("t", column("old")), "T", "created")
    found = diff_table(table("t", column("new")), table("t", column("old"), column("theirs")), owned, SERVER)
    assert found == [
        c.ColumnAdded(T, column("new")),
        c.ColumnRemoved(T, column("old"), owned=True),
        c.ColumnRemoved(T, column("theirs"), owned=False),
    ]


def test_a_declared_rename_is_a_rename_only_while_the_old_column_stands() -> None:
    wanted = table("t", column("new", renamed_from="old"))
    assert kinds(wanted, table("t", column("old"))) == ["ColumnRenamed"]
    assert kinds(wanted, table("t")) == ["ColumnAdded"]
    assert kinds(wanted, table("t", column("new"))) == []
    assert kinds(table("t", column("old"), column("new", renamed_from="old")), table("t", column("old"))) == [
        "ColumnAdded"
    ]


def test_a_declared_rename_of_a_table_looks_for_the_old_one() -> None:
    wanted = replace(table("t"), renamed_from="before")
    assert diff_doctype(doctype(wanted), catalog(table("before")), {}, SERVER) == [
        c.TableRenamed(T, TableName("before"), wanted)
    ]
    assert diff_doctype(doctype(wanted), catalog(), {}, SERVER) == [c.TableAdded(T, wanted)]


def test_indexes_are_matched_by_name_and_compared_in_full() -> None:
    actual = table("t", column("a"), indexes=(index("i", "a"),))
    assert kinds(table("t", column("a"), indexes=(index("i", "a", where="a > 0"),)), actual) == ["IndexChanged"]
    assert kinds(table("t", column("a"), indexes=(index("j", "a"),)), actual) == ["IndexAdded"]


def test_quotes_round_the_name_of_a_column_are_no_difference_of_an_index_and_all_else_is() -> None:
    def made(expression: str | None, where: str | None = None, **traits: object) -> Table:
        keys = (IndexKey("a" if expression is None else None, expression), IndexKey("b"))
        return table("t", column("a"), column("b"), indexes=(Index("i", keys, where=where, **traits),))  # type: ignore[arg-type]

    wanted = made("lower(a)", "b > 'a'")
    assert kinds(wanted, made('lower("a")', "\"b\" > 'a'")) == []
    assert kinds(wanted, made('lower("a")', "\"b\" > 'a'", valid=False)) == ["IndexInvalid"]
    for other in (
        made("lower(b)", "b > 'a'"),
        made('lower("A")', "b > 'a'"),
        made('lower("a")', "b > '\"a\"'"),
        made('lower("a")'),
        made('lower("a")', "b > 'a'", unique=True),
        made(None, "b > 'a'"),
        table("t", column("a"), column("b"), indexes=(index("i", "b", where="b > 'a'"),)),
    ):
        assert kinds(wanted, other) == ["IndexChanged"]


def test_an_index_left_invalid_by_a_killed_build_is_found() -> None:
    broken = table("t", column("a"), indexes=(index("i", "a", valid=False),))
    assert kinds(table("t", column("a"), indexes=(index("i", "a"),)), broken) == ["IndexInvalid"]


def test_an_index_of_an_administrator_is_none_of_our_business_but_one_of_ours_is() -> None:
    with_index = table("t", column("a"), indexes=(index("i", "a"),))
    without = table("t", column("a"))
    assert kinds(without, with_index) == []
    assert kinds(without, with_index, OwnedTable.of(with_index, "T", "created")) == ["IndexRemoved"]


def test_unique_constraints_match_by_columns_when_nobody_named_them() -> None:
    actual = table("t", column("a"), column("b"), uniques=(unique("b", "a", name="t_a_b_key"),))
    assert kinds(table("t", column("a"), column("b"), uniques=(unique("a", "b"),)), actual) == []
    assert kinds(table("t", column("a"), column("b"), uniques=(unique("a"),)), actual) == ["UniqueAdded"]


def test_a_unique_index_can_become_the_wanted_constraint_or_satisfies_it() -> None:
    wanted = table("t", column("a"), uniques=(unique("a", name="uq"),))
    actual = table("t", column("a"), indexes=(index("i", "a", unique=True),))
    assert diff_table(wanted, actual, None, SERVER) == [c.UniqueAdded(T, unique("a", name="uq"), "i")]
    assert diff_table(wanted, actual, None, LOCAL) == []
    partial = table("t", column("a"), indexes=(index("i", "a", unique=True, where="a > 0"),))
    assert diff_table(wanted, partial, None, LOCAL) == [c.UniqueAdded(T, unique("a", name="uq"))]


def test_a_unique_constraint_satisfies_a_wanted_unique_index() -> None:
    wanted = table("t", column("a"), indexes=(index("i", "a", unique=True),))
    assert kinds(wanted, table("t", column("a"), uniques=(unique("a", name="t_a_key"),))) == []


def test_a_unique_of_ours_that_nobody_named_is_recognised_by_its_shape() -> None:
    made = table("t", column("a"), uniques=(unique("a"),))
    in_database = table("t", column("a"), uniques=(unique("a", name="t_a_key"),))
    owned = OwnedTable.of(made, "T", "created")
    assert kinds(table("t", column("a")), in_database, owned) == ["UniqueRemoved"]
    assert kinds(table("t", column("a")), in_database) == []


def test_checks_are_matched_by_name_then_by_expression() -> None:
    actual = table("t", column("a"), checks=(Check("ck", "a > 0"),))
    assert kinds(table("t", column("a"), checks=(Check(None, "a > 0"),)), actual) == []
    assert kinds(table("t", column("a"), checks=(Check("ck", "a > 1"),)), actual) == ["CheckChanged"]
    assert kinds(table("t", column("a"), checks=(Check("other", "a > 1"),)), actual) == ["CheckAdded"]


def test_a_check_or_key_that_was_never_validated_is_found() -> None:
    pending = table("t", column("a"), checks=(Check("ck", "a > 0", valid=False),))
    assert kinds(table("t", column("a"), checks=(Check("ck", "a > 0"),)), pending) == ["ConstraintNotValidated"]
    loose = table("t", column("a"), foreign_keys=(key("a", "p", "fk", valid=False),))
    assert kinds(table("t", column("a"), foreign_keys=(key("a", "p"),)), loose) == ["ConstraintNotValidated"]


@pytest.mark.parametrize("traits", [{"on_delete": "CASCADE"}, {"on_update": "SET NULL"}])
def test_a_change_of_what_a_foreign_key_does_is_seen(traits: dict[str, str]) -> None:
    wanted = table("t", column("a"), foreign_keys=(key("a", "p", **traits),))
    actual = table("t", column("a"), foreign_keys=(key("a", "p", "t_a_fkey"),))
    assert kinds(wanted, actual) == ["ForeignKeyChanged"]


def test_a_foreign_key_with_another_target_is_changed_not_added() -> None:
    wanted = table("t", column("a"), foreign_keys=(key("a", "q"),))
    assert kinds(wanted, table("t", column("a"), foreign_keys=(key("a", "p", "x"),))) == ["ForeignKeyChanged"]


def test_enumerations_grow_in_place_and_anything_else_is_incompatible() -> None:
    name = TableName("colour")

    def found(wanted: tuple[str, ...], actual: tuple[str, ...]) -> list[c.Change]:
        one = doctype(table("t"), enums=(EnumType(name, wanted),))
        return diff_doctype(one, catalog(table("t"), enums=(EnumType(name, actual),)), {}, SERVER)

    assert found(("a", "b"), ("a", "b")) == []
    assert found(("a", "x", "b"), ("a", "b")) == [c.EnumValueAdded(T, name, "x", "a", None, ("a", "b"))]
    assert found(("x", "y", "a"), ("a",)) == [
        c.EnumValueAdded(T, name, "x", None, "a", ("a",)),
        c.EnumValueAdded(T, name, "y", "x", None, ("a",)),
    ]
    for incompatible in (("a",), ("b", "a")):
        assert [type(change) for change in found(incompatible, ("a", "b"))] == [c.EnumValuesIncompatible]


def test_a_change_of_the_primary_key_is_seen() -> None:
    wanted = replace(table("t", column("a")), primary_key=None)
    assert diff_table(wanted, table("t", column("a")), None, SERVER) == [
        c.PrimaryKeyChanged(T, PrimaryKey(("id",)), None)
    ]
    other = replace(wanted, primary_key=PrimaryKey(("id", "a")))
    assert diff_table(other, table("t", column("a")), None, SERVER) == [
        c.PrimaryKeyChanged(T, PrimaryKey(("id",)), PrimaryKey(("id", "a")))
    ]


def test_a_new_enumeration_belongs_to_the_first_table_where_the_database_has_such_types() -> None:
    colour = EnumType(TableName("colour"), ("a",))
    wanted = doctype(table("t"), table("u"), enums=(colour,))
    assert diff_doctype(wanted, catalog(table("t"), table("u")), {}, SERVER) == [c.EnumAdded(T, colour)]
    assert diff_doctype(wanted, catalog(table("t"), table("u")), {}, LOCAL) == []
    alone = diff_doctype(replace(wanted, tables=()), catalog(), {}, SERVER)
    assert alone == [c.EnumAdded(colour.name, colour)], "the MetaData itself may declare it"


def test_labels_that_cannot_be_had_name_both_sides() -> None:
    name = TableName("colour")
    wanted, there = EnumType(name, ("b",)), EnumType(name, ("a", "b"))
    one = doctype(table("t"), enums=(wanted,))
    assert diff_doctype(one, catalog(table("t"), enums=(there,)), {}, SERVER) == [
        c.EnumValuesIncompatible(T, there, wanted)
    ]


def test_every_table_of_a_doctype_is_looked_at() -> None:
    first, second, third = table("t"), table("u", column("a")), table("v")
    assert diff_doctype(doctype(first, second, third), catalog(first, table("u")), {}, SERVER) == [
        c.ColumnAdded(TableName("u"), column("a")),
        c.TableAdded(TableName("v"), third),
    ]


def test_a_table_was_renamed_within_its_schema() -> None:
    name, old = TableName("t", "s"), TableName("before", "s")
    wanted = replace(table("t"), name=name, renamed_from="before")
    assert diff_doctype(doctype(wanted), catalog(replace(table("before"), name=old)), {}, SERVER) == [
        c.TableRenamed(name, old, wanted)
    ]
    assert diff_doctype(doctype(wanted), catalog(table("before")), {}, SERVER) == [c.TableAdded(name, wanted)]


def test_a_renamed_column_is_told_as_it_was_and_as_it_shall_be() -> None:
    old, new = column("old", "text"), column("new", renamed_from="old")
    assert diff_table(table("t", new), table("t", old), None, SERVER) == [c.ColumnRenamed(T, old, new)]
    assert kinds(table("t", column("x", renamed_from="old"), new), table("t", old)) == ["ColumnRenamed", "ColumnAdded"]
    for both in (table("t", old, new), table("t", new, old)):
        assert diff_table(both, table("t", old), None, SERVER) == [c.ColumnAdded(T, new)], "the old one is wanted, too"


def computed(expression: str, *, stored: bool = True) -> Generated:
    return Generated("computed", expression, stored=stored)


@pytest.mark.parametrize(
    ("wanted", "there", "same"),
    [
        (computed("a + 1"), computed("a + 1"), True),
        (computed("a + 1"), computed('"a" + 1'), True),
        (computed('"a" + 1'), computed("a + 1"), True),
        (computed("a + 1"), computed("a + 2"), False),
        (computed("a + 1"), computed('"A" + 1'), False),
        (computed("a + 1"), computed('"a" + 1', stored=False), False),
        (computed("a + 1"), None, False),
        (None, computed("a + 1"), False),
        (Generated("identity"), Generated("identity", always=True), False),
        (Generated("identity"), Generated("serial"), False),
        (None, None, True),
    ],
)
def test_how_a_column_is_filled_is_compared_but_for_quotes(
    wanted: Generated | None, there: Generated | None, same: bool
) -> None:
    before, after = column("g", generated=there), column("g", generated=wanted)
    found = diff_table(table("t", column("a"), after), table("t", column("a"), before), None, SERVER)
    assert found == ([] if same else [c.ColumnGenerationChanged(T, before, after)])


def test_a_default_of_the_database_wins_over_one_of_the_application() -> None:
    before, after = column("a", nullable=False, default="1"), column("a", nullable=False, default="2", fill="3")
    assert diff_table(table("t", after), table("t", before), None, SERVER) == [c.ColumnDefaultChanged(T, before, after)]
    theirs = column("a", foreign_default=True)
    assert diff_table(table("t", theirs), table("t", column("a", default="now()")), None, SERVER) == []
