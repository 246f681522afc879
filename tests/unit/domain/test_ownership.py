"""What the ledger remembers of a table, and how two records of it become one."""

from __future__ import annotations

import hashlib

from framework_m_migrations.domain.ownership import OwnedTable, constraint_identities
from framework_m_migrations.domain.schema import Check, ForeignKey, TableName
from tests.unit.domain.build import column, index, key, table, unique


def test_a_constraint_is_known_by_what_it_is_and_by_its_name() -> None:
    digest = hashlib.sha256(b"id > 0").hexdigest()[:16]
    assert constraint_identities(unique("b", "a")) == ("unique(a, b)",)
    assert constraint_identities(unique("a", name="uq")) == ("unique(a)", "uq")
    assert constraint_identities(Check("ck", "id > 0")) == (f"check({digest})", "ck")
    assert constraint_identities(key("a", "other")) == ("foreign key(a) other",)
    pair = ForeignKey("fk", ("b", "a"), TableName("other", "crm"), ("y", "x"))
    assert constraint_identities(pair) == ("foreign key(b, a) crm.other", "fk")


def test_everything_of_a_table_is_recorded() -> None:
    made = table(
        "item", column("a"), indexes=(index("ix", "a"),), uniques=(unique("a", name="uq"),),
        checks=(Check("ck", "a > 0"),), foreign_keys=(key("a", "other", "fk"),),
    )  # fmt: skip
    owned = OwnedTable.of(made, "Item", "adopted", "shop")
    assert (owned.table, owned.doctype, owned.origin, owned.app) == (TableName("item"), "Item", "adopted", "shop")
    assert owned.columns == {"id", "a"}
    assert owned.indexes == {"ix"}
    assert {"uq", "ck", "fk", "unique(a)", "foreign key(a) other"} < owned.constraints


def test_records_are_joined_and_the_later_one_names_the_doctype() -> None:
    name = TableName("item")
    first = OwnedTable(name, "Old", "created", frozenset("a"), frozenset("i"), frozenset("x"), "shop")
    second = OwnedTable(name, "New", "adopted", frozenset("b"), frozenset("j"), frozenset("y"), "store")
    assert first.merge(second) == OwnedTable(
        name, "New", "created", frozenset("ab"), frozenset("ij"), frozenset("xy"), "store"
    )
    assert second.merge(OwnedTable(name, "New", "created")).app == "store", "an app that is known is not forgotten"
    assert OwnedTable(name, "New", "created").merge(second).app == "store"


def test_an_index_is_ours_by_its_name_or_as_the_form_of_a_constraint_of_ours() -> None:
    name = TableName("item")
    by_name = OwnedTable(name, "Item", "created", indexes=frozenset({"ix", "more"}))
    assert by_name.has_index(index("ix", "a"))
    assert not by_name.has_index(index("theirs", "a"))
    assert by_name.without_index(index("ix", "a")) == OwnedTable(name, "Item", "created", indexes=frozenset({"more"}))
    by_rule = OwnedTable(name, "Item", "created", constraints=frozenset({"unique(a)", "uq", "unique(b)"}))
    form = index("item_a_key", "a", unique=True)
    assert by_rule.has_index(form)
    assert by_rule.without_index(form) == OwnedTable(
        name, "Item", "created", constraints=frozenset({"uq", "unique(b)"})
    )
    for theirs in (
        index("item_a_key", "a"),
        index("other", "a", unique=True),
        index("item_c_key", "c", unique=True),
        index("item_a_key", "a", unique=True, where="a > 0"),
        index("other_a_key", "a", unique=True),
    ):
        assert not by_rule.has_index(theirs), theirs
