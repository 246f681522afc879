"""Names of columns within expressions and in what stands on them, however they are written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framework_m_migrations.domain.renames import (
    NAME_LIMIT,
    fitted,
    in_text,
    occurs,
    on_columns,
    same_expression,
    stands_on,
    superseded_columns,
    through_renames,
)
from framework_m_migrations.domain.schema import (
    Check,
    ForeignKey,
    Generated,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    TableName,
    Unique,
)
from tests.unit.domain.build import catalog, column, doctype, index, key, table, unique

T = TableName("t")


@pytest.mark.parametrize(
    ("before", "names", "after"),
    [
        ("title > 1", {"title": "Two Words"}, '"Two Words" > 1'),
        ("title > 1", {"title": 'a"b'}, '"a""b" > 1'),
        ("title > 1", {"title": "label"}, "label > 1"),
        ('"a""b" > 1', {'a"b': 'c"d'}, '"c""d" > 1'),
        ('"a""b" > "c"', {"c": "d"}, '"a""b" > "d"'),
        ("'title' || title", {"title": "label"}, "'title' || label"),
        ("Title > 1", {"title": "label"}, "Title > 1"),
    ],
)
def test_a_name_gets_the_quotes_that_it_needs(before: str, names: dict[str, str], after: str) -> None:
    assert in_text(before, names) == after


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (None, None, True),
        (None, "a", False),
        ("a", None, False),
        ("a > 1", "a > 1", True),
        ('"a" > 1', "a > 1", True),
        ("a > 1", '"a" > 1', True),
        ('"b" > 1', "b > 1", False),
        ('"A" > 1', "A > 1", False),
        ("'a' = a", "'a' = \"a\"", True),
        ("'a' = a", '"a" = a', False),
        ('"a""b" > 1', 'a"b > 1', False),
        ("a > 1", "a > 2", False),
    ],
)
def test_quotes_round_a_plain_name_of_a_column_make_no_difference(
    one: str | None, other: str | None, same: bool
) -> None:
    assert same_expression(one, other, ["a", "A", 'a"b']) is same


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a", "a > 1", True),
        ('a"b', '"a""b" > 1', True),
        ("a`b", "`a``b` > 1", True),
        ('a"b', 'a"b', True),
        ("c", "a > 1", False),
    ],
)
def test_an_expression_may_speak_of_a_column(name: str, text: str, found: bool) -> None:
    assert occurs(name, text) is found


@pytest.mark.parametrize(
    ("item", "columns"),
    [
        (index("i", "a", "b"), ["a", "b"]),
        (Index("i", (IndexKey("a"),), include=("b",)), ["a", "b"]),
        (Index("i", (IndexKey(None, "lower(a)"), IndexKey(None, "upper(b)"))), ["a", "b"]),
        (Index("i", (IndexKey(None, "a + 1"),), where="b > 1"), ["a", "b"]),
        (Check("c", "\"a\" > 1 AND b <> 'x'"), ["a", "b"]),
        (Check("c", '"x""y" > 1'), ['x"y']),
        (unique("a", "b"), ["a", "b"]),
        (key("a", "t"), ["a"]),
    ],
)
def test_what_stands_on_columns(item: Index | Unique | Check | ForeignKey, columns: list[str]) -> None:
    everything = ["a", "b", "x", "lower(a", 'x"y', "XXXX", "XX"]
    assert [name for name in everything if stands_on(item, [name])] == columns
    assert not stands_on(item, [])


def test_an_index_on_other_columns_is_made_from_values_alone() -> None:
    mixed = Index(
        "i", (IndexKey("a"), IndexKey("c"), IndexKey(None, "a + c")), where="a > 1", include=("a", "c"), native=object()
    )
    made = on_columns(mixed, {"a": "b"})
    assert made.keys == (IndexKey("b"), IndexKey("c"), IndexKey(None, "b + c"))
    assert (made.where, made.include, made.native) == ("b > 1", ("b", "c"), None)
    assert on_columns(index("i", "c"), {"a": "b"}).where is None


def test_what_is_computed_of_a_renamed_column_is_seen_under_the_new_name() -> None:
    total = replace(column("total"), generated=Generated("computed", "title + 1", stored=True))
    counted = replace(column("n"), generated=Generated("identity"))
    before = replace(
        table("t", column("title"), total, counted, column("plain")), primary_key=PrimaryKey(("id", "title"), "pk")
    )
    wanted = table("t", column("label", renamed_from="title"), total, counted, column("plain"))
    seen = through_renames([doctype(wanted)], catalog(before)).tables[T]
    generated = {one.name: one.generated for one in seen.columns}
    assert generated["total"] == Generated("computed", "label + 1", stored=True)
    assert generated["n"] == Generated("identity")
    assert generated["plain"] is None
    assert seen.primary_key == PrimaryKey(("id", "label"), "pk")


def test_keys_to_a_renamed_table_are_seen_under_its_new_name_within_its_schema() -> None:
    old, new = TableName("old", "s"), TableName("new", "s")
    before = replace(table("old"), name=old)
    pointing = table("t", foreign_keys=(ForeignKey("fk", ("id",), old, ("id",)),))
    wanted = replace(table("new"), name=new, renamed_from="old")

    def targets(*there: Table) -> list[TableName]:
        seen = through_renames([doctype(wanted)], catalog(*there))
        return [one.target for one in seen.tables[T].foreign_keys]

    assert targets(before, pointing) == [new]
    assert targets(table("old"), pointing) == [old], "the former table is in another schema"
    assert targets(before, replace(table("new"), name=new), pointing) == [old], "both are there: nothing is renamed"
    untouched = catalog(table("old"), pointing)
    assert through_renames([doctype(wanted)], untouched) is untouched


def test_both_columns_of_a_rename_between_its_phases_are_found() -> None:
    wanted = table("t", column("plain"), column("label", renamed_from="title"), column("other", renamed_from="gone"))
    before = table("t", column("plain"), column("title"), column("label"), column("other"))
    assert superseded_columns(wanted, before) == {"title": "label"}
    assert superseded_columns(replace(wanted, columns=(*wanted.columns, column("title"))), before) == {}


def test_a_name_is_cut_where_it_would_be_too_long_and_not_before() -> None:
    assert fitted("a" * (NAME_LIMIT - 2), "_x") == "a" * (NAME_LIMIT - 2) + "_x"
    cut = fitted("a" * (NAME_LIMIT - 1), "_x")
    assert len(cut) == NAME_LIMIT
    assert cut.endswith("_x")
    assert cut[:52] == "a" * 52
    assert cut[52] == "_"
