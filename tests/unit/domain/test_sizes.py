"""Which tables a plan works on, and which locks reach their partitions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.plan import LockLevel, Step
from framework_m_migrations.domain.risk.facts import worked_on
from framework_m_migrations.domain.schema import Check, EnumType, Partition, TableName
from framework_m_migrations.domain.steps import with_partitions
from tests.unit.domain.build import column, index, key, table

T, U, V = TableName("t"), TableName("u"), TableName("v")
A = column("a")
ONE, TWO = TableName("one"), TableName("two")
PARTED = replace(table("t", A), partitions=(Partition(ONE, T, True), Partition(TWO, T, True)), partitioned=True)
FULL, SHARE = LockLevel.ACCESS_EXCLUSIVE, LockLevel.ACCESS_SHARE


@pytest.mark.parametrize(
    ("operations", "tables"),
    [
        ([], ()),
        ([o.AddColumn(T, A), o.AddColumn(U, A), o.AddColumn(T, A)], (T, U)),
        ([o.CreateTable(table("t"), (key("a", "u"),)), o.AddColumn(T, A)], (U,)),
        ([o.AddForeignKey(T, key("a", "u"))], (T, U)),
        ([o.CreateTable(table("u"), ()), o.AddForeignKey(T, key("a", "u"))], (T,)),
        ([o.CreateEnum(EnumType(V, ("x",))), o.AddEnumValue(V, "y")], ()),
        ([o.CreateIndex(ONE, index("ix", "a"), part=True), o.AttachIndex(ONE, "ix", T), o.AddColumn(U, A)], (U,)),
        ([o.CreateIndex(T, index("ix", "a"), only=True)], (T,)),
    ],
)
def test_the_tables_that_were_there_before(
    operations: list[o.AdditiveOperation], tables: tuple[TableName, ...]
) -> None:
    assert worked_on([Step(tuple(operations))]) == tables
    assert worked_on([Step((one,)) for one in operations]) == tables


@pytest.mark.parametrize(
    "operation",
    [
        o.SetComment(T, None, "x"),
        o.AttachIndex(T, "ix", U),
        o.CreateIndex(T, index("ix", "a"), only=True),
    ],
)
def test_what_touches_no_partition(operation: o.AdditiveOperation) -> None:
    assert with_partitions(operation, ((T, FULL),), {T: PARTED}) == ((T, FULL),)


def test_what_is_locked_is_locked_with_its_partitions() -> None:
    own = ((T, FULL), (U, LockLevel.ROW_SHARE))
    parts = ((ONE, FULL), (TWO, FULL))
    assert with_partitions(o.AddColumn(T, A), own, {T: PARTED, U: table("u")}) == (*own, *parts)
    assert with_partitions(o.CreateIndex(T, index("ix", "a")), own, {T: PARTED}) == (*own, *parts)
    assert with_partitions(o.AddColumn(T, A), own, {}) == own


def test_rows_are_only_looked_up_in_the_partitions_that_a_key_points_at() -> None:
    levels = ((T, LockLevel.ROW_SHARE), (U, FULL))
    looked_up = o.ValidateConstraint(U, key("a", "t"))
    assert with_partitions(looked_up, levels, {T: PARTED}) == (*levels, (ONE, SHARE), (TWO, SHARE))
    own = o.ValidateConstraint(T, Check("ck", "a > 0"))
    held = ((ONE, LockLevel.ROW_SHARE), (TWO, LockLevel.ROW_SHARE))
    assert with_partitions(own, levels, {T: PARTED}) == (*levels, *held)
