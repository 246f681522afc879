"""Which rights operations need: what is asked of the database before anything is changed."""

from __future__ import annotations

import pytest

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.privileges import Needs, needs_of
from framework_m_migrations.domain.schema import Check, Column, EnumType, PrimaryKey, Table, TableName
from tests.unit.domain.build import column, index, key, table, unique

TASK, NOTE, MOOD = TableName("task"), TableName("note"), TableName("mood")
AWAY = TableName("log", "archive")
A = column("a")
NO = frozenset[TableName]()


@pytest.mark.parametrize(
    ("operations", "needs"),
    [
        ([], Needs()),
        ([o.CreateTable(table("task"), ())], Needs(creates_in=frozenset({None}))),
        (
            [o.CreateTable(Table(AWAY, (A,), PrimaryKey(("a",))), ())],
            Needs(creates_in=frozenset({"archive"})),
        ),
        (
            [o.CreateTable(table("task"), (key("a", "note"),))],
            Needs(creates_in=frozenset({None}), refers_to=frozenset({NOTE})),
        ),
        ([o.CreateTable(table("task"), (key("a", "task"),))], Needs(creates_in=frozenset({None}))),
        (
            [o.CreateTable(table("task"), ()), o.CreateTable(table("note"), (key("a", "task"),))],
            Needs(creates_in=frozenset({None})),
        ),
        ([o.CreateEnum(EnumType(MOOD, ("good",)))], Needs(creates_in=frozenset({None}))),
        (
            [o.CreateEnum(EnumType(TableName("mood", "archive"), ("good",)))],
            Needs(creates_in=frozenset({"archive"})),
        ),
        ([o.AddEnumValue(MOOD, "bad")], Needs(extends=frozenset({MOOD}))),
        (
            [o.CreateEnum(EnumType(MOOD, ("good",))), o.AddEnumValue(MOOD, "bad")],
            Needs(creates_in=frozenset({None})),
        ),
        ([o.AddColumn(TASK, A)], Needs(alters=frozenset({TASK}))),
        ([o.CreateTable(table("task"), ()), o.AddColumn(TASK, A)], Needs(creates_in=frozenset({None}))),
        (
            [o.CreateIndex(AWAY, index("ix", "a"))],
            Needs(creates_in=frozenset({"archive"}), alters=frozenset({AWAY})),
        ),
        (
            [o.AddUnique(AWAY, unique("a"))],
            Needs(creates_in=frozenset({"archive"}), alters=frozenset({AWAY})),
        ),
        # It adopts the name of the index, and makes nothing.
        ([o.AddUnique(AWAY, unique("a"), via_index="ix")], Needs(alters=frozenset({AWAY}))),
        ([o.AddCheck(TASK, Check("ck", "a > 0"))], Needs(alters=frozenset({TASK}))),
        (
            [o.AddForeignKey(TASK, key("a", "note"))],
            Needs(alters=frozenset({TASK}), refers_to=frozenset({NOTE})),
        ),
        # An owner may refer to his own table, whatever else he is asked for.
        (
            [o.AddForeignKey(TASK, key("a", "note")), o.AddColumn(NOTE, A)],
            Needs(alters=frozenset({TASK, NOTE})),
        ),
        ([o.DropTable(TASK)], Needs(alters=frozenset({TASK}))),
        ([o.DropColumn(TASK, "a"), o.DropIndex(NOTE, "ix")], Needs(alters=frozenset({TASK, NOTE}))),
    ],
)
def test_what_operations_need(operations: list[o.Operation], needs: Needs) -> None:
    assert needs_of(operations) == needs


def test_what_is_known_is_never_told_as_unknown() -> None:
    assert not needs_of([o.SetDefault(TASK, A, Column("a", A.type))]).unknown
    assert not Needs().unknown
