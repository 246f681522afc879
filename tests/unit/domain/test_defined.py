"""The order of objects with a definition, and what waits for what."""

from __future__ import annotations

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.defined import blocked, in_order, mentions, needed_first, with_views
from framework_m_migrations.domain.schema import (
    Column,
    ColumnType,
    DocTypeSchema,
    PrimaryKey,
    SchemaObject,
    Table,
    TableName,
)

T = TableName("t")


def made(kind: str, name: str, text: str) -> SchemaObject:
    return SchemaObject(kind, TableName(name), (("definition", text),))


def doctype(one: SchemaObject) -> DocTypeSchema:
    return DocTypeSchema(f"{one.kind} {one.name}", (), objects=(one,))


def test_a_name_is_a_word_in_any_case() -> None:
    assert mentions('SELECT "A".x FROM a', "a")
    assert not mentions("SELECT ab, a_b, a$b", "a")


def test_each_comes_after_what_it_uses_and_tables_come_before() -> None:
    table = DocTypeSchema("t", (Table(T, (Column("id", ColumnType("int")),)),))
    listed = [
        made("rows", "t", "t"),
        made("trigger", "tr", "ON t EXECUTE f"),
        made("view", "b", "SELECT * FROM a"),
        made("view", "a", "SELECT f(1)"),
        made("function", "f", "SELECT 1"),
        made("roles", "roles", "x"),
    ]
    ordered = in_order([*map(doctype, listed), table])
    names = ["t", "roles roles", "function f", "view a", "view b", "trigger tr", "rows t"]
    assert [one.name for one in ordered] == names


def test_views_that_use_each_other_are_kept_all() -> None:
    listed = [made("view", "a", "SELECT * FROM b"), made("view", "b", "SELECT * FROM a")]
    assert {one.name for one in in_order([doctype(one) for one in listed])} == {"view a", "view b"}


def test_functions_that_a_table_uses_come_first_with_those_that_they_use() -> None:
    column = Column("n", ColumnType("int"), default="f(1)")
    table = Table(T, (column,), PrimaryKey(("n",)))
    functions = [made("function", "f", "SELECT g(1)"), made("function", "g", "1"), made("function", "h", "FROM t")]
    work: list[o.Operation] = [o.CreateTable(table, ()), *map(o.CreateObject, functions)]
    assert needed_first(functions, work) == {TableName("f"), TableName("g")}
    assert needed_first([], [o.CreateTable(table, ())]) == frozenset()


def test_views_over_a_column_and_those_over_them_go_with_its_type() -> None:
    column = Column("n", ColumnType("int"))
    views = [made("view", "v", "SELECT n FROM t"), made("view", "w", "SELECT * FROM v"), made("view", "x", "FROM u")]
    change = c.ColumnTypeChanged(T, column, column)
    (found,) = with_views({"t": [change]}, views)["t"]
    assert isinstance(found, c.ColumnTypeChanged)
    assert found.views == tuple(views[:2])


def test_what_needs_something_withheld_waits_for_it() -> None:
    change = c.ObjectAdded(T, made("view", "v", "SELECT n FROM t"))
    assert blocked(change, {T: ["n"]}, []) == "t.n"
    assert blocked(change, {T: ["m"]}, []) is None
    assert blocked(change, {}, [T]) == "t"
    assert blocked(c.ObjectAdded(T, SchemaObject("sequence", T)), {}, [T]) is None
